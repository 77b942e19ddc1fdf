#ifndef KVSTORE_TESTS_SIMULATION_PLAN_H_
#define KVSTORE_TESTS_SIMULATION_PLAN_H_

#include <cstdint>
#include <vector>

#include "client/get.h"
#include "client/holder.h"
#include "master/limits.h"
#include "simulation/network.h"
#include "simulation/random.h"
#include "simulation/sim_node.h"

namespace kvstore::simulation {

// Guards of the reuse rules; a run switches one off to show that it is missed.
struct AllGuards {
  master::Guards catalog;
  client::HolderGuards holder;
  client::ReadGuards read;
  SharedGuards shared;
  RdmaGuards rdma;
  SessionGuards session;
  DiskGuards disk;
};

// Mean time between two faults of a kind; zero: it does not happen in this run.
struct FaultPlan {
  Duration crash{};
  Duration leave{};
  Duration pause{};
  Duration long_pause{};
  Duration cut_from_master{};
  Duration cut_nodes{};
  Duration break_session{};
  Duration break_data{};
  Duration crash_master{};
  Duration pause_master{};
  Duration supersede_master{};
  Duration operate{};  // no fault: drains, tasks, evictions
  Duration resize{};   // nor this: a node lends more or less
};

// What one run is like. Runs differ widely (each leaves out some of the faults, so that others get
// deeper), which finds more than one mixture of everything.
struct RunPlan {
  std::vector<NodePlan> nodes;
  size_t keys = 4;
  uint64_t granule = kDefaultGranule;
  uint64_t largest_value = kDefaultGranule;  // bytes
  Duration thinking{};                       // at most, between two calls of a thread
  Duration length{};                         // of the time with calls and faults
  bool wishes = false;                       // puts that are durable, pinned, for a time, in groups
  bool remembers_locations = false;
  bool verify_checksums = true;
  double flips = 0.0;
  bool shares_memory = false;  // processes of one host copy in place; else all by TCP
  bool has_rdma = false;       // processes of different hosts copy one-sided
  NetworkOptions network;
  FaultPlan faults;
  SuccessionPlan succession;
  master::Limits limits;
};

RunPlan DrawPlan(Random* random);

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_PLAN_H_
