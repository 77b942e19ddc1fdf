#ifndef KVSTORE_SRC_TRANSFER_SHM_CONNECTION_H_
#define KVSTORE_SRC_TRANSFER_SHM_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "transfer/descriptor.h"
#include "transfer/shm/frame.h"
#include "transfer/shm/ledger.h"
#include "transfer/shm/mapped_file.h"
#include "transfer/shm/socket.h"

namespace kvstore::transfer {

// One connection to a holder of this host, at the client's end: the socket and the ledger. Whoever
// touches memory that it brought keeps it alive, also when it has ended. Thread-safe, save for Ask.
class ShmConnection {
 public:
  // Connects and says hello. failed_precondition, unavailable, resource_exhausted: the peer, or
  // this machine, won't; deadline_exceeded: no answer by `until`.
  static Result<std::shared_ptr<ShmConnection>> Open(const PeerDescriptor& peer, TimePoint until);
  ~ShmConnection();

  // What a holder says of a region; the files are valid and sealed.
  struct Answer {
    ShmReply reply;
    FileDescriptor data;
    FileDescriptor words;
  };
  // One thread at a time. Errors: as the reply's; deadline_exceeded; unavailable: it has ended.
  Result<Answer> Ask(RegionId region, Access access, TimePoint until);

  LedgerWriter& ledger() { return *ledger_; }

  // Whether nothing may be begun over it any more.
  bool ended() const { return ended_.load(std::memory_order_relaxed) || ledger_->ended(); }
  // Nothing is begun any more at this end; the holder learns it, too.
  void End();
  int fd() const { return socket_.fd(); }

 private:
  explicit ShmConnection(ShmSocket socket) : socket_(std::move(socket)) {}

  Status SayHello(const Incarnation& wanted, TimePoint until);
  Result<Packet> Await(TimePoint until);

  const ShmSocket socket_;
  std::atomic<bool> ended_ = false;
  MappedFile pages_;
  std::optional<LedgerWriter> ledger_;  // of pages_
  uint32_t next_sequence_ = 0;          // of Ask
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_CONNECTION_H_
