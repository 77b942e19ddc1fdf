#include "simulation/shared_link.h"

#include <set>
#include <utility>

#include "simulation/sim_engine.h"

namespace kvstore::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using transfer::RegionId;
using transfer::Stretch;

namespace {
constexpr Duration kLookAgainAfter = milliseconds(20);
}  // namespace

const Region* SharedLink::FindRegion(RegionId region) const { return holder_->FindRegion(region); }

SharedLink::Slot SharedLink::Announce(RegionId region, const Stretch& stretch) {
  slots_[next_slot_] = {region, stretch};
  return next_slot_++;
}

void SharedLink::Clear(Slot slot) {
  if (client_->dead()) return;
  const auto found = slots_.find(slot);
  if (found == slots_.end()) return;
  const RegionId region = found->second.region;
  slots_.erase(found);
  if (broken_ || !holder_->WaitsForOthers(region)) return;
  const Duration under_way = fabric_->random().Between(microseconds(2), milliseconds(1));
  fabric_->scheduler()->After(under_way, holder_process_,
                              [holder = holder_, region] { holder->OthersLeft(region); });
}

void SharedLink::Break() {
  if (std::exchange(broken_, true)) return;
  fabric_->counts->Add(Event::kSharedSocketsBroken);
  if (has_slots()) LookNowAndThen();
}

void SharedLink::LookNowAndThen() {
  fabric_->scheduler()->After(kLookAgainAfter, holder_process_, [self = shared_from_this()] {
    self->holder_->OthersLeft();
    if (self->has_slots()) self->LookNowAndThen();
  });
}

void SharedLink::ClientDied() {
  fabric_->scheduler()->After(UntilSeen(), holder_process_,
                              [self = shared_from_this()] { self->EndSeen(); });
}

void SharedLink::HolderDied() {
  fabric_->scheduler()->After(UntilSeen(), client_, [self = shared_from_this()] { self->Break(); });
}

Duration SharedLink::UntilSeen() {
  return fabric_->random().Between(microseconds(20), milliseconds(50));
}

void SharedLink::EndSeen() {
  broken_ = true;
  if (!has_slots()) return;
  fabric_->counts->Add(Event::kOutsidersDied);
  slots_.clear();
  holder_->OthersLeft();
}

void SharedLink::AppendTouched(RegionId region, std::vector<Stretch>* touched) const {
  if (broken_ && !fabric_->shared_guards.ledger_outlives_socket) return;
  for (const auto& [slot, touching] : slots_) {
    if (touching.region == region) touched->push_back(touching.stretch);
  }
}

}  // namespace kvstore::simulation
