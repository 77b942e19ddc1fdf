#include "simulation/sim_engine.h"

#include <algorithm>
#include <utility>

#include "simulation/sim_mapping.h"

namespace kvstore::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using transfer::Access;
using transfer::Copy;
using transfer::Outcome;

namespace {

constexpr uint64_t kUnit = 1024;           // bytes; slices and frames are whole units
constexpr size_t kConnectionsPerPeer = 2;  // so that a late frame and a new one can meet
constexpr size_t kLanesPerPeer = 3;
constexpr Duration kConnectTimeout = seconds(1);
constexpr Duration kCutTimeout = seconds(1);  // until a holder has said that it has closed a lane
constexpr double kHellosRefused = 0.1;        // share of tries to share memory that end in TCP

uint64_t SizeOf(const Copy& copy) {
  uint64_t size = 0;
  for (const transfer::Piece& piece : copy.pieces) size += piece.size;
  return size;
}

}  // namespace

SimEngine::SimEngine(Fabric* fabric, Place place, std::string host, Process* process,
                     Incarnation incarnation)
    : fabric_(fabric),
      place_(place),
      host_(std::move(host)),
      process_(process),
      incarnation_(incarnation) {
  fabric_->listeners[incarnation_] = {place_, this};
}

Result<transfer::RegionId> SimEngine::Register(void* base, uint64_t size,
                                               const transfer::RegionOptions& options) {
  const transfer::RegionId id = next_region_++;
  if (options.remote) regions_[id] = {static_cast<std::byte*>(base), size, options.guard};
  return id;
}

Status SimEngine::Unregister(transfer::RegionId region) {
  regions_.erase(region);
  return Status::Ok();
}

std::string SimEngine::Descriptor() const {
  std::string text = "simulated " + incarnation_.ToString();
  fabric_->descriptors[text] = incarnation_;
  return text;
}

void SimEngine::Rename(Incarnation incarnation) {
  fabric_->listeners.erase(incarnation_);
  incarnation_ = incarnation;
  fabric_->listeners[incarnation_] = {place_, this};
  for (Connection* connection : incoming_) connection->CloseAtHolder();
  incoming_.clear();
  for (RdmaLane* lane : incoming_lanes_) lane->CloseAtHolder();
  incoming_lanes_.clear();
  // What is mapped stays mapped, and so do the slots.
  for (const auto& link : sharing_) link->Break();
}

Result<transfer::PeerId> SimEngine::Open(std::string_view descriptor) {
  const auto found = fabric_->descriptors.find(std::string(descriptor));
  if (found == fabric_->descriptors.end()) return InvalidArgumentError("not a descriptor");
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i].incarnation == found->second) return i + 1;
  }
  peers_.push_back({found->second, {}, {}, nullptr});
  return peers_.size();
}

void SimEngine::Close(transfer::PeerId peer) {
  if (peer == 0 || peer > peers_.size()) return;
  for (Connection* connection : peers_[peer - 1].connections) connection->Break();
  for (RdmaLane* lane : peers_[peer - 1].lanes) lane->Break();
}

std::unique_ptr<transfer::Batch> SimEngine::Submit(std::span<const Copy> copies,
                                                   const transfer::CopyLimits& limits) {
  auto state = std::make_shared<BatchState>(fabric_, process_, copies);
  for (size_t i = 0; i < copies.size(); ++i) Start(state, i, copies[i]);
  if (limits.stall < limits.deadline - process_->Now()) {
    WatchSilence(state, limits.stall, fabric_->scheduler()->now() + limits.stall);
  }
  fabric_->scheduler()->At(process_->WhenShown(limits.deadline), process_,
                           [weak = std::weak_ptr<BatchState>(state)] {
                             if (const auto alive = weak.lock()) {
                               alive->LoseAll(DeadlineExceededError("the copy's time ran out"));
                             }
                           });
  return std::make_unique<SimBatch>(std::move(state));
}

