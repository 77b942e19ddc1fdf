#ifndef KVSTORE_TESTS_SIMULATION_SIMULATION_H_
#define KVSTORE_TESTS_SIMULATION_SIMULATION_H_

// A whole store in one thread's time: the product's catalog, holder, Put and Get over a simulated
// network, memory and clock. A seed decides everything.
//
//   simulation   one run, from its plan to its last check; start here
//   plan         what a run is like, drawn from its seed
//   workload     threads that put, get, look and remove
//   calling, in_place_caller    their calls; those that work on objects where they lie
//   faults       crashes, pauses, cuts
//   checker      the promises
//   sim_master, sim_node, sim_memory     processes: the product's parts, and the least around them
//   succession, disk         masters that follow each other, and what the next one knows
//   sim_channel, session_link                      messages to and from the master
//   sim_engine, connection, frame, sim_batch, fabric   the transfer layer: bytes over time
//   rdma_lane                                          one-sided, over RDMA
//   shared_link, in_place_copy, sim_mapping            and by shared memory
//   network, scheduler, fiber, process, random     what all of it runs on
//   value, events, transcript, describe            what it works with and says
//   many_seeds, simulate_main                      many runs; what tools/simulate runs

#include <cstdint>
#include <string>
#include <vector>

#include "simulation/events.h"
#include "simulation/plan.h"

namespace kvstore::simulation {

struct RunOptions {
  uint64_t seed = 1;
  AllGuards guards;
  bool trace = false;
};

struct RunResult {
  std::string violation;  // empty: none
  EventCounts counts;
  uint64_t steps = 0;
  uint64_t hand_overs = 0;
  std::vector<std::string> transcript;  // if traced
};

// Deterministic: the same options give the same result, transcript included.
RunResult Simulate(const RunOptions& options);

// Switches a guard off by its name, e.g. "reuse_after_free_ack"; false: there is no such guard.
bool SwitchOff(const std::string& name, AllGuards* guards);
std::vector<std::string> GuardNames();

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIMULATION_H_
