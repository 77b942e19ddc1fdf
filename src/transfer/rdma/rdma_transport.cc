#include "transfer/rdma/rdma_transport.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <set>
#include <utility>

namespace kvstore::transfer {
namespace {

constexpr uint64_t kSlicesPerLane = 4;
// Less costs more to ask for than to carry.
constexpr uint64_t kLeastSliceBytes = 128 << 10;

// As long as a caller of Reaches may wait.
class UntilDeadline final : public Patience {
 public:
  UntilDeadline(const Target& target, TimePoint deadline) : target_(target), deadline_(deadline) {}

  Status Ended() override {
    if (*target_.closed) return UnavailableError("the peer was closed at this end");
    if (BootClock::now() < deadline_) return Status::Ok();
    return DeadlineExceededError("no time left to ask the peer");
  }
  void Heard(uint64_t) override {}

 private:
  const Target& target_;
  const TimePoint deadline_;
};

Status Told(const Status& status) { return Status(status.code(), "rdma: " + status.message()); }

}  // namespace

// A lane that its device's health knows of.
class RdmaTransport::CountedLane final : public Lane {
 public:
  CountedLane(std::unique_ptr<RdmaLane> lane, std::unique_ptr<PathHealth::Place> place,
              const Incarnation& holder, PathHealth& health)
      : place_(std::move(place)), lane_(std::move(lane)), holder_(holder), health_(health) {
    health_.NoteReached(holder_, place_->device());
    lane_->rdma_device().NotePaths(1);
  }
  ~CountedLane() override { lane_->rdma_device().NotePaths(-1); }

  RdmaLane& lane() { return *lane_; }
  Way way() const override { return Way::kRdma; }
  uint64_t id() const override { return lane_->id(); }
  bool IsSpent() const override {
    return lane_->IsSpent() || health_.IsCrowded(holder_, place_->device(), BootClock::now());
  }
  bool WasAnswered() const override { return lane_->WasAnswered(); }
  Status Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) override {
    Status status = lane_->Carry(job, patience, stranded);
    if (lane_->path_failed()) {
      lane_->rdma_device().NoteFailure();
      health_.NoteFailed(holder_, place_->device(), BootClock::now());
    }
    return status;
  }

 private:
  const std::unique_ptr<PathHealth::Place> place_;
  const std::unique_ptr<RdmaLane> lane_;
  const Incarnation holder_;
  PathHealth& health_;
};

// A lane of TCP, until a device may be tried again.
class RdmaTransport::StopgapLane final : public Lane {
 public:
  StopgapLane(std::unique_ptr<Connection> connection, std::function<bool()> is_over)
      : connection_(std::move(connection)), is_over_(std::move(is_over)) {}

  Way way() const override { return Way::kTcp; }
  uint64_t id() const override { return connection_->id(); }
  bool IsSpent() const override { return connection_->IsSpent() || is_over_(); }
  bool WasAnswered() const override { return connection_->WasAnswered(); }
  Status Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) override {
    return connection_->Carry(job, patience, stranded);
  }

 private:
  const std::unique_ptr<Connection> connection_;
  const std::function<bool()> is_over_;
};

RdmaTransport::RdmaTransport(RdmaRegions& regions, const RdmaClientOptions& options)
    : LaneTransport(options.lanes),
      options_(options),
      regions_(regions),
      staging_(regions.devices()),
      health_(
          regions.devices().size(),
          [&regions](size_t device) { return regions.devices()[device]->is_up(); },
          [&regions](size_t device) { return regions.IsNear(device); }) {
  for (size_t i = 0; i < regions.devices().size(); ++i) {
    closers_.push_back(std::make_unique<LaneCloser>(staging_));
  }
}

RdmaTransport::~RdmaTransport() { End(); }

