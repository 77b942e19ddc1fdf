#ifndef KVSTORE_SRC_TRANSFER_TCP_CONNECTION_H_
#define KVSTORE_SRC_TRANSFER_TCP_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "transfer/tcp/frame.h"
#include "transfer/tcp/input_buffer.h"
#include "transfer/tcp/job.h"
#include "transfer/tcp/socket.h"

namespace kvstore::transfer {

// Why somebody should wait no longer. Asked at least every kWaitStep by all that wait.
class Patience {
 public:
  virtual ~Patience() = default;
  virtual Status Ended() = 0;
  // The peer has given a sign of life: so many bytes, or none, but its machine has taken some.
  virtual void Heard(uint64_t bytes) = 0;
};

struct ConnectionTimeouts {
  Duration hello;  // to connect and be greeted
  Duration stall;  // without a byte moved, while an answer is due
};

// One connection to a holder, at the client's end. Confined to the thread that uses it.
class Connection {
 public:
  // A slice on its way when the connection broke.
  struct Stranded {
    Slice slice;
    bool may_land = false;  // a write of which the holder may have got something
  };

  // Connects and says hello to `wanted`. unavailable: nobody there, or somebody else.
  static Result<std::unique_ptr<Connection>> Open(const std::string& endpoint,
                                                  const Incarnation& wanted,
                                                  const ConnectionTimeouts& timeouts,
                                                  Patience& patience);
  // The same from the hello on, over a socket that is connected.
  static Result<std::unique_ptr<Connection>> Greet(Socket socket, const Incarnation& wanted,
                                                   const ConnectionTimeouts& timeouts,
                                                   Patience& patience);

  uint64_t id() const { return id_; }
  // Between two uses: whether the holder has closed it, or speaks out of turn.
  bool IsSpent() const;
  // Whether the last Carry got a byte of an answer.
  bool WasAnswered() const { return answered_; }

  // Carries slices of the job, many at a time, until it hands out no more or a fair share has been
  // carried. OK: all that it took are finished, and the connection is good for more. Else the
  // connection is shut, touches no memory of ours any more, and what it left unfinished is in
  // `stranded`.
  Status Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded);

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
    uint64_t sent = 0;  // of the frame
  };

  Connection(Socket socket, uint64_t id, Duration stall);

  Status SayHello(const Incarnation& wanted, Patience& patience);
  Status SendAll(std::span<const std::byte> bytes, Patience& patience);
  Status ReceiveAll(std::span<std::byte> bytes, Patience& patience);
  // Waits a step; an error when patience or the stall timeout ended.
  Status WaitStep(short events, Patience& patience);
  // Whether the peer's machine has taken bytes since the last look.
  bool SomeTaken();

  void TakeSlices(Job& job);
  Status Step(Job& job, Patience& patience);
  Status SendFlights();
  Status ReceiveSome(Job& job);
  Status Digest(Job& job);
  Status TakeReply(Job& job, const Reply& reply);
  void EndFlight(Job& job, Status verdict);
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
