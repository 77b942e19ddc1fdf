#include "transfer/rdma/rdma_transport.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>
#include <set>
#include <utility>

namespace kvstore::transfer {
namespace {

constexpr uint64_t kSlicesPerLane = 4;
// Less costs more to ask for than to carry.
constexpr uint64_t kLeastSliceBytes = 128 << 10;

// A peer that is met for the first time: copies wait so long before they go by TCP.
constexpr Duration kAcquaintance = std::chrono::milliseconds(250);
// A look at a peer, as a whole, and for one device: longer than devices themselves go on trying.
constexpr Duration kLook = std::chrono::seconds(20);
constexpr Duration kLookSilence = std::chrono::seconds(2);
// While others wait.
constexpr Duration kFairLook = std::chrono::milliseconds(500);

// As long as somebody may look for a way to a peer. `fair`: longer only while no other peer waits
// for that.
class UntilDeadline final : public Patience {
 public:
  UntilDeadline(const Target& target, TimePoint deadline, const Scout& scout,
                Duration fair = Duration::max())
      : target_(target), deadline_(deadline), scout_(scout), fair_(fair) {}

  Status Ended() override {
    if (*target_.closed || scout_.ending()) {
      return UnavailableError("the peer was closed at this end");
    }
    const TimePoint now = BootClock::now();
    if (now - begin_ >= fair_ && scout_.others_wait()) {
      return UnavailableError("the peer doesn't answer, and others wait to be asked");
    }
    if (now < deadline_) return Status::Ok();
    return DeadlineExceededError("no time left to ask the peer");
  }
  void Heard(uint64_t) override {}
  Duration Silence() const override { return kLookSilence; }

 private:
  const Target& target_;
  const TimePoint deadline_;
  const Scout& scout_;
  const Duration fair_;
  const TimePoint begin_ = BootClock::now();
};

Status Told(const Status& status) { return Status(status.code(), "rdma: " + status.message()); }

}  // namespace

// A lane that its device's health knows of.
class RdmaTransport::CountedLane final : public Lane {
 public:
  CountedLane(std::unique_ptr<RdmaLane> lane, std::unique_ptr<PathHealth::Place> place,
              const Incarnation& holder, PathHealth& health)
      : place_(std::move(place)), lane_(std::move(lane)), holder_(holder), health_(health) {
    NoteReached(BootClock::now());
    lane_->rdma_device().NotePaths(1);
  }
  ~CountedLane() override { lane_->rdma_device().NotePaths(-1); }

  RdmaLane& lane() { return *lane_; }
  Way way() const override { return Way::kRdma; }
  uint64_t id() const override { return lane_->id(); }
  bool IsSpent() const override {
    return lane_->IsSpent() || health_.IsCrowded(holder_, place_->device());
  }
  bool WasAnswered() const override { return lane_->WasAnswered(); }
  Status Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) override {
    return Note(lane_->Carry(job, patience, stranded));
  }
  Status ReadOne(const Copy& copy, uint64_t size, TimePoint now, Patience& patience,
                 std::optional<Completion>* done) override {
    Status status = lane_->ReadOne(copy, size, now, patience, done);
    // The jobs between such reads remember it.
    const bool nothing_new = status.ok() && (!*done || health_.troubles() == troubles_);
    return nothing_new ? status : Note(std::move(status));
  }

 private:
  void NoteReached(TimePoint now) {
    troubles_ = health_.troubles();
    health_.NoteReached(holder_, place_->device(), now);
  }

  Status Note(Status status) {
    const TimePoint now = BootClock::now();
    if (lane_->path_failed()) {
      lane_->rdma_device().NoteFailure();
      health_.NoteFailed(holder_, place_->device(), status, now);
    } else if (lane_->silence() > Duration::zero()) {
      health_.NoteSilence(holder_, place_->device(), lane_->silence(), now);
    } else if (status.ok()) {
      NoteReached(now);
    }
    return status;
  }