Status RdmaTransport::Reaches(const Target& target, RegionId region, Access, TimePoint deadline) {
  const PeerDescriptor& holder = *target.descriptor;
  if (!holder.rdma) {
    return FailedPreconditionError(
        "rdma needs a peer that has RDMA devices, and this one has none");
  }
  {
    MutexLock lock(mu_);
    if (*target.closed) return UnavailableError("rdma: the peer was closed at this end");
    if (reached_.contains({target.peer, region})) {
      if (health_.MayReach(holder.incarnation, BootClock::now())) return Status::Ok();
      return UnavailableError("rdma: all devices have failed to reach this peer a moment ago");
    }
  }
  UntilDeadline patience(target, deadline);
  std::unique_ptr<Lane> lane = Borrow(target);
  if (lane == nullptr) {
    Result<std::unique_ptr<CountedLane>> opened = OpenRdma(holder, patience);
    if (!opened.ok()) return Told(opened.status());
    lane = *std::move(opened);
  }
  // Lanes of this way are of that kind.
  const Status found =
      static_cast<CountedLane&>(*lane).lane().FindRegion(region, patience).status();
  if (!found.ok() && found.code() != StatusCode::kNotFound) return Told(found);
  Offer(target, std::move(lane));
  if (!found.ok()) return Told(found);
  MutexLock lock(mu_);
  if (*target.closed) return UnavailableError("rdma: the peer was closed at this end");
  reached_.insert({target.peer, region});
  return Status::Ok();
}

void RdmaTransport::Close(PeerId peer) {
  {
    MutexLock lock(mu_);
    reached_.erase(reached_.lower_bound({peer, 0}), reached_.lower_bound({peer + 1, 0}));
  }
  LaneTransport::Close(peer);
}

Result<std::unique_ptr<RdmaTransport::CountedLane>> RdmaTransport::OpenRdma(
    const PeerDescriptor& holder, Patience& patience) {
  Status error = UnavailableError("all devices have failed to reach this peer a moment ago");
  std::set<size_t> tried;
  while (std::unique_ptr<PathHealth::Place> place =
             health_.Take(holder.incarnation, tried, BootClock::now())) {
    const size_t device = place->device();
    tried.insert(device);
    KVSTORE_RETURN_IF_ERROR(patience.Ended());
    KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                             Connection::OpenAny(holder, options_.timeouts, patience));
    const RdmaEnds ends{.regions = regions_,
                        .staging = staging_,
                        .closer = *closers_[device],
                        .guards = options_.lanes.guards,
                        .stall = options_.timeouts.stall,
                        .lanes = options_.lanes.lanes};
    Result<std::unique_ptr<RdmaLane>> lane =
        RdmaLane::Open(ends, device, std::move(connection), patience);
    if (lane.ok()) {
      return std::make_unique<CountedLane>(*std::move(lane), std::move(place), holder.incarnation,
                                           health_);
    }
    error = lane.status();
    if (!patience.Ended().ok()) continue;
    regions_.devices()[device]->NoteFailure();
    health_.NoteFailed(holder.incarnation, device, BootClock::now());
  }
  return error;
}

Result<std::unique_ptr<Lane>> RdmaTransport::Open(const PeerDescriptor& holder,
                                                  Patience& patience) {
  Result<std::unique_ptr<CountedLane>> opened = OpenRdma(holder, patience);
  if (opened.ok()) return std::unique_ptr<Lane>(*std::move(opened));
  if (!options_.tcp_allowed) return opened.status();
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                           Connection::OpenAny(holder, options_.timeouts, patience));
  return std::unique_ptr<Lane>(std::make_unique<StopgapLane>(
      std::move(connection),
      [this, holder = holder.incarnation] { return health_.MayReach(holder, BootClock::now()); }));
}

uint64_t RdmaTransport::SliceBytes(const Parcel& parcel) const {
  // Each lane gets several, so that those that are faster carry more. So little goes over one.
  const uint64_t share = parcel.bytes() / (kSlicesPerLane * options_.lanes.lanes);
  if (share < kLeastSliceBytes) return kSliceBytes;
  return std::min(std::bit_floor(share), kSliceBytes);
}

Status RdmaTransport::Cut(const PeerDescriptor& holder, uint64_t lane_id, Patience& patience) {
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection,
                           Connection::OpenAny(holder, options_.timeouts, patience));
  return connection->CutPath(lane_id, patience);
}

}  // namespace kvstore::transfer
