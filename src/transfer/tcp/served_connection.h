#ifndef KVSTORE_SRC_TRANSFER_TCP_SERVED_CONNECTION_H_
#define KVSTORE_SRC_TRANSFER_TCP_SERVED_CONNECTION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "transfer/lane.h"
#include "transfer/registry.h"
#include "transfer/tcp/frame.h"
#include "transfer/tcp/input_buffer.h"
#include "transfer/tcp/socket.h"

namespace kvstore::transfer {

class ServedConnection;

// What one client asks another way about over its connection, and what that way does meanwhile on
// its behalf. Confined to the connection's thread.
class SideService {
 public:
  virtual ~SideService() = default;
  // Any bytes may come. The answer has at most kMaxAskBytes.
  virtual Result<std::string> Answer(std::string_view question) = 0;
  // Whether the client has something under way, so that the connection isn't idle.
  virtual bool IsBusy() const = 0;
  // Asked every step while it is busy. False: something under way is to be cut off, so the
  // connection ends.
  virtual bool MayGoOn() = 0;
  // The connection is over. True: nothing of what was under way touches memory any more. False:
  // something still may; asked again, every step, before the connection counts as ended.
  virtual bool End() = 0;
};

// What a served connection has to ask of all of them together. Thread-safe.
class PathTable {
 public:
  virtual ~PathTable() = default;
  // OK: the hello is for us, now, and the connection is known by its id from here on.
  virtual Status Admit(const Hello& hello, ServedConnection& connection) = 0;
  // Closes the connection of that id. OK: it is drained, or there is none (any more).
  virtual Status CutPath(uint64_t id, const ServedConnection& asker) = 0;
  // For a connection that asks for it; null: there is no other way here, or too many of those that
  // there were have not ended.
  virtual std::unique_ptr<SideService> NewSideService() = 0;
  // Waits so long; true: all connections are to end, whatever is left.
  virtual bool EndsWithin(Duration duration) = 0;
};

// What all served connections of an engine came to. Thread-safe.
struct ServedTotals {
  std::atomic<uint64_t> reads = 0, writes = 0, bytes = 0;
  std::atomic<uint64_t> refused_before = 0, refused_after = 0, bad_connections = 0;
};

// One connection, at the holder's end. Run serves it in the calling thread for as long as it lasts;
// Cut may come from any thread. When Run has returned, no memory is touched any more.
class ServedConnection {
 public:
  struct Timeouts {
    Duration hello;
    Duration stall;
    Duration idle;  // between two requests
  };

  // All references outlive the connection.
  ServedConnection(Socket socket, PathTable& paths, Registry& registry, ServedTotals& totals,
                   const Timeouts& timeouts);

  void Run();
  // Makes Run return within about a step.
  void Cut();
  bool was_cut() const { return cut_.load(); }
  // It serves nothing more; Run returns once its side service has ended.
  bool is_over() const { return is_over_.load(); }

  // Since when it has been waiting for a request that nothing of has come; none: it is busy.
  std::optional<TimePoint> idle_since() const;
  // Cuts it if it has been idle since then; false: it has not, and goes on.
  bool CutIfIdleSince(TimePoint since);

 private:
  static constexpr TimePoint kBusy = TimePoint::max();
  static constexpr TimePoint kDisplaced = TimePoint::min();

  // All of these: OK, go on; unavailable, the connection has ended as connections do;
  // invalid_argument, the peer misbehaved.
  Status Serve();
  Status Greet();
  Status NextRequest(std::optional<Request>* request);
  Status AwaitRequest(const iovec& room, IoStep* step);
  Status Dispatch(const Request& request);
  Status ServeRead(const Request& request);
  Status SendFrom(RegionAccess memory, const Request& request, Status* verdict);
  Status ServeWrite(const Request& request);
  Status ReceiveTo(std::byte* memory, size_t room, bool whole_rest, size_t* moved);
  Status ServeCut(const Request& request);
  Status ServeAsk(const Request& request);
  Status ReceiveAll(std::span<std::byte> bytes);

  // Waits a step in the middle of a frame.
  Status WaitStep(short events);
  Status Moved(const IoStep& step);
  void Append(std::span<const std::byte> bytes);
  void AppendVerdict(const Request& request, const Status& verdict);
  // Sends what was appended; before anything that may wait for the peer.
  Status Flush();

  const Socket socket_;
  PathTable& paths_;
  Registry& registry_;
  ServedTotals& totals_;
  const Timeouts timeouts_;
  std::atomic<bool> cut_ = false;
  std::atomic<bool> is_over_ = false;
  // Whoever moves it away from an idle time has decided what becomes of the connection.
  std::atomic<TimePoint> idle_since_ = kBusy;

  // Confined to the thread in Run.
  InputBuffer input_;
  std::vector<std::byte> output_;
  size_t output_sent_ = 0;
  TimePoint last_moved_;
  std::unique_ptr<SideService> side_;  // made by the first question
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_SERVED_CONNECTION_H_