void SimEngine::WatchSilence(std::weak_ptr<BatchState> batch, Duration stall, Instant look_at) {
  fabric_->scheduler()->At(look_at, process_, [this, batch = std::move(batch), stall] {
    const auto alive = batch.lock();
    const std::optional<Instant> silent_since = alive ? alive->WaitsSince() : std::nullopt;
    if (!silent_since) return;
    if (fabric_->scheduler()->now() < *silent_since + stall) {
      return WatchSilence(alive, stall, *silent_since + stall);
    }
    alive->LoseWaiting(UnavailableError("the peer gave no sign of life"));
  });
}

std::vector<transfer::Completion> SimEngine::Run(std::span<const Copy> copies,
                                                 const transfer::CopyLimits& limits) {
  const auto batch = Submit(copies, limits);
  if (!batch->Wait(limits.deadline)) {
    batch->Cancel();
    batch->Wait(limits.deadline);
  }
  return batch->completions();
}

void SimEngine::Start(const std::shared_ptr<BatchState>& batch, size_t index, const Copy& copy) {
  if (copy.peer == 0 || copy.peer > peers_.size()) {
    batch->Finish(index, Outcome::kFailed, InvalidArgumentError("no such peer is open"));
    return;
  }
  if (process_->dead()) {
    batch->Finish(index, Outcome::kFailed, CancelledError("the process has ended"));
    return;
  }
  const uint64_t size = SizeOf(copy);
  Peer* const peer = &peers_[copy.peer - 1];
  if (peer->incarnation == incarnation_) {
    StartHere(batch, index, copy, size);
  } else if (auto link = LinkTo(peer)) {
    StartInPlace(batch, index, copy, size, std::move(link));
  } else if (fabric_->has_rdma) {
    StartOneSided(batch, index, copy, size);
  } else {
    StartThere(batch, index, copy, size);
  }
}

void SimEngine::StartHere(const std::shared_ptr<BatchState>& batch, size_t index, const Copy& copy,
                          uint64_t size) {
  auto request = std::make_shared<Request>();
  *request = {batch, index, {copy.access, copy.region, copy.offset, {}, copy.guard}, nullptr};
  if (copy.access == Access::kWrite) {
    request->frame.bytes = batch->Gather(index, 0, size);
  } else {
    request->frame.bytes.resize(size);
  }
  batch->Sent(index);
  batch->RunsHere(index, transfer::Way::kLocal, [weak = std::weak_ptr<Request>(request)] {
    const auto alive = weak.lock();
    if (alive != nullptr && alive->serving != nullptr) alive->serving->Abandon();
  });
  Serve(request, false, [request = request.get()](const Status& verdict) {
    request->batch->Answered(request->copy, request->frame, verdict);
  });
}

void SimEngine::StartThere(const std::shared_ptr<BatchState>& batch, size_t index, const Copy& copy,
                           uint64_t size) {
  Peer* peer = &peers_[copy.peer - 1];
  Connection* connection = Connect(peer);
  if (connection == nullptr) {
    const auto found = fabric_->listeners.find(peer->incarnation);
    const bool silent = found != fabric_->listeners.end();  // cut off, rather than not there
    fabric_->scheduler()->After(
        silent ? kConnectTimeout : fabric_->network->Latency(), process_, [batch, index] {
          batch->Finish(index, Outcome::kFailed, UnavailableError("the peer can't be reached"));
        });
    return;
  }
  uint64_t sent = 0;
  do {
    // A write goes in frames that are checked and answered one by one; a read is one request.
    const uint64_t n =
        copy.access == Access::kRead
            ? size
            : std::min<uint64_t>(size - sent, kUnit * fabric_->random().Between(2, 8));
    auto request = std::make_shared<Request>();
    *request = {batch, index, {copy.access, copy.region, copy.offset + sent, {}, copy.guard}, {}};
    if (copy.access == Access::kWrite) {
      request->frame.bytes = batch->Gather(index, sent, n);
    } else {
      request->frame.bytes.resize(n);
    }
    batch->Sent(index);
    connection->Send(std::move(request));
    sent += n;
  } while (sent < size);
}

