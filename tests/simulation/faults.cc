#include "simulation/faults.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
// Shares of the steps of copies and mappings in place.
constexpr double kPausesPerStep = 0.015;
constexpr double kCrashesPerStep = 0.003;
// Shares of what a master writes down slowly, and of the notes that it orders.
constexpr double kCrashesPerLongWrite = 0.4;
constexpr double kCrashesPerNote = 0.003;
}  // namespace

void Faults::Begin() {
  const FaultPlan& plan = world_.plan.faults;
  Repeat(plan.crash, &Faults::CrashNode);
  Repeat(plan.leave, &Faults::LeaveNode);
  Repeat(plan.pause, &Faults::PauseNode);
  Repeat(plan.long_pause, &Faults::PauseNodeForLong);
  Repeat(plan.cut_from_master, &Faults::CutFromMaster);
  Repeat(plan.cut_nodes, &Faults::CutNodes);
  Repeat(plan.break_session, &Faults::BreakSession);
  Repeat(plan.break_data, &Faults::BreakData);
  Repeat(plan.crash_master, &Faults::CrashMaster);
  Repeat(plan.pause_master, &Faults::PauseMaster);
  Repeat(plan.supersede_master, &Faults::SupersedeMaster);
  Repeat(plan.operate, &Faults::Operate);
  Repeat(plan.resize, &Faults::Resize);
  world_.fabric.between_steps = [this](const Process* process) { StrikeBetweenSteps(process); };
  if (plan.crash_master == Duration::zero()) return;
  world_.masters.OnTaken([this](const MasterListener* node, const Hello& hello) {
    // Of a node that emptied itself: all of its memory can be granted at once.
    const bool emptied = hello.pool.IsNone() && hello.counter > 1;
    if (emptied && !ended_ && random_.Chance(0.2)) LoseWelcome(node->place());
  });
  world_.masters.OnLongWrite([this](Duration writing) {
    if (random_.Chance(kCrashesPerLongWrite)) CrashMasterSoon(writing);
  });
  world_.masters.OnNotes([this](const SimMaster* master) {
    if (master->deposed() || !random_.Chance(kCrashesPerNote)) return;
    CrashMasterSoon(milliseconds(3));
  });
}

void Faults::CrashMasterSoon(Duration within) {
  scheduler()->After(random_.Between(Duration(0), within), world_.masters.last().process(), [this] {
    if (!ended_) CrashMaster();
  });
}

void Faults::Repeat(Duration mean, void (Faults::*fault)()) {
  if (mean == Duration::zero()) return;
  scheduler()->After(random_.Between(mean / 10, 2 * mean), nullptr, [this, mean, fault] {
    if (ended_) return;
    (this->*fault)();
    Repeat(mean, fault);
  });
}

void Faults::EndAll() {
  ended_ = true;
  Say("all faults end");
  world_.network.MendAll();
  world_.network.Calm();
  if (!world_.masters.alive()) world_.masters.Begin();
  for (SimMaster* deposed : world_.masters.Deposed()) EndDeposed(deposed);
  for (const NodePlan& node : world_.plan.nodes) SetDrain(node.name, false);
  Revive();
  // What is pinned, and fits nowhere else, keeps its memory from being given up.
  for (size_t slot = 0; slot < world_.slots.size(); ++slot) {
    Lend(slot, world_.slots[slot]->granules_there());
  }
}

uint64_t Faults::LentAtFirst(size_t slot) const {
  const std::vector<uint64_t>& granules = world_.plan.nodes[slot].granules;
  return std::accumulate(granules.begin(), granules.end(), uint64_t{0});
}

void Faults::Resize() {
  const size_t slot = AnySlot();
  const uint64_t usual = LentAtFirst(slot);
  // A mere client comes to lend a little, now and then.
  if (usual == 0 && random_.Chance(0.7)) return;
  const uint64_t most = usual == 0 ? 6 : usual + usual / 2;
  Lend(slot, random_.Chance(0.1) ? 0 : random_.Between(1, most));
}

void Faults::Lend(size_t slot, uint64_t granules) {
  SimNode* const node = world_.slots[slot];
  if (!node->alive() || node->granules_wished() == granules) return;
  world_.counts.Add(granules > node->granules_wished() ? Event::kGrown : Event::kShrunk);
  node->Lend(granules);
}

// Also those that leave later, as they were told while they were drained.
void Faults::Revive() {
  for (size_t slot = 0; slot < world_.slots.size(); ++slot) {
    if (!world_.slots[slot]->alive()) RestartNode(slot);
  }
  scheduler()->After(milliseconds(500), nullptr, [this] {
    if (!over_) Revive();
  });
}

