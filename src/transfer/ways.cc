#include "transfer/ways.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "transfer/descriptor.h"
#include "transfer/engine_options.h"
#include "transfer/local/local_transport.h"
#include "transfer/served_memory.h"
#include "transfer/shm/shm_transport.h"
#include "transfer/tcp/tcp_transport.h"

namespace kvstore::transfer {
namespace {

// Run carries so much itself: waking a worker costs as much as the round trip.
constexpr uint64_t kSmallBytes = 64 << 10;
constexpr size_t kSmallCopies = 64;

bool IsNetwork(Way way) { return way == Way::kTcp || way == Way::kRdma; }

// The sum of the pieces' sizes; also says what no way needs to look at again.
Result<uint64_t> CheckCopy(const Copy& copy) {
  uint64_t size = 0;
  for (const Piece& piece : copy.pieces) {
    if (piece.data == nullptr && piece.size > 0) {
      return InvalidArgumentError("a piece of " + std::to_string(piece.size) +
                                  " bytes has no memory");
    }
    if (piece.size > std::numeric_limits<uint64_t>::max() - size) {
      return InvalidArgumentError("the pieces' sizes add up to more than 2^64 bytes");
    }
    size += piece.size;
  }
  if (copy.offset > std::numeric_limits<uint64_t>::max() - size) {
    return InvalidArgumentError(std::to_string(size) + " bytes at " + std::to_string(copy.offset) +
                                " end beyond 2^64");
  }
  return size;
}

// One answer for all ways' refusals. What may pass is told from what never will: a peer that has
// ended or is stopped may be replaced by another one that isn't.
Status NoWay(const PeerDescriptor& peer, std::span<const Status> refusals) {
  const auto says = [&](StatusCode code) {
    return std::any_of(refusals.begin(), refusals.end(),
                       [&](const Status& refusal) { return refusal.code() == code; });
  };
  std::string why = "no way leads to peer " + peer.incarnation.ToString();
  for (const Status& refusal : refusals) why += "; " + refusal.message();
  if (says(StatusCode::kNotFound)) return NotFoundError(why);
  if (says(StatusCode::kUnavailable) || says(StatusCode::kDeadlineExceeded)) {
    return UnavailableError(why);
  }
  return FailedPreconditionError(why);
}

}  // namespace

Ways::Ways(const EngineOptions& options, const TransferGuards& guards, ServedMemory& own,
           std::unique_ptr<Transport> rdma)
    : options_(options), peers_(options.peer_idle_timeout), rdma_(rdma.get()) {
  transports_.push_back(
      std::make_unique<LocalTransport>(own.registry(), [&own] { return own.incarnation(); }));
  transports_.push_back(
      std::make_unique<ShmTransport>(ShmClientOptions{.host = own.host(),
                                                      .window_idle = options.shm_window_idle,
                                                      .peer_idle = options.peer_idle_timeout,
                                                      .guards = guards}));
  if (rdma != nullptr) transports_.push_back(std::move(rdma));
  transports_.push_back(std::make_unique<TcpTransport>(
      TcpClientOptions{.lanes = LanesOf(options, guards), .timeouts = TimeoutsOf(options)}));
}

Result<PeerId> Ways::Open(std::string_view descriptor) {
  KVSTORE_ASSIGN_OR_RETURN(PeerDescriptor peer, DecodeDescriptor(descriptor));
  return peers_.Open(std::move(peer), BootClock::now());
}

void Ways::Close(PeerId id) {
  if (!peers_.Close(id)) return;
  for (const auto& transport : transports_) transport->Close(id);
}

Result<Transport*> Ways::FindWay(const Target& target, RegionId region, Access access,
                                 TimePoint deadline, bool in_place) {
  std::array<Status, kWayCount> refusals;  // by transport; OK: it was not asked
  for (size_t i = 0; i < transports_.size(); ++i) {
    Transport& transport = *transports_[i];
    // Mapping this process's own memory moves no bytes.
    const bool own_in_place = in_place && transport.way() == Way::kLocal;
    if ((!own_in_place && !Allows(options_, transport.way())) ||
        (in_place && IsNetwork(transport.way()))) {
      continue;
    }
    refusals[i] = transport.Reaches(target, region, access, deadline);
    if (refusals[i].ok()) return &transport;
  }
  // Put into words only now that all refuse: a small copy takes no longer than that.
  for (size_t i = 0; i < transports_.size(); ++i) {
    if (!refusals[i].ok()) continue;
    const Way way = transports_[i]->way();
    refusals[i] =
        FailedPreconditionError(std::string(WayName(way)) +
                                (Allows(options_, way) ? " reaches no memory in place"
                                                       : " is forbidden by EngineOptions::ways"));
  }
  return NoWay(*target.descriptor, std::span(refusals).first(transports_.size()));
}

Status Ways::SortOne(const std::shared_ptr<BatchState>& batch, size_t index,
                     std::vector<Routed>* parcels) {
  const Copy& copy = batch->copy(index);
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t size, CheckCopy(copy));
  batch->SetSize(index, size);
  auto parcel = std::find_if(parcels->rbegin(), parcels->rend(), [&](const Routed& routed) {
    return routed.parcel.target.peer == copy.peer && routed.region == copy.region &&
           routed.access == copy.access;
  });
  if (parcel == parcels->rend()) {
    KVSTORE_ASSIGN_OR_RETURN(Target target, peers_.Find(copy.peer, batch->submitted()));
    Result<Transport*> way = FindWay(target, copy.region, copy.access, batch->reach_by(), false);
    if (!way.ok()) {
      // A way may have been looked for until there was no time left.
      KVSTORE_RETURN_IF_ERROR(batch->Ended());
      return way.status();
    }
    parcels->push_back({.transport = *way,
                        .region = copy.region,
                        .access = copy.access,
                        .parcel = {.target = std::move(target), .batch = batch, .copies = {}}});
    parcel = parcels->rbegin();
  }
  parcel->parcel.copies.push_back(index);
  return Status::Ok();
}