// ---- over RDMA

void SimEngine::StartOneSided(const std::shared_ptr<BatchState>& batch, size_t index,
                              const Copy& copy, uint64_t size) {
  Peer* const peer = &peers_[copy.peer - 1];
  if (LaneTo(peer) == nullptr) return StartThere(batch, index, copy, size);
  batch->Goes(index, transfer::Way::kRdma);
  uint64_t sent = 0;
  do {
    const uint64_t n = std::min<uint64_t>(size - sent, kUnit * fabric_->random().Between(1, 12));
    auto part = std::make_shared<Request>();
    *part = {batch,
             index,
             {copy.access, copy.region, copy.offset + sent, {}, copy.guard, sent, copy.proven},
             {}};
    if (copy.access == Access::kWrite) {
      part->frame.bytes = batch->Gather(index, sent, n);
    } else {
      part->frame.bytes.resize(n);
    }
    batch->Sent(index);
    LaneTo(peer)->Carry(std::move(part));
    sent += n;
  } while (sent < size);
}

RdmaLane* SimEngine::LaneTo(Peer* peer) {
  std::erase_if(peer->lanes, [](const RdmaLane* lane) { return lane->broken(); });
  const size_t chosen = fabric_->random().Below(kLanesPerPeer);
  if (chosen < peer->lanes.size()) return peer->lanes[chosen];
  if (IsOutOfReach(*peer)) return peer->lanes.empty() ? nullptr : peer->lanes.front();
  const Fabric::Listener& listener = fabric_->listeners.at(peer->incarnation);
  SimEngine* const holder = listener.engine;
  outgoing_lanes_.push_back(
      std::make_unique<RdmaLane>(fabric_, Connection::End{this, process_, place_},
                                 Connection::End{holder, holder->process_, listener.place}));
  holder->incoming_lanes_.push_back(outgoing_lanes_.back().get());
  peer->lanes.push_back(outgoing_lanes_.back().get());
  return peer->lanes.back();
}

bool SimEngine::IsOutOfReach(const Peer& peer) const {
  const auto found = fabric_->listeners.find(peer.incarnation);
  return found == fabric_->listeners.end() ||
         fabric_->network->IsCut(place_, found->second.place) ||
         fabric_->network->IsCut(found->second.place, place_);
}

RdmaLane* SimEngine::OtherLane(RdmaLane* lane) {
  for (const auto& other : outgoing_lanes_) {
    const bool same_peer = other->holder().engine == lane->holder().engine;
    if (same_peer && other.get() != lane && !other->broken()) return other.get();
  }
  return lane;
}

void SimEngine::Resettle(std::shared_ptr<Request> part, RdmaLane* lane, bool may_land) {
  if (part->batch->IsFinal(part->copy)) return;
  if (!may_land) return SendOtherwise(std::move(part), *lane);
  CutLane(std::move(part), lane, fabric_->scheduler()->now() + kCutTimeout);
}

void SimEngine::CutLane(std::shared_ptr<Request> part, RdmaLane* lane, Instant give_up_at) {
  if (part->batch->IsFinal(part->copy)) return;
  if (fabric_->scheduler()->now() > give_up_at) {
    return part->batch->Lost(part->copy, UnavailableError("no word that the lane is closed"));
  }
  const Place there = lane->holder().place;
  if (fabric_->network->IsCut(place_, there) || fabric_->network->IsCut(there, place_)) {
    return fabric_->scheduler()->After(
        milliseconds(50), process_,
        [=, this, part = std::move(part)] { CutLane(part, lane, give_up_at); });
  }
  const auto heard = std::make_shared<bool>(false);
  fabric_->scheduler()->After(fabric_->network->Latency(), lane->holder().process, [=, this] {
    lane->CloseAtHolder();
    lane->WhenClosedAtHolder([=, this] {
      fabric_->scheduler()->After(fabric_->network->Latency(), process_, [=, this] {
        if (std::exchange(*heard, true)) return;
        SendOtherwise(part, *lane);
      });
    });
  });
  fabric_->scheduler()->At(give_up_at, process_, [part, heard] {
    if (std::exchange(*heard, true)) return;
    part->batch->Lost(part->copy, UnavailableError("no word that the lane is closed"));
  });
}