void Faults::Crash(size_t slot) {
  if (!world_.slots[slot]->alive()) return;
  world_.counts.Add(Event::kCrashes);
  Say("crash of " + world_.plan.nodes[slot].name);
  world_.slots[slot]->Crash();
  scheduler()->After(random_.Between(milliseconds(5), seconds(2)), nullptr,
                     [this, slot] { RestartNode(slot); });
}

void Faults::LeaveNode() {
  const size_t slot = AnySlot();
  if (!world_.slots[slot]->alive()) return;
  world_.slots[slot]->BeginLeave();
  scheduler()->After(random_.Between(milliseconds(500), seconds(2)), nullptr,
                     [this, slot] { RestartNode(slot); });
}

void Faults::RestartNode(size_t slot) {
  if (world_.slots[slot]->is_leaving()) {
    scheduler()->After(milliseconds(100), nullptr, [this, slot] { RestartNode(slot); });
    return;
  }
  if (world_.slots[slot]->alive()) return;
  world_.counts.Add(Event::kRestarts);
  world_.StartNode(slot);
}

void Faults::PauseNode() {
  const size_t slot = AnySlot();
  world_.counts.Add(Event::kPauses);
  Say("pause of " + world_.plan.nodes[slot].name);
  world_.slots[slot]->process()->PauseUntil(scheduler()->now() +
                                            random_.Between(milliseconds(5), milliseconds(400)));
}

void Faults::PauseNodeForLong() {
  const size_t slot = AnySlot();
  world_.counts.Add(Event::kLongPauses);
  Say("long pause of " + world_.plan.nodes[slot].name);
  const master::Limits& limits = world_.plan.limits;
  const Duration until_gone = limits.suspect_after + std::max(limits.gone_after, limits.lease);
  world_.slots[slot]->process()->PauseUntil(
      scheduler()->now() + random_.Between(until_gone * 3 / 4, until_gone * 3 / 2));
}

void Faults::StrikeBetweenSteps(const Process* process) {
  const FaultPlan& plan = world_.plan.faults;
  const bool pauses = plan.pause > Duration::zero() && random_.Chance(kPausesPerStep);
  const bool crashes = plan.crash > Duration::zero() && random_.Chance(kCrashesPerStep);
  if (ended_ || !(pauses || crashes)) return;
  for (size_t slot = 0; slot < world_.slots.size(); ++slot) {
    SimNode* const node = world_.slots[slot];
    if (node->process() != process || !node->alive()) continue;
    if (crashes) return Crash(slot);
    world_.counts.Add(Event::kPausesInPlace);
    Say("pause of " + node->plan().name + " while it touches another's memory");
    const bool short_pause = random_.Chance(0.4);
    node->process()->PauseUntil(scheduler()->now() +
                                (short_pause ? random_.Between(milliseconds(5), milliseconds(400))
                                             : random_.Between(milliseconds(400), seconds(3))));
  }
}

void Faults::CutFromMaster() {
  const size_t slot = AnySlot();
  world_.counts.Add(Event::kPartitionsFromMaster);
  CutForAWhile(kMasterPlace, world_.plan.nodes[slot].place);
  if (random_.Chance(0.4)) world_.slots[slot]->BreakSession();
}

void Faults::CutNodes() {
  const Place a = world_.plan.nodes[AnySlot()].place;
  const Place b = world_.plan.nodes[AnySlot()].place;
  if (a == b) return;
  world_.counts.Add(Event::kPartitionsOfNodes);
  CutForAWhile(a, b);
}

void Faults::CutForAWhile(Place a, Place b) {
  const uint64_t ways = random_.Below(4);  // mostly both, sometimes one
  Say("places " + std::to_string(a) + " and " + std::to_string(b) + " are cut off");
  if (ways != 0) world_.network.Cut(a, b);
  if (ways != 1) world_.network.Cut(b, a);
  const Duration longest = random_.Chance(0.4) ? seconds(3) : milliseconds(600);
  scheduler()->After(random_.Between(milliseconds(10), longest), nullptr, [this, a, b] {
    world_.network.Mend(a, b);
    world_.network.Mend(b, a);
  });
}

void Faults::BreakSession() {
  SimNode* node = world_.slots[AnySlot()];
  if (!node->alive()) return;
  Say("the session stream of " + node->plan().name + " breaks");
  node->BreakSession();
}

void Faults::BreakData() {
  SimNode* node = world_.slots[AnySlot()];
  if (!node->alive()) return;
  Say("data connections of " + node->plan().name + " break");
  node->engine().BreakConnections(0.5);
}

void Faults::CrashMaster() {
  if (!world_.masters.alive()) return;
  world_.counts.Add(Event::kMasterCrashes);
  world_.masters.Crash();
  // What it granted may be written, and what it said be read, when the next one reigns.
  if (random_.Chance(0.3)) CutNodes();
  if (random_.Chance(0.3)) CutForAWhile(kMasterPlace, world_.plan.nodes[AnySlot()].place);
  const Duration longest = random_.Chance(0.5) ? milliseconds(100) : seconds(1);
  scheduler()->After(random_.Between(milliseconds(10), longest), nullptr, [this] {
    if (!world_.masters.alive()) world_.masters.Begin();
  });
}

