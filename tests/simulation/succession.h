#ifndef KVSTORE_TESTS_SIMULATION_SUCCESSION_H_
#define KVSTORE_TESTS_SIMULATION_SUCCESSION_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation/sim_master.h"

namespace kvstore::simulation {

// How the masters of a run follow each other.
struct SuccessionPlan {
  bool keeps_pool = true;  // else each begins a pool of its own, as without a state file
  bool leases_change = false;
};

// For so long after an answered beat a node goes by what its master said, and a new master listens
// to nobody: kCertainAfterBeat of the product, shrunk as all its times are.
inline constexpr Duration kCertain = std::chrono::milliseconds(150);

// The masters of a run, one after the other; nodes find the last. An earlier one may live on for a
// while, paused or not, and not know yet that it is deposed.
class Succession {
 public:
  Succession(const MasterWorld& world, const DiskGuards& disk_guards, const SuccessionPlan& plan,
             const master::Limits& limits);

  SimMaster& last() const { return *masters_.back(); }
  bool alive() const { return last().alive(); }
  const master::Catalog& catalog() const { return last().catalog(); }
  TimePoint Now() const { return last().Now(); }

  void Begin();
  void Crash();
  // The next one begins although the last lives.
  void Supersede();
  // Masters that are deposed and live.
  std::vector<SimMaster*> Deposed() const;

  void OnTaken(std::function<void(MasterListener* node, const Hello& hello)> observer) {
    world_.taken = std::move(observer);
  }

  // Called after a master has ordered notes.
  void OnNotes(std::function<void(const SimMaster* master)> observer) {
    world_.ordered_notes = std::move(observer);
  }
  // See Disk.
  void OnLongWrite(std::function<void(Duration)> observer) {
    disk_.OnLongWrite(std::move(observer));
  }

  Forgotten ForgottenOf(const std::string& key) const;
  // Keys that any of them did not find, so far, since their holders are silent.
  uint64_t looks_unreadable() const;
  void CountInto(EventCounts* counts) const;

 private:
  // What its notes don't say is lost with the last master.
  void NoteLoss();

  MasterWorld world_;
  Disk disk_;
  const SuccessionPlan plan_;
  const master::Limits limits_;
  std::vector<std::unique_ptr<SimMaster>> masters_;
  std::map<PutId, Instant> leases_;
  std::map<std::string, uint64_t> outlived_;  // losses of a master, by keys noted everywhere
  uint64_t losses_ = 0;
  uint64_t pools_ = 0;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SUCCESSION_H_
