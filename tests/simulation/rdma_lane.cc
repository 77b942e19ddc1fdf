#include "simulation/rdma_lane.h"

#include <algorithm>
#include <utility>

#include "simulation/sim_engine.h"

namespace kvstore::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr uint64_t kUnit = 1024;                  // bytes that land together
constexpr Duration kAskEvery = milliseconds(50);  // the holder its guard, while writes run
constexpr Duration kRetryEvery = milliseconds(20);
constexpr Duration kGivesUp = milliseconds(400);   // a device that gets no acknowledgement
constexpr Duration kLook = milliseconds(50);       // after the end of a connection over a cut link
constexpr double kStopsWithItsSender = 0.3;        // share of units that are not on the wire yet
constexpr double kObeysLate = 0.5;                 // share of lanes whose holder's device does
constexpr Duration kTellEvery = milliseconds(20);  // such a device

}  // namespace

RdmaLane::RdmaLane(Fabric* fabric, const Connection::End& client, const Connection::End& holder)
    : fabric_(fabric),
      client_(client),
      holder_(holder),
      there_(fabric->network, client.place, holder.place, holder.process),
      back_(fabric->network, holder.place, client.place, client.process) {}

void RdmaLane::Carry(std::shared_ptr<Request> part) {
  const FlightPtr flight = flights_.emplace_back(std::make_shared<Flight>());
  flight->part = std::move(part);
  if (IsWrite(flight) && fabric_->rdma_guards.rdma_writes_are_begun) {
    there_.Send([this, flight] { BeginAtHolder(flight); });
  } else {
    Post(flight);
  }
}

// ---- the client

void RdmaLane::Begun(const FlightPtr& flight, const Status& verdict) {
  if (shut_) return;
  if (!verdict.ok()) return End(flight, verdict);
  // Here a process may stand still, with leave to write.
  if (fabric_->between_steps) fabric_->between_steps(client_.process);
  fabric_->scheduler()->After(fabric_->random().Between(microseconds(2), microseconds(60)),
                              client_.process, [this, flight] { Post(flight); });
}

void RdmaLane::Post(const FlightPtr& flight) {
  if (shut_) return;
  // A copy that is final begins nothing any more.
  if (flight->part->batch->IsFinal(flight->part->copy)) return Completed(flight);
  RdmaLane* over = this;
  if (IsWrite(flight)) {
    flight->may_land = true;
    if (!fabric_->rdma_guards.rdma_readers_cannot_write) over = client_.engine->OtherLane(this);
    if (!fabric_->rdma_guards.rdma_read_behind_writes) {
      AfterTrip(client_.process, [this, flight] { Completed(flight); });
    }
  }
  AfterTrip(nullptr, [this, flight, over] { MoveUnit(flight, over); });
}

void RdmaLane::Completed(const FlightPtr& flight) {
  if (shut_) return;
  const bool begun = fabric_->rdma_guards.rdma_writes_are_begun;
  if (IsWrite(flight)) {
    if (!begun) return End(flight, Status::Ok());
    there_.Send([this, flight] { EndAtHolder(flight); });
  } else if (fabric_->rdma_guards.rdma_word_after_read && !flight->part->frame.proven) {
    AfterTrip(nullptr, [this, flight] { ReadWord(flight); });
  } else {
    End(flight, flight->stood ? Status::Ok() : AbortedError("the memory has a new owner"));
  }
}

void RdmaLane::End(const FlightPtr& flight, const Status& verdict) {
  if (shut_ || std::erase(flights_, flight) == 0) return;
  if (verdict.ok()) fabric_->counts->Add(IsWrite(flight) ? Event::kRdmaWrites : Event::kRdmaReads);
  flight->part->batch->Answered(flight->part->copy, flight->part->frame, verdict);
}

void RdmaLane::Shut() {
  if (std::exchange(shut_, true)) return;
  Break();
  for (const FlightPtr& flight : std::exchange(flights_, {})) {
    client_.engine->Resettle(flight->part, this, flight->may_land);
  }
}