void SimEngine::SendOtherwise(std::shared_ptr<Request> part, const RdmaLane& lane) {
  if (part->batch->IsFinal(part->copy)) return;
  for (Peer& peer : peers_) {
    const auto found = fabric_->listeners.find(peer.incarnation);
    const bool there = found != fabric_->listeners.end() &&
                       found->second.engine == lane.holder().engine && !IsOutOfReach(peer);
    if (!there) continue;
    fabric_->counts->Add(Event::kRdmaPartsMoved);
    auto again = std::make_shared<Request>();
    *again = {
        part->batch, part->copy, part->frame, {}};  // the holder may still look at the first one
    if (fabric_->random().Chance(0.5)) {
      if (RdmaLane* const other = LaneTo(&peer)) return other->Carry(std::move(again));
    }
    if (Connection* const connection = Connect(&peer)) return connection->Send(std::move(again));
  }
  part->batch->Lost(part->copy, UnavailableError("the peer can't be reached any more"));
}

void SimEngine::StartInPlace(const std::shared_ptr<BatchState>& batch, size_t index,
                             const Copy& copy, uint64_t size, std::shared_ptr<SharedLink> link) {
  auto in_place = std::make_shared<InPlaceCopy>(fabric_, std::move(link), batch, index, copy, size);
  batch->RunsHere(index, transfer::Way::kShm, [weak = std::weak_ptr<InPlaceCopy>(in_place)] {
    if (const auto alive = weak.lock()) alive->Abandon();
  });
  fabric_->scheduler()->After(StepTime(), process_, [this, in_place] { AdvanceInPlace(in_place); });
}

void SimEngine::AdvanceInPlace(std::shared_ptr<InPlaceCopy> copy) {
  if (copy->Step(kUnit * fabric_->random().Between(1, 4))) return;
  if (fabric_->between_steps) fabric_->between_steps(process_);
  fabric_->scheduler()->After(StepTime(), process_,
                              [this, copy = std::move(copy)] { AdvanceInPlace(copy); });
}

// The hello over the unix socket touches no memory, so that it is no more than its outcome here: it
// needs a holder that is there and running.
std::shared_ptr<SharedLink> SimEngine::LinkTo(Peer* peer) {
  if (!fabric_->shares_memory) return nullptr;
  if (peer->link != nullptr && !peer->link->broken()) return peer->link;
  peer->link = nullptr;
  const auto found = fabric_->listeners.find(peer->incarnation);
  if (found == fabric_->listeners.end()) return nullptr;
  SimEngine* const holder = found->second.engine;
  const bool answers = holder->process_->paused_until() <= fabric_->scheduler()->now();
  if (holder->host_ != host_ || !answers || fabric_->random().Chance(kHellosRefused)) {
    return nullptr;
  }
  peer->link = std::make_shared<SharedLink>(fabric_, holder, holder->process_, process_);
  holder->sharing_.push_back(peer->link);
  links_of_others_.push_back(peer->link);
  return peer->link;
}

