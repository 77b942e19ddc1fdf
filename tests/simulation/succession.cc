#include "simulation/succession.h"

#include <algorithm>
#include <utility>

namespace kvstore::simulation {

using std::chrono::milliseconds;

Succession::Succession(const MasterWorld& world, const DiskGuards& disk_guards,
                       const SuccessionPlan& plan, const master::Limits& limits)
    : world_(world), disk_(world.scheduler(), disk_guards), plan_(plan), limits_(limits) {
  world_.disk = &disk_;
  world_.disk_guards = disk_guards;
  world_.leases = &leases_;
  Begin();
}

void Succession::Begin() {
  Random& random = world_.scheduler()->random();
  Process* const process =
      world_.scheduler()->NewProcess("master" + std::to_string(masters_.size() + 1));
  master::Limits limits = limits_;
  limits.quiet_start = kCertain;
  if (plan_.leases_change && random.Chance(0.5)) limits.lease /= 4;
  const bool new_pool = !plan_.keeps_pool || masters_.empty();
  if (new_pool) ++pools_;
  const master::Reign reign = disk_.Begin(process, limits.lease, new_pool);
  const bool may_contradict = !masters_.empty() && reign.members.empty();
  const Duration quiet = may_contradict ? kCertain : Duration::zero();
  masters_.push_back(std::make_unique<SimMaster>(&world_, limits, reign, process, quiet));
  world_.counts->Add(Event::kReigns);
}

void Succession::Crash() {
  NoteLoss();
  last().Crash();
}

void Succession::Supersede() {
  NoteLoss();
  last().Depose();
  Begin();
}

std::vector<SimMaster*> Succession::Deposed() const {
  std::vector<SimMaster*> deposed;
  for (const auto& master : masters_) {
    if (master->alive() && master->deposed()) deposed.push_back(master.get());
  }
  return deposed;
}

void Succession::NoteLoss() {
  ++losses_;
  const master::Catalog& catalog = last().catalog();
  for (const master::ObjectLine& line : catalog.ListObjects(Now(), "", "", SIZE_MAX)) {
    const Result<master::ObjectDetail> detail = catalog.Describe(Now(), line.key);
    if (detail.ok() && detail->durable) ++outlived_[line.key];
  }
}

Forgotten Succession::ForgottenOf(const std::string& key) const {
  Forgotten forgotten;
  const auto outlived = outlived_.find(key);
  forgotten.unconfirmed = losses_ - (outlived == outlived_.end() ? 0 : outlived->second);
  forgotten.lost = pools_;
  forgotten.masters = losses_;
  for (const auto& master : masters_) {
    master->AddForgotten(key, &forgotten);
    // What it commits now, nobody who follows the next one has heard of.
    if (master->deposed()) forgotten.unconfirmed += master->catalog().counters().puts_committed;
  }
  return forgotten;
}

uint64_t Succession::looks_unreadable() const {
  uint64_t looks = 0;
  for (const auto& master : masters_) looks += master->catalog().counters().looks_unreadable;
  return looks;
}

void Succession::CountInto(EventCounts* counts) const {
  for (const auto& master : masters_) master->CountInto(counts);
}

}  // namespace kvstore::simulation
