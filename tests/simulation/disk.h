#ifndef KVSTORE_TESTS_SIMULATION_DISK_H_
#define KVSTORE_TESTS_SIMULATION_DISK_H_

#include <functional>
#include <utility>
#include <vector>

#include "guard_switch.h"
#include "master/catalog.h"
#include "simulation/scheduler.h"

namespace kvstore::simulation {

// The rules of the master's state file that a test can switch off; as the product's keeps them.
struct DiskGuards {
  KVSTORE_GUARD(members_are_admitted_first);     // written before a lender's hello is answered
  KVSTORE_GUARD(members_are_struck_first);       // and before one counts as gone, or as having left
  KVSTORE_GUARD(terms_are_written_first);        // and before the reign begins
  KVSTORE_GUARD(longest_lease_is_remembered);    // else each master goes by its own lease
  KVSTORE_GUARD(deposed_masters_write_nothing);  // the file's lock: one master at a time
};

// What the masters of a pool keep durably: the state file. Writing takes time; a master that ends
// meanwhile leaves it written or not, and hears of neither. Confined to the baton.
class Disk {
 public:
  Disk(Scheduler* scheduler, const DiskGuards& guards) : scheduler_(scheduler), guards_(guards) {}

  // `master` is the one that writes from now on. `new_pool`: it finds no file.
  master::Reign Begin(const Process* master, Duration lease, bool new_pool);

  // Called when a write that takes long has begun, with the time that it takes.
  void OnLongWrite(std::function<void(Duration)> observer) { long_write_ = std::move(observer); }

  // `done` comes in the life of `master` once it is written.
  void Admit(Process* master, master::Reign::Member member, const std::function<void()>& done);
  void Strike(Process* master, Incarnation member, const std::function<void()>& done);

 private:
  void Write(Process* master,
             const std::function<void(std::vector<master::Reign::Member>*)>& change,
             const std::function<void()>& done);

  Scheduler* const scheduler_;
  const DiskGuards guards_;
  std::function<void(Duration)> long_write_;  // empty: nobody
  const Process* writer_ = nullptr;
  master::Reign kept_{{}, 0, {}, {}};  // no pool: no file
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_DISK_H_
