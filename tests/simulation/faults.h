#ifndef KVSTORE_TESTS_SIMULATION_FAULTS_H_
#define KVSTORE_TESTS_SIMULATION_FAULTS_H_

#include <string>

#include "simulation/world.h"

namespace kvstore::simulation {

// Does the run's faults to its world, each kind at its own mean distance, and ends them when it is
// told to. Lives as long as the run.
class Faults {
 public:
  explicit Faults(World* world) : world_(*world), random_(world->scheduler.random()) {}

  void Begin();
  // No more of them; what is cut is mended, who is down comes back.
  void EndAll();
  // The run is over: nobody comes back any more.
  void Stop() { over_ = true; }

 private:
  void Repeat(Duration mean, void (Faults::*fault)());

  void CrashNode() { Crash(AnySlot()); }
  void Crash(size_t slot);
  // Faults in the midst of a copy in place, which those at any time seldom hit.
  void StrikeBetweenSteps(const Process* process);
  void LeaveNode();
  void RestartNode(size_t slot);
  void PauseNode();
  void PauseNodeForLong();
  void CutFromMaster();
  void CutNodes();
  void CutForAWhile(Place a, Place b);
  void BreakSession();
  void BreakData();
  void CrashMaster();
  // In the midst of what a new master has to find again, or to take for lost.
  void CrashMasterSoon(Duration within);
  // The welcome to that node does not arrive while the master lives, which is not for long.
  void LoseWelcome(Place place);
  void PauseMaster();
  void SupersedeMaster();
  // What operators do.
  void Operate();
  void Drain();
  void SetDrain(const std::string& name, bool on);
  void Revive();
  void BeginTask();
  void Evict(SimMaster* master);
  // What a node's process does itself.
  void Resize();
  void Lend(size_t slot, uint64_t granules);
  uint64_t LentAtFirst(size_t slot) const;
  void EndDeposed(SimMaster* master);

  size_t AnySlot() { return random_.Below(world_.slots.size()); }
  Scheduler* scheduler() { return &world_.scheduler; }
  void Say(const std::string& what) { world_.transcript.Say("fault", what); }

  World& world_;
  Random& random_;
  bool ended_ = false;
  bool over_ = false;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_FAULTS_H_