  const std::unique_ptr<PathHealth::Place> place_;
  const std::unique_ptr<RdmaLane> lane_;
  const Incarnation holder_;
  PathHealth& health_;
  uint64_t troubles_ = 0;  // of its health, when it last noted that it reaches the holder
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
          [&regions](size_t device) { return regions.IsNear(device); }),
      scout_([this](const Target& target) { return LookAt(target); }) {
  for (size_t i = 0; i < regions.devices().size(); ++i) {
    closers_.push_back(std::make_unique<LaneCloser>(staging_));
  }
}

RdmaTransport::~RdmaTransport() {
  scout_.End();
  End();
}

void RdmaTransport::Expect(const Target& target) {
  const PeerDescriptor& holder = *target.descriptor;
  if (!holder.rdma || *target.closed) return;
  if (!health_.IsToBeTried(holder.incarnation, BootClock::now())) return;
  const Status failed = health_.WhyNot(holder.incarnation);
  scout_.Send(target, failed.ok() ? Scout::Haste::kFirstLook : Scout::Haste::kAnotherLook);
}

Status RdmaTransport::Reaches(const Target& target, RegionId region, Access, TimePoint deadline) {
  const PeerDescriptor& holder = *target.descriptor;
  if (!holder.rdma) {
    return FailedPreconditionError(
        "rdma needs a peer that has RDMA devices, and this one has none");
  }
  if (*target.closed) return UnavailableError("rdma: the peer was closed at this end");
  Expect(target);
  if (!health_.IsReached(holder.incarnation)) {
    const Status met = Meet(target, deadline);
    if (!met.ok()) return Told(met);
  }
  if (const std::optional<Status> known = known_.Find(target.peer, region, BootClock::now())) {
    return known->ok() ? Status::Ok() : Told(*known);
  }
  const Status answer = AskForRegion(target, region, deadline);
  const bool said = answer.ok() || answer.code() == StatusCode::kNotFound ||
                    answer.code() == StatusCode::kFailedPrecondition;
  if (said && !*target.closed) known_.Note(target.peer, region, answer, BootClock::now());
  return answer.ok() ? answer : Told(answer);
}

Status RdmaTransport::Meet(const Target& target, TimePoint deadline) {
  const Incarnation& holder = target.descriptor->incarnation;
  // Where TCP may be used, nobody waits for a device to be tried again, and for the first time not
  // for long.
  const Status failed = health_.WhyNot(holder);
  if (options_.tcp_allowed && !failed.ok()) return failed;
  std::optional<Duration> patience;
  if (options_.tcp_allowed) patience = kAcquaintance;
  const Status looked = scout_.Await(target.peer, patience, deadline);
  if (health_.IsReached(holder)) return Status::Ok();
  if (!looked.ok()) return looked;
  const Status why = health_.WhyNot(holder);
  return why.ok() ? UnavailableError("all devices are busy finding out") : why;
}

Status RdmaTransport::AskForRegion(const Target& target, RegionId region, TimePoint deadline) {
  UntilDeadline patience(target, deadline, scout_);
  if (std::unique_ptr<Lane> lane = Borrow(target)) {
    // Lanes of this way are of that kind.
    const Status found =
        static_cast<CountedLane&>(*lane).lane().FindRegion(region, patience).status();
    if (found.ok() || found.code() == StatusCode::kNotFound) Offer(target, std::move(lane));
    return found;
  }
  // Rather than to wait for a device.
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection,
                           Connection::OpenAny(*target.descriptor, options_.timeouts, patience));
  Status first;
  for (size_t device = 0; device < regions_.devices().size(); ++device) {
    const RegionQuestion question{.device = static_cast<uint8_t>(device), .region = region};
    const Status status = connection->Ask(Encode(question), patience).status();
    if (device == 0) first = status;
    // The peer's device of this number may have failed, or there may be none.
    if (status.ok() || first.code() != StatusCode::kUnavailable) return status;
  }
  return first;
}

