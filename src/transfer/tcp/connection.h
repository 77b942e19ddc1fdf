#ifndef KVSTORE_SRC_TRANSFER_TCP_CONNECTION_H_
#define KVSTORE_SRC_TRANSFER_TCP_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "transfer/descriptor.h"
#include "transfer/lane.h"
#include "transfer/tcp/frame.h"
#include "transfer/tcp/input_buffer.h"
#include "transfer/tcp/socket.h"

namespace kvstore::transfer {

struct ConnectionTimeouts {
  Duration hello;  // to connect and be greeted
  Duration stall;  // without a byte moved, while an answer is due
};

// One connection to a holder, at the client's end. Confined to the thread that uses it.
class Connection final : public Lane {
 public:
  // Connects and says hello to `wanted`. unavailable: nobody there, or somebody else.
  static Result<std::unique_ptr<Connection>> Open(const std::string& endpoint,
                                                  const Incarnation& wanted,
                                                  const ConnectionTimeouts& timeouts,
                                                  Patience& patience);
  // The same from the hello on, over a socket that is connected.
  static Result<std::unique_ptr<Connection>> Greet(Socket socket, const Incarnation& wanted,
                                                   const ConnectionTimeouts& timeouts,
                                                   Patience& patience);
  // At the first of the peer's endpoints that answers.
  static Result<std::unique_ptr<Connection>> OpenAny(const PeerDescriptor& peer,
                                                     const ConnectionTimeouts& timeouts,
                                                     Patience& patience);

  Way way() const override { return Way::kTcp; }
  uint64_t id() const override { return id_; }
  bool IsSpent() const override;
  bool WasAnswered() const override { return answered_; }
  Status Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) override;

  // Asks the holder's other way. Anything but OK from the holder leaves the connection usable.
  Result<std::string> Ask(std::string_view question, Patience& patience);
  // Readable between two uses: the holder has closed it.
  int fd() const { return socket_.fd(); }

  // Asks the holder to close another connection of this process and to confirm that it is drained.
  Status CutPath(uint64_t connection_id, Patience& patience);

 private:
  struct Flight {
    Slice slice;
    Request request;
    std::array<std::byte, kRequestBytes> header;
    ScatterCursor send_cursor;     // writes: the next byte to send
    ScatterCursor receive_cursor;  // reads: where the next byte goes
    uint64_t frame_bytes = 0;
    uint64_t sent = 0;    // of the frame
    uint64_t placed = 0;  // of the slice, in the pieces
  };

  Connection(Socket socket, uint64_t id, Duration stall);

  Status SayHello(const Incarnation& wanted, Patience& patience);
  Status SendAll(std::span<const std::byte> bytes, Patience& patience);
  Status ReceiveAll(std::span<std::byte> bytes, Patience& patience);
  // The reply to that request, and the message or the bytes behind it.
  Status ReceiveReply(const Request& request, Reply* reply, std::string* body, Patience& patience);
  // Waits a step; an error when patience or the stall timeout ended.
  Status WaitStep(short events, Patience& patience);
  // After a wait for these events: the same.
  Status Waited(bool ready, short events, Patience& patience);
  // Whether the peer's machine has taken bytes since the last look.
  bool SomeTaken();

  void TakeSlices(Job& job);
  Status Step(Job& job, Patience& patience);
  Status SendFlights(Job& job);
  // Once, up to 1 MiB, of which the taps are told. True: all of it went, and there is more.
  Result<bool> SendSome(Job& job);
  // `at_once`: whether or not there is something; else waits a step for it.
  Status ReceiveSome(Job& job, bool at_once, Patience& patience);
  Status Digest(Job& job);
  Status TakeReply(Job& job, const Reply& reply);
  void EndFlight(Job& job, Status verdict);
  // Bytes of the first flight are in its pieces.
  void Placed(Job& job, uint64_t bytes);
  // What is left of a slice whose path broke: of a read the rest, which vouches for all of it,
  // since words only grow.
  static Slice Rest(const Flight& flight);
  Status Sent(const IoStep& step);
  Status Received(const IoStep& step);

  const Socket socket_;
  const uint64_t id_;
  Duration stall_;
  InputBuffer input_;
  TimePoint last_moved_;
  uint64_t received_ = 0;  // bytes in all
  uint64_t untaken_ = 0;   // bytes that were sent and not taken at the last look, or sent since
  uint32_t next_sequence_ = 0;

  // The exchange that is going on.
  std::deque<Flight> flights_;  // in the order of their requests
  size_t unsent_ = 0;           // index of the first flight that isn't sent whole
  uint64_t flying_bytes_ = 0;
  uint64_t taken_bytes_ = 0;  // by this Carry, as taken_slices_
  size_t taken_slices_ = 0;
  bool drained_ = false;    // the job had no more
  uint64_t data_left_ = 0;  // of the first flight's kData
  bool data_seen_ = false;  // its kData has come
  bool answered_ = false;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_CONNECTION_H_