Connection* SimEngine::Connect(Peer* peer) {
  auto& open = peer->connections;
  open.erase(std::remove_if(open.begin(), open.end(), [](Connection* c) { return c->broken(); }),
             open.end());
  const size_t chosen = fabric_->random().Below(kConnectionsPerPeer);
  if (chosen < open.size()) return open[chosen];
  const auto found = fabric_->listeners.find(peer->incarnation);
  if (found == fabric_->listeners.end()) return nullptr;
  const Fabric::Listener& listener = found->second;
  if (fabric_->network->IsCut(place_, listener.place) ||
      fabric_->network->IsCut(listener.place, place_)) {
    return nullptr;
  }
  SimEngine* holder = listener.engine;
  outgoing_.push_back(
      std::make_unique<Connection>(fabric_, Connection::End{this, process_, place_},
                                   Connection::End{holder, holder->process_, listener.place}));
  holder->incoming_.push_back(outgoing_.back().get());
  open.push_back(outgoing_.back().get());
  return open.back();
}

void SimEngine::Serve(std::shared_ptr<Request> request, bool late, Serving::Answer answer) {
  const auto region = regions_.find(request->frame.region);
  request->serving = std::make_unique<Serving>(region == regions_.end() ? nullptr : &region->second,
                                               &request->frame, late, std::move(answer));
  fabric_->scheduler()->After(StepTime(), process_,
                              [this, request = std::move(request)] { Advance(request); });
}

void SimEngine::Advance(std::shared_ptr<Request> request) {
  if (request->serving->Step(kUnit * fabric_->random().Between(1, 4))) {
    CountServed(*request);
    return;
  }
  fabric_->scheduler()->After(StepTime(), process_,
                              [this, request = std::move(request)] { Advance(request); });
}

void SimEngine::CountServed(const Request& request) {
  const Serving& serving = *request.serving;
  EventCounts* counts = fabric_->counts;
  const bool write = serving.frame().access == Access::kWrite;
  if (serving.refused_before()) {
    counts->Add(write ? Event::kWritesRefused : Event::kReadsRefusedBefore);
    if (write && serving.late()) counts->Add(Event::kLateWritesRefused);
  } else if (serving.refused_after()) {
    counts->Add(Event::kReadsRefusedAfter);
  } else if (write && serving.late() && serving.entered()) {
    counts->Add(Event::kLateWritesLanded);
  }
}

// ---- memory in place

void SimEngine::Share(transfer::RegionId region, std::span<transfer::Word> words,
                      uint64_t granule) {
  Region& shared = regions_.at(region);
  shared.words = words;
  shared.granule = granule;
}

const Region* SimEngine::FindRegion(transfer::RegionId region) const {
  const auto found = regions_.find(region);
  return found == regions_.end() ? nullptr : &found->second;
}

std::vector<transfer::Stretch> SimEngine::TouchedByOthers(transfer::RegionId region) {
  std::vector<transfer::Stretch> touched;
  for (const auto& link : sharing_) link->AppendTouched(region, &touched);
  const auto found = regions_.find(region);
  if (found != regions_.end()) found->second.waits_for_others = !touched.empty();
  return touched;
}

bool SimEngine::WaitsForOthers(transfer::RegionId region) const {
  const Region* const found = FindRegion(region);
  return found != nullptr && found->waits_for_others;
}

void SimEngine::OthersLeft(transfer::RegionId region) {
  const auto found = regions_.find(region);
  if (found != regions_.end() && found->second.guard != nullptr) found->second.guard->OthersLeft();
}

void SimEngine::OthersLeft() {
  std::erase_if(sharing_, [](const std::shared_ptr<SharedLink>& link) {
    return link->broken() && link.use_count() == 1 && !link->has_slots();
  });
  for (const auto& [region, memory] : regions_) OthersLeft(region);
}

Result<std::unique_ptr<transfer::Mapping>> SimEngine::Map(const transfer::MapRequest& request,
                                                          TimePoint deadline) {
  if (request.peer == 0 || request.peer > peers_.size()) {
    return InvalidArgumentError("no such peer is open");
  }
  Peer* const peer = &peers_[request.peer - 1];
  auto mapped = [&]() -> Result<std::unique_ptr<transfer::Mapping>> {
    if (peer->incarnation == incarnation_) return MapHere(request);
    if (auto link = LinkTo(peer)) return MapThere(request, std::move(link), deadline);
    return FailedPreconditionError("that memory can't be reached in place");
  }();
  if (process_->dead()) return CancelledError("the process has ended");
  if (process_->Now() >= deadline) return DeadlineExceededError("not mapped in time");
  return mapped;
}