Status RdmaTransport::LookAt(const Target& target) {
  const PeerDescriptor& holder = *target.descriptor;
  UntilDeadline patience(target, BootClock::now() + kLook, scout_, kFairLook);
  Status error;
  std::set<size_t> tried;
  while (std::unique_ptr<PathHealth::Place> place =
             health_.TakeToTry(holder.incarnation, tried, BootClock::now())) {
    tried.insert(place->device());
    KVSTORE_RETURN_IF_ERROR(patience.Ended());
    Result<std::unique_ptr<CountedLane>> lane = OpenOver(std::move(place), holder, patience);
    if (lane.ok()) {
      Offer(target, *std::move(lane));
    } else {
      error = lane.status();
    }
  }
  return error;
}

void RdmaTransport::Close(PeerId peer) {
  known_.Forget(peer);
  LaneTransport::Close(peer);
}

Result<std::unique_ptr<RdmaLane>> RdmaTransport::OpenLane(size_t device,
                                                          const PeerDescriptor& holder,
                                                          Patience& patience,
                                                          RdmaLane::Attempt* attempt) {
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                           Connection::OpenAny(holder, options_.timeouts, patience));
  const RdmaEnds ends{.regions = regions_,
                      .staging = staging_,
                      .closer = *closers_[device],
                      .guards = options_.lanes.guards,
                      .stall = options_.timeouts.stall,
                      .lanes = options_.lanes.lanes,
                      .others = options_.tcp_allowed || regions_.devices().size() > 1};
  return RdmaLane::Open(ends, device, std::move(connection), patience, attempt);
}

Result<std::unique_ptr<RdmaTransport::CountedLane>> RdmaTransport::OpenOver(
    std::unique_ptr<PathHealth::Place> place, const PeerDescriptor& holder, Patience& patience) {
  const size_t device = place->device();
  const Incarnation& peer = holder.incarnation;
  RdmaLane::Attempt attempt{.nearest = health_.MayCross(peer, device, BootClock::now())};
  Result<std::unique_ptr<RdmaLane>> lane = OpenLane(device, holder, patience, &attempt);
  if (!lane.ok() && attempt.crosses) {
    // Perhaps no way leads from rail to rail.
    health_.NoteCrossing(peer, device, false, BootClock::now());
    if (patience.Ended().ok()) {
      attempt = {.nearest = false};
      lane = OpenLane(device, holder, patience, &attempt);
    }
  }
  if (lane.ok()) {
    return std::make_unique<CountedLane>(*std::move(lane), std::move(place), peer, health_);
  }
  // The next attempt may find another way than this one.
  if (!attempt.nearest) health_.NoteCrossing(peer, device, true, BootClock::now());
  if (patience.Ended().ok()) {
    regions_.devices()[device]->NoteFailure();
    health_.NoteFailed(peer, device, lane.status(), BootClock::now());
  } else if (attempt.silence > Duration::zero()) {
    health_.NoteSilence(peer, device, attempt.silence, BootClock::now());
  }
  return lane.status();
}

Result<std::unique_ptr<RdmaTransport::CountedLane>> RdmaTransport::OpenRdma(
    const PeerDescriptor& holder, Patience& patience) {
  Status error = UnavailableError("all devices have failed to reach this peer a moment ago");
  std::set<size_t> tried;
  while (std::unique_ptr<PathHealth::Place> place = health_.Take(holder.incarnation, tried)) {
    tried.insert(place->device());
    KVSTORE_RETURN_IF_ERROR(patience.Ended());
    Result<std::unique_ptr<CountedLane>> lane = OpenOver(std::move(place), holder, patience);
    if (lane.ok()) return lane;
    error = lane.status();
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
      [this, holder = holder.incarnation] { return health_.IsReached(holder); }));
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
