#ifndef KVSTORE_TESTS_SIMULATION_WORLD_H_
#define KVSTORE_TESTS_SIMULATION_WORLD_H_

#include <memory>
#include <string>
#include <vector>

#include "simulation/checker.h"
#include "simulation/plan.h"
#include "simulation/sim_node.h"
#include "simulation/succession.h"
#include "simulation/transcript.h"

namespace kvstore::simulation {

// All that is there in one run, built in the order in which it stands here.
struct World {
  World(uint64_t seed, const AllGuards& all_guards, bool trace);

  // A new life of the node at that slot, and its threads.
  void StartNode(size_t slot);
  std::string KeyName(size_t key) const { return "k" + std::to_string(key); }

  Scheduler scheduler;
  const RunPlan plan;
  const AllGuards guards;
  Transcript transcript;
  EventCounts counts;
  Network network;
  Fabric fabric;
  Checker checker;
  Succession masters;
  std::vector<std::unique_ptr<SimNode>> nodes;  // all lives
  std::vector<SimNode*> slots;                  // the last life of each
  bool stopping = false;                        // threads end after the call that they are in
  size_t threads_running = 0;                   // of live processes
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_WORLD_H_