void Ways::Expect(const BatchState& batch) {
  bool several = false;
  for (size_t i = 1; i < batch.size(); ++i) several |= batch.copy(i).peer != batch.copy(0).peer;
  if (!several) return;
  std::map<PeerId, size_t> first;  // copy to each
  for (size_t i = 0; i < batch.size(); ++i) first.emplace(batch.copy(i).peer, i);
  for (const auto& [peer, index] : first) {
    const Result<Target> target = peers_.Find(peer, batch.submitted());
    if (!target.ok()) continue;
    const Copy& copy = batch.copy(index);
    for (const auto& transport : transports_) {
      if (!Allows(options_, transport->way())) continue;
      if (IsNetwork(transport->way())) {
        transport->Expect(*target);
        break;
      }
      if (transport->Reaches(*target, copy.region, copy.access, batch.reach_by()).ok()) break;
    }
  }
}

std::vector<Ways::Routed> Ways::Sort(const std::shared_ptr<BatchState>& batch) {
  std::vector<Routed> parcels;
  if (rdma_ != nullptr) Expect(*batch);
  for (size_t i = 0; i < batch->size(); ++i) {
    Status status = SortOne(batch, i, &parcels);
    if (!status.ok()) {
      batch->Finish(i, Outcome::kFailed, std::move(status), Way::kAutomatic);
    }
  }
  return parcels;
}

std::shared_ptr<BatchState> Ways::Submit(std::span<const Copy> copies, const CopyLimits& limits) {
  auto batch = std::make_shared<BatchState>(copies, limits, totals_);
  for (Routed& routed : Sort(batch)) routed.transport->Post(std::move(routed.parcel));
  return batch;
}

// Where its lane breaks a batch begins it anew, with all of its patience: a holder that is silent
// is then given up after one and a half times as long.
std::optional<Completion> Ways::ReadOne(const Copy& copy, const CopyLimits& limits) {
  // Where a lane is idle its way has been the one to that region a moment ago: what is nearer was
  // asked then, and is again by the next read that goes as a batch (LanePool::ReadOne).
  if (rdma_ == nullptr || copy.access != Access::kRead || copy.tap != nullptr) {
    return std::nullopt;
  }
  const Result<uint64_t> size = CheckCopy(copy);
  if (!size.ok() || *size > kSmallBytes) return std::nullopt;
  const TimePoint begun = BootClock::now();
  const Result<Target> target = peers_.Find(copy.peer, begun);
  if (!target.ok()) return std::nullopt;
  std::optional<Completion> done = rdma_->ReadOne(*target, copy, *size, limits, begun);
  if (done) {
    totals_->Count(*done, copy.access, *size);
    totals_->CountTime(done->way, BootClock::now() - begun);
  }
  return done;
}

std::vector<Completion> Ways::Run(std::span<const Copy> copies, const CopyLimits& limits) {
  if (copies.size() == 1) {
    if (std::optional<Completion> done = ReadOne(copies.front(), limits)) {
      std::vector<Completion> completions;
      completions.push_back(*std::move(done));
      return completions;
    }
  }
  const auto batch = std::make_shared<BatchState>(copies, limits, totals_);
  std::vector<Routed> parcels = Sort(batch);
  uint64_t total = 0;
  for (const Routed& routed : parcels) {
    for (const size_t index : routed.parcel.copies) total += batch->size_of(index);
  }
  const bool small = parcels.size() == 1 && total <= kSmallBytes && batch->size() <= kSmallCopies;
  // Others' threads start first, so that this one's copies run beside them.
  const auto own = std::partition(parcels.begin(), parcels.end(), [&](const Routed& routed) {
    return !small && IsNetwork(routed.transport->way());
  });
  for (auto it = parcels.begin(); it != own; ++it) it->transport->Post(std::move(it->parcel));
  for (auto it = own; it != parcels.end(); ++it) it->transport->Carry(std::move(it->parcel));
  batch->WaitForAll();
  return batch->TakeCompletions();
}

Result<std::unique_ptr<Mapping>> Ways::Map(const MapRequest& request, TimePoint deadline) {
  if (request.offset > std::numeric_limits<uint64_t>::max() - request.length) {
    return InvalidArgumentError(std::to_string(request.length) + " bytes at " +
                                std::to_string(request.offset) + " end beyond 2^64");
  }
  KVSTORE_ASSIGN_OR_RETURN(const Target target, peers_.Find(request.peer, BootClock::now()));
  Result<Transport*> way = FindWay(target, request.region, request.access, deadline, true);
  if (!way.ok()) {
    // As for copies: there may have been no time left to find one.
    if (BootClock::now() >= deadline) return DeadlineExceededError("not mapped in time");
    return way.status();
  }
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Mapping> mapping,
                           (*way)->Map(target, request, deadline));
  totals_->CountMapping(mapping->way());
  return mapping;
}

}  // namespace kvstore::transfer
