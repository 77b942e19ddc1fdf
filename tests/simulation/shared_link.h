#ifndef KVSTORE_TESTS_SIMULATION_SHARED_LINK_H_
#define KVSTORE_TESTS_SIMULATION_SHARED_LINK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "kvstore/transfer.h"
#include "simulation/fabric.h"
#include "simulation/frame.h"

namespace kvstore::simulation {

// What binds a process to a holder of its host whose memory it shares: the slots in which it
// announces what it touches, and the socket over which it says that it has cleared one. The holder
// keeps the slots until the process has ended, whatever becomes of the socket: see
// docs/decisions/0004-shared-memory.md. Confined to the baton.
class SharedLink : public std::enable_shared_from_this<SharedLink> {
 public:
  using Slot = uint64_t;

  SharedLink(Fabric* fabric, SimEngine* holder, Process* holder_process, Process* client)
      : fabric_(fabric), holder_(holder), holder_process_(holder_process), client_(client) {}

  // ---- the client's steps

  // The holder's memory, which stays mapped when the holder is paused or dead; null: there is none
  // of that id.
  const Region* FindRegion(transfer::RegionId region) const;
  Slot Announce(transfer::RegionId region, const transfer::Stretch& stretch);
  // And tells the holder if it waits and the socket is there. Nothing once the client is dead.
  void Clear(Slot slot);

  // ---- what becomes of it

  // The socket ends; both processes may live. What is announced from now on the holder need not
  // see: whoever announces looks at broken() after it.
  void Break();
  bool broken() const { return broken_; }
  // A process has ended; the other one sees it after a while. Until then the client goes on in the
  // memory of a dead holder, which is still there.
  void ClientDied();
  void HolderDied();

  // ---- what the holder sees

  void AppendTouched(transfer::RegionId region, std::vector<transfer::Stretch>* touched) const;
  bool has_slots() const { return !slots_.empty(); }

 private:
  struct Touching {
    transfer::RegionId region = 0;
    transfer::Stretch stretch;
  };

  Duration UntilSeen();
  void EndSeen();
  // While the socket is gone nobody says that a slot was cleared.
  void LookNowAndThen();

  Fabric* const fabric_;
  SimEngine* const holder_;
  Process* const holder_process_;
  Process* const client_;
  Slot next_slot_ = 1;
  std::map<Slot, Touching> slots_;
  bool broken_ = false;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SHARED_LINK_H_