// Nobody who knows better goes by its word once the next one listens; that is for the lock of the
// state file to see to. Whatever it says to holders is refused by its term alone.
void Faults::SupersedeMaster() {
  if (!world_.masters.alive() || !world_.masters.Deposed().empty()) return;
  SimMaster* const old = &world_.masters.last();
  world_.counts.Add(Event::kMastersDeposed);
  if (random_.Chance(0.7)) {
    old->process()->PauseUntil(scheduler()->now() + random_.Between(milliseconds(50), seconds(2)));
  }
  world_.masters.Supersede();
  Say(old->name() + " is deposed");
  for (size_t slot = 0; slot < world_.slots.size(); ++slot) {
    scheduler()->After(random_.Between(Duration(0), kCertain), nullptr,
                       [this, slot, old] { world_.slots[slot]->LeaveMaster(old); });
  }
  scheduler()->At(world_.masters.last().listens_from(), nullptr, [this, old] {
    for (SimNode* node : world_.slots) node->LeaveMaster(old);
  });
  for (int wishes = 2; wishes > 0; --wishes) {
    scheduler()->After(random_.Between(milliseconds(100), seconds(1)), old->process(), [this, old] {
      if (!ended_) Evict(old);
    });
  }
  scheduler()->After(random_.Between(milliseconds(300), seconds(6)), nullptr,
                     [this, old] { EndDeposed(old); });
}

void Faults::EndDeposed(SimMaster* master) {
  if (!master->alive()) return;
  for (SimNode* node : world_.slots) node->LeaveMaster(master);
  master->Crash();
}

void Faults::Operate() {
  if (!world_.masters.alive()) return;
  const uint64_t kind = random_.Below(10);
  if (kind < 3) return Drain();
  if (kind < 8) return BeginTask();
  return Evict(&world_.masters.last());
}

void Faults::Drain() {
  const size_t slot = AnySlot();
  const std::string name = world_.plan.nodes[slot].name;
  SetDrain(name, true);
  scheduler()->After(random_.Between(milliseconds(100), seconds(2)), nullptr, [this, slot, name] {
    if (!ended_) SetDrain(name, false);
    RestartNode(slot);
  });
}

void Faults::SetDrain(const std::string& name, bool on) {
  if (!world_.masters.alive()) return;
  Say(name + (on ? " is to be drained" : " is not to be drained any more"));
  world_.masters.last().Operate([&](master::Catalog* catalog, TimePoint now) {
    Result<master::Effects> effects = catalog->Drain(now, name, on);
    return effects.ok() ? *std::move(effects) : master::Effects();
  });
}

void Faults::BeginTask() {
  master::TaskRequest request;
  using Kind = master::TaskRequest::Kind;
  request.kind = random_.Chance(0.5) ? Kind::kCopy : Kind::kMove;
  request.key = world_.KeyName(random_.Below(world_.plan.keys));
  request.to = world_.plan.nodes[AnySlot()].name;
  world_.masters.last().Operate([&](master::Catalog* catalog, TimePoint now) {
    master::Effects effects;
    const auto described = catalog->Describe(now, request.key);
    if (described.ok() && !described->replicas.empty()) {
      request.from = described->replicas.front().node;
    }
    if (catalog->StartTask(now, request, &effects).ok()) world_.counts.Add(Event::kTasks);
    return effects;
  });
}

void Faults::Evict(SimMaster* master) {
  master->Operate([&](master::Catalog* catalog, TimePoint now) {
    master::Effects effects;
    master::EvictRequest request;
    request.bytes = world_.plan.granule * random_.Between(1, 8);
    (void)catalog->Evict(now, request, &effects);
    return effects;
  });
}

void Faults::LoseWelcome(Place place) {
  world_.counts.Add(Event::kWelcomesLost);
  Say("the welcome to place " + std::to_string(place) + " is lost");
  world_.network.Cut(kMasterPlace, place);
  // What is granted meanwhile may be written much later.
  CutForAWhile(world_.plan.nodes[AnySlot()].place, place);
  scheduler()->After(random_.Between(milliseconds(20), milliseconds(600)), nullptr, [this, place] {
    if (ended_) return;
    CrashMaster();
    world_.network.Mend(kMasterPlace, place);
  });
}

void Faults::PauseMaster() {
  world_.counts.Add(Event::kMasterPauses);
  Say("pause of the master");
  world_.masters.last().process()->PauseUntil(scheduler()->now() +
                                              random_.Between(milliseconds(5), milliseconds(800)));
}

}  // namespace kvstore::simulation
