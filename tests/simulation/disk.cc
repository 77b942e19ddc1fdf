#include "simulation/disk.h"

#include <algorithm>
#include <utility>

namespace kvstore::simulation {

using master::Reign;
using std::chrono::microseconds;
using std::chrono::milliseconds;

Reign Disk::Begin(const Process* master, Duration lease, bool new_pool) {
  Random& random = scheduler_->random();
  if (new_pool || kept_.pool.IsNone()) kept_ = {{random.Next(), random.Next()}, 0, {}, {}};
  // A master may have ended after it wrote its term and before it reigned.
  if (guards_.terms_are_written_first || kept_.term == 0) kept_.term += random.Chance(0.1) ? 2 : 1;
  kept_.longest_lease =
      guards_.longest_lease_is_remembered ? std::max(kept_.longest_lease, lease) : lease;
  writer_ = master;
  return kept_;
}

void Disk::Admit(Process* master, Reign::Member member, const std::function<void()>& done) {
  Write(
      master,
      [member = std::move(member)](std::vector<Reign::Member>* members) {
        if (std::find(members->begin(), members->end(), member) == members->end()) {
          members->push_back(member);
        }
      },
      done);
}

void Disk::Strike(Process* master, Incarnation member, const std::function<void()>& done) {
  Write(
      master,
      [member](std::vector<Reign::Member>* members) {
        std::erase_if(*members, [&](const Reign::Member& m) { return m.incarnation == member; });
      },
      done);
}

void Disk::Write(Process* master, const std::function<void(std::vector<Reign::Member>*)>& change,
                 const std::function<void()>& done) {
  Random& random = scheduler_->random();
  // Mostly quick; now and then the disk is busy.
  const bool busy = random.Chance(0.15);
  const Duration writing = busy ? random.Between(milliseconds(1), milliseconds(250))
                                : random.Between(microseconds(50), milliseconds(3));
  if (busy && long_write_ && writer_ == master) long_write_(writing);
  scheduler_->After(writing, master, [this, master, change, done] {
    if (guards_.deposed_masters_write_nothing && writer_ != master) return;
    change(&kept_.members);
    scheduler_->After(microseconds(scheduler_->random().Between(10, 2000)), master, done);
  });
}

}  // namespace kvstore::simulation
