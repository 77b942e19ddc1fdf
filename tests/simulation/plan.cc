#include "simulation/plan.h"

#include <string>

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Times of the product, shrunk so that everything runs out within a few seconds.
master::Limits DrawLimits(Random* random, uint64_t granule) {
  master::Limits limits;
  limits.lease = random->Between(milliseconds(100), milliseconds(random->Chance(0.3) ? 3000 : 800));
  limits.longest_grant = random->Between(milliseconds(400), milliseconds(3000));
  limits.heartbeat_interval = milliseconds(100);
  limits.suspect_after = milliseconds(400);
  limits.gone_after = random->Between(milliseconds(100), milliseconds(1200));
  limits.abort_writer_after = random->Between(milliseconds(100), milliseconds(600));
  limits.order_resend_after = milliseconds(200);
  limits.free_share_wanted = random->Chance(0.5) ? 0.0 : 0.2;
  limits.ahead_share_allowed = random->Chance(0.3) ? 0.0 : random->Chance(0.5) ? 0.25 : 0.6;
  limits.ahead_for = random->Between(milliseconds(200), milliseconds(2000));
  limits.ahead_bytes = granule * random->Between(2, 16);
  limits.ahead_per_writer = random->Between(1, 3);
  limits.leased_share_allowed = random->Chance(0.5) ? 0.8 : 0.4;
  limits.sick_for = random->Between(milliseconds(100), milliseconds(800));
  limits.prepare_step = granule * random->Between(4, 16);
  return limits;
}

std::vector<NodePlan> DrawNodes(Random* random, uint64_t granule) {
  const size_t holders = random->Between(2, 4);
  const size_t others = random->Between(0, 2);
  const bool roomy = random->Chance(0.15);
  const uint64_t hosts = random->Between(1, 3);
  std::vector<NodePlan> nodes;
  for (size_t i = 0; i < holders + others; ++i) {
    NodePlan node;
    node.name = "n" + std::to_string(i + 1);
    node.host = "host" + std::to_string(random->Below(hosts));
    node.place = i + 1;
    node.granule = granule;
    const size_t segments = i >= holders ? 0 : random->Chance(0.25) ? 2 : 1;
    for (size_t s = 0; s < segments; ++s) {
      node.granules.push_back(roomy ? random->Between(80, 200) : random->Between(3, 14));
    }
    node.stays = random->Chance(0.5);
    nodes.push_back(node);
  }
  for (size_t threads = random->Between(2, 4); threads > 0; --threads) {
    ++nodes[random->Below(nodes.size())].threads;
  }
  return nodes;
}

FaultPlan DrawFaults(Random* random) {
  FaultPlan faults;
  const auto maybe = [&](double chance, Duration* mean, Duration usual) {
    if (random->Chance(chance)) *mean = random->Between(usual / 2, usual * 2);
  };
  maybe(0.5, &faults.crash, seconds(2));
  maybe(0.2, &faults.leave, seconds(3));
  maybe(0.5, &faults.pause, milliseconds(700));
  maybe(0.4, &faults.long_pause, seconds(3));
  maybe(0.5, &faults.cut_from_master, seconds(2));
  maybe(0.5, &faults.cut_nodes, seconds(1));
  maybe(0.5, &faults.break_session, milliseconds(800));
  maybe(0.6, &faults.break_data, milliseconds(150));
  maybe(0.4, &faults.crash_master, seconds(3));
  maybe(0.3, &faults.pause_master, seconds(1));
  maybe(0.5, &faults.operate, milliseconds(400));
  maybe(0.5, &faults.resize, milliseconds(500));
  return faults;
}

}  // namespace

RunPlan DrawPlan(Random* random) {
  RunPlan plan;
  plan.nodes = DrawNodes(random, plan.granule);
  plan.keys = random->Between(2, 12);
  plan.largest_value = plan.granule * random->Between(1, 5);
  plan.thinking = random->Between(milliseconds(2), milliseconds(30));
  plan.length = random->Between(seconds(3), seconds(12));
  plan.limits = DrawLimits(random, plan.granule);
  const bool calm = random->Chance(0.1);
  if (!calm) {
    plan.faults = DrawFaults(random);
    if (random->Chance(0.6)) plan.network.loss = 0.02;
    if (random->Chance(0.6)) plan.network.duplication = 0.1;
    plan.network.slow = random->Chance(0.5) ? 0.02 : 0.15;
  }
  plan.succession.keeps_pool = random->Chance(0.75);
  plan.succession.leases_change = random->Chance(0.3);
  if (plan.succession.leases_change && random->Chance(0.5)) {
    plan.limits.lease = random->Between(milliseconds(1500), milliseconds(3000));
  }
  // Two masters at once are of one pool: its terms tell them apart.
  if (plan.succession.keeps_pool && plan.faults.crash_master > Duration::zero() &&
      random->Chance(0.4)) {
    plan.faults.supersede_master = random->Between(seconds(1), seconds(4));
  }
  plan.wishes = random->Chance(0.7);
  plan.remembers_locations = random->Chance(0.9);
  plan.verify_checksums = random->Chance(0.5);
  if (plan.verify_checksums && random->Chance(0.3)) plan.flips = 0.01;
  plan.shares_memory = random->Chance(0.7);
  // Of a copy of the dice, so that runs without it are what they were.
  plan.has_rdma = Random(*random).Chance(0.4);
  return plan;
}

}  // namespace kvstore::simulation
