#include "simulation/world.h"

#include "simulation/workload.h"

namespace kvstore::simulation {

namespace {

AllGuards ReadAsPlanned(AllGuards guards, const RunPlan& plan) {
  // Whether checksums are verified is the user's choice; both kinds of users are simulated.
  if (!plan.verify_checksums) guards.read.verify_checksum = false;
  return guards;
}

// A holder counts a TTL from when the note of it came, and the next master believes the holder.
constexpr Duration kLatestNote = std::chrono::seconds(1);

}  // namespace

World::World(uint64_t seed, const AllGuards& all_guards, bool trace)
    : scheduler(seed),
      plan(DrawPlan(&scheduler.random())),
      guards(ReadAsPlanned(all_guards, plan)),
      transcript(scheduler, trace),
      network(&scheduler, plan.nodes.size() + 1, plan.network),
      fabric{&network,           &transcript,   &counts,       plan.flips,
             plan.shares_memory, guards.shared, plan.has_rdma, guards.rdma},
      checker([this](const std::string& key) { return masters.ForgottenOf(key); },
              [this] { return scheduler.now(); }, plan.limits.lease + kLatestNote),
      masters({&network, &transcript, &counts, &checker, guards.catalog}, guards.disk,
              plan.succession, plan.limits),
      slots(plan.nodes.size(), nullptr) {
  if (plan.flips > 0) checker.AllowDataLoss();
  for (size_t slot = 0; slot < slots.size(); ++slot) StartNode(slot);
}

void World::StartNode(size_t slot) {
  const NodePlan& node_plan = plan.nodes[slot];
  nodes.push_back(std::make_unique<SimNode>(node_plan, &fabric, &masters, guards.holder,
                                            guards.session, plan.remembers_locations));
  SimNode* node = nodes.back().get();
  slots[slot] = node;
  for (size_t i = 0; i < node_plan.threads; ++i) {
    scheduler.Spawn(node->process(), [this, node, i] { RunWorkload(this, node, i); });
  }
}

}  // namespace kvstore::simulation