void RdmaLane::Break() {
  if (std::exchange(broken_, true)) return;
  there_.Break();
  back_.Break();
  AfterTrip(client_.process, [this] { Shut(); });
  CloseSoon();
}

// ---- the holder

void RdmaLane::CloseSoon() {
  const bool cut = fabric_->network->IsCut(client_.place, holder_.place);
  fabric_->scheduler()->After(cut ? kLook : fabric_->network->Latency(), holder_.process,
                              [this, cut] { cut ? CloseSoon() : CloseAtHolder(); });
}

void RdmaLane::CloseAtHolder() {
  if (std::exchange(ended_at_holder_, true)) return;
  // Of a copy of the dice, so that runs whose devices obey are what they were.
  Random dice = fabric_->random();
  if (dice.Chance(kObeysLate)) {
    obeys_at_ = fabric_->scheduler()->now() + dice.Between(milliseconds(20), seconds(5));
    fabric_->counts->Add(Event::kRdmaPairsKept);
  }
  DestroyPairs();
  Break();
}

void RdmaLane::DestroyPairs() {
  const bool refused = fabric_->scheduler()->now() < obeys_at_;
  if (!refused || !fabric_->rdma_guards.rdma_fence_is_confirmed) LeaveAll();
  if (refused) {
    return fabric_->scheduler()->After(kTellEvery, holder_.process, [this] { DestroyPairs(); });
  }
  closed_at_holder_ = true;
  for (const auto& closed : std::exchange(when_closed_, {})) closed();
}

void RdmaLane::WhenClosedAtHolder(std::function<void()> closed) {
  if (closed_at_holder_) return closed();
  when_closed_.push_back(std::move(closed));
}

void RdmaLane::BeginAtHolder(const FlightPtr& flight) {
  // What a broken connection brings twice TCP hands on once.
  if (ended_at_holder_ || std::exchange(flight->asked, true)) return;
  const Frame& frame = flight->part->frame;
  const Region* const region = RegionOf(flight);
  Status verdict = MisfitOf(region, frame.offset, frame.bytes.size(), frame.guard);
  if (verdict.ok() && region->guard != nullptr &&
      !region->guard->Enter(frame.access, frame.guard->first, frame.offset, frame.bytes.size(),
                            frame.guard->birth)) {
    fabric_->counts->Add(Event::kRdmaWritesRefused);
    verdict = AbortedError("the memory has a new owner");
  }
  if (verdict.ok()) {
    entered_.push_back(flight);
    if (!std::exchange(watching_, true)) Watch();
  }
  back_.Send([this, flight, verdict] { Begun(flight, verdict); });
}

void RdmaLane::EndAtHolder(const FlightPtr& flight) {
  if (ended_at_holder_ || std::erase(entered_, flight) == 0) return;
  const Region* const region = RegionOf(flight);
  const bool stands =
      region->guard == nullptr ||
      region->guard->Stands(flight->part->frame.guard->first, flight->part->frame.guard->birth);
  Leave(flight);
  const Status verdict = stands ? Status::Ok() : AbortedError("withdrawn during the write");
  back_.Send([this, flight, verdict] { End(flight, verdict); });
}

void RdmaLane::Watch() {
  if (ended_at_holder_) return;
  const bool withdrawn = std::any_of(entered_.begin(), entered_.end(), [&](const FlightPtr& each) {
    const Region* const region = RegionOf(each);
    return region->guard != nullptr &&
           !region->guard->Stands(each->part->frame.guard->first, each->part->frame.guard->birth);
  });
  if (withdrawn) {
    fabric_->counts->Add(Event::kRdmaWritersCut);
    if (fabric_->rdma_guards.rdma_cut_withdrawn_writes) {
      CloseAtHolder();
    } else {
      LeaveAll();
    }
  }
  watching_ = !entered_.empty();
  if (watching_) {
    fabric_->scheduler()->After(kAskEvery, holder_.process, [this] { Watch(); });
  }
}

