#ifndef KVSTORE_SRC_TRANSFER_SHM_SERVED_CONNECTION_H_
#define KVSTORE_SRC_TRANSFER_SHM_SERVED_CONNECTION_H_

#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "transfer/shm/ledger.h"
#include "transfer/shm/mapped_file.h"
#include "transfer/shm/shared_regions.h"
#include "transfer/shm/socket.h"

namespace kvstore::transfer {

// Whether a hello may be taken: what a served connection can't know for itself.
class ShmDoor {
 public:
  virtual ~ShmDoor() = default;
  virtual Status Admit(const ShmHello& hello) = 0;
};

// One process of this host, at the holder's end: its connection, its ledger, and the pidfd by which
// its end is seen. It outlives the connection while the process may be touching memory.
// Thread-compatible: the server's mutex covers it. Never waits.
class ShmServedConnection {
 public:
  // `hello_until`: it must have said hello by then.
  ShmServedConnection(ShmSocket socket, TimePoint hello_until);

  // Takes what has come. An error: the connection is over. Sets `left` when the process says that
  // it touches less than before.
  Status Serve(ShmDoor& door, SharedRegions& regions, bool* left);

  // Ends the connection, and with it all that the process could still begin to touch. Its
  // announcements of before stand until it withdraws them. May be called again.
  void EndConnection();
  // The same, for whoever reads the connection to notice.
  void Cut();

  bool admitted() const { return ledger_.has_value(); }
  bool connected() const { return connected_; }
  TimePoint hello_until() const { return hello_until_; }
  int socket_fd() const { return socket_.fd(); }
  int process_fd() const { return process_.get(); }  // readable once the process has ended
  bool ProcessHasEnded() const;
  // It touches nothing any more: the server drops it.
  void NoteEndOfProcess() { process_ended_ = true; }
  bool process_ended() const { return process_ended_; }

  // Appends what it may be touching of that region. From now on it says when that gets less.
  void AppendTouched(SlotKind kind, RegionId region, std::vector<Stretch>* touched);
  // For when the connection has ended, and nobody tells any more: whether fewer announcements stand
  // than when it was asked last. `none` becomes whether it was the last one.
  bool WithdrewSome(bool* none);

 private:
  Status Greet(Packet packet, ShmDoor& door);
  // The ledger's file, to be handed over.
  Result<FileDescriptor> MakeLedger();
  Status Dispatch(const Packet& packet, SharedRegions& regions, bool* left);

  const ShmSocket socket_;
  const TimePoint hello_until_;
  bool connected_ = true;
  bool process_ended_ = false;
  size_t active_ = std::numeric_limits<size_t>::max();  // announcements, when WithdrewSome looked
  FileDescriptor process_;
  MappedFile pages_;
  std::optional<LedgerReader> ledger_;  // of pages_
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_SERVED_CONNECTION_H_