Result<std::unique_ptr<transfer::Mapping>> SimEngine::MapHere(const transfer::MapRequest& request) {
  const Region* const region = FindRegion(request.region);
  const Status misfit = MisfitOf(region, request.offset, request.length, request.guard);
  if (!misfit.ok()) return misfit;
  if (region->guard != nullptr &&
      !region->guard->Enter(request.access, request.guard->first, request.offset, request.length,
                            request.guard->birth)) {
    return AbortedError("the memory has a new owner");
  }
  return std::unique_ptr<transfer::Mapping>(
      std::make_unique<LocalMapping>(process_, region, request));
}

Result<std::unique_ptr<transfer::Mapping>> SimEngine::MapThere(const transfer::MapRequest& request,
                                                               std::shared_ptr<SharedLink> link,
                                                               TimePoint deadline) {
  const Region* const region = link->FindRegion(request.region);
  const Status misfit = MisfitOf(region, request.offset, request.length, request.guard);
  if (!misfit.ok()) return misfit;
  const auto stands = [&] {
    return !request.guard.has_value() || region->WordStands(*request.guard);
  };
  const bool in_order = fabric_->shared_guards.announce_before_word;
  bool stood = in_order || stands();
  if (!in_order) Pause(deadline);
  const SharedLink::Slot slot = link->Announce(request.region, {request.offset, request.length});
  std::unique_ptr<transfer::Mapping> mapping =
      std::make_unique<SharedMapping>(link, slot, region, request);
  Pause(deadline);
  if (in_order) stood = stands();
  if (link->broken()) return UnavailableError("the holder looks at this ledger no more");
  if (!stood) return AbortedError("the memory has a new owner");
  return mapping;
}

void SimEngine::Pause(TimePoint deadline) {
  if (fabric_->between_steps) fabric_->between_steps(process_);
  const Instant next = fabric_->scheduler()->now() + StepTime();
  fabric_->scheduler()->WaitUntil(std::min(next, process_->WhenShown(deadline)));
}

Duration SimEngine::StepTime() {
  Random& random = fabric_->random();
  if (random.Chance(0.01)) return random.Between(milliseconds(1), milliseconds(60));
  if (random.Chance(0.002)) return random.Between(milliseconds(60), milliseconds(1200));
  return random.Between(microseconds(2), microseconds(60));
}

void SimEngine::BreakConnections(double share) {
  BreakTcpConnections(share);
  for (const auto& link : sharing_) {
    if (fabric_->random().Chance(share)) link->Break();
  }
  for (const Peer& peer : peers_) {
    if (peer.link != nullptr && fabric_->random().Chance(share)) peer.link->Break();
  }
}

void SimEngine::BreakTcpConnections(double share) {
  for (const auto& connection : outgoing_) {
    if (fabric_->random().Chance(share)) connection->Break();
  }
  for (Connection* connection : incoming_) {
    if (fabric_->random().Chance(share)) connection->Break();
  }
  for (const auto& lane : outgoing_lanes_) {
    if (!lane->broken() && fabric_->random().Chance(share)) lane->Break();
  }
  for (RdmaLane* lane : incoming_lanes_) {
    if (!lane->broken() && fabric_->random().Chance(share)) lane->Break();
  }
}

void SimEngine::Vanish() {
  fabric_->listeners.erase(incarnation_);
  for (const auto& link : sharing_) link->HolderDied();
  for (const auto& made : links_of_others_) {
    if (const auto link = made.lock()) link->ClientDied();
  }
  BreakTcpConnections(1.0);
}

}  // namespace kvstore::simulation