void RdmaLane::LeaveAll() {
  for (const FlightPtr& flight : std::exchange(entered_, {})) Leave(flight);
}

void RdmaLane::Leave(const FlightPtr& flight) {
  const Region* const region = RegionOf(flight);
  const Frame& frame = flight->part->frame;
  if (region == nullptr || region->guard == nullptr) return;
  region->guard->Leave(frame.access, frame.guard->first, frame.offset, frame.bytes.size(),
                       frame.guard->birth);
}

// ---- the devices

void RdmaLane::MoveUnit(const FlightPtr& flight, RdmaLane* over) {
  Random& random = fabric_->random();
  const auto again = [this, flight, over] { MoveUnit(flight, over); };
  // What has left a device is on its way, whatever becomes of its sender and of the link.
  const bool late = shut_ || client_.process->dead();
  if (late && (!IsWrite(flight) || random.Chance(kStopsWithItsSender))) return;
  if (holder_.process->dead()) return Fail();
  if (!late && (fabric_->network->IsCut(client_.place, holder_.place) ||
                fabric_->network->IsCut(holder_.place, client_.place))) {
    const Instant now = fabric_->scheduler()->now();
    if (flight->retried_since == Instant{}) flight->retried_since = now;
    if (now - flight->retried_since > kGivesUp) return Fail();
    return fabric_->scheduler()->After(kRetryEvery, nullptr, again);
  }
  flight->retried_since = {};
  Frame& frame = flight->part->frame;
  const Region* const region = RegionOf(flight);
  if (over->closed_at_holder_ || region == nullptr) return Fail();
  const Status misfit = MisfitOf(region, frame.offset, frame.bytes.size(), frame.guard);
  if (!misfit.ok()) return End(flight, misfit);
  const uint64_t n =
      std::min<uint64_t>(kUnit * random.Between(1, 4), frame.bytes.size() - flight->moved);
  std::byte* const memory = region->base + frame.offset + flight->moved;
  std::byte* const wire = frame.bytes.data() + flight->moved;
  if (IsWrite(flight)) {
    std::copy_n(wire, n, memory);
    if (late) fabric_->counts->Add(Event::kRdmaLateWritesLanded);
  } else {
    if (flight->moved == 0) flight->stood = WordStands(flight);
    std::copy_n(memory, n, wire);
  }
  flight->moved += n;
  if (flight->moved < frame.bytes.size()) {
    return fabric_->scheduler()->After(client_.engine->StepTime(), nullptr, again);
  }
  // The bytes of a read have come; or the READ behind a write has found them in place.
  if (!IsWrite(flight) || fabric_->rdma_guards.rdma_read_behind_writes) {
    AfterTrip(client_.process, [this, flight] { Completed(flight); });
  }
}

bool RdmaLane::WordStands(const FlightPtr& flight) const {
  const Region* const region = RegionOf(flight);
  const auto& guard = flight->part->frame.guard;
  return !guard.has_value() || (region != nullptr && region->WordStands(*guard));
}

void RdmaLane::ReadWord(const FlightPtr& flight) {
  if (shut_) return;
  if (closed_at_holder_ || holder_.process->dead()) return Fail();
  const bool stands = WordStands(flight);
  if (!stands) fabric_->counts->Add(Event::kRdmaReadsRefusedAfter);
  AfterTrip(client_.process, [this, flight, stands] {
    End(flight, stands ? Status::Ok()
                       : AbortedError("the memory got a new owner before the last byte was read"));
  });
}

void RdmaLane::Fail() {
  fabric_->scheduler()->After(Duration(0), client_.process, [this] { Shut(); });
}

const Region* RdmaLane::RegionOf(const FlightPtr& flight) const {
  return holder_.engine->FindRegion(flight->part->frame.region);
}

void RdmaLane::AfterTrip(Process* process, std::function<void()> action) {
  fabric_->scheduler()->After(fabric_->network->Latency(), process, std::move(action));
}

}  // namespace kvstore::simulation
