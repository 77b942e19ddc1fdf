#include "transfer/rdma/rdma_lane.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "transfer/rdma/rails.h"

namespace kvstore::transfer {
namespace {

// One Carry: after this, another job may have its turn.
constexpr uint64_t kFairBytes = 8 * Window::kBytes;
// Of a job, for a lane at once: as much as pays another worker.
constexpr uint64_t kLeastShare = 2 << 20;
// How long completions are polled for before the thread sleeps: longer than a small round trip.
constexpr Duration kSpin = std::chrono::microseconds(50);
// However little time there is, a path that brings nothing for less is not called broken.
constexpr Duration kLeastSilence = std::chrono::milliseconds(100);

Status Nonsense(const char* what) {
  return UnavailableError(std::string("the peer sent nonsense (") + what +
                          "); its RDMA lane was closed");
}

bool IsRefusal(const Status& status) {
  return status.code() == StatusCode::kNotFound ||
         status.code() == StatusCode::kFailedPrecondition ||
         status.code() == StatusCode::kInvalidArgument;
}

}  // namespace

RdmaLane::RdmaLane(const RdmaEnds& ends, size_t device, std::unique_ptr<Connection> connection)
    : ends_(ends),
      device_(device),
      rdma_device_(ends.regions.devices()[device]),
      connection_(std::move(connection)),
      window_(ends.regions, ends.staging, device, rdma_device_->max_requests(),
              rdma_device_->max_pieces()),
      asked_at_(BootClock::now()) {}

RdmaLane::~RdmaLane() { (void)Shut(nullptr); }

Result<std::unique_ptr<RdmaLane>> RdmaLane::Open(const RdmaEnds& ends, size_t device,
                                                 std::unique_ptr<Connection> connection,
                                                 Patience& patience, Attempt* attempt) {
  std::unique_ptr<RdmaLane> lane(new RdmaLane(ends, device, std::move(connection)));
  KVSTORE_ASSIGN_OR_RETURN(const std::string answer, lane->Ask(DevicesQuestion{}, patience));
  const std::optional<std::vector<HolderDevice>> devices = DecodeDevices(answer);
  if (!devices) return Nonsense("no list of devices");
  const size_t same = OfSameNumber(device, *devices);
  lane->holder_device_ = attempt->nearest
                             ? NearestToMemory(device, ends.regions.RankOf(device),
                                               lane->rdma_device_->port().ethernet, *devices)
                             : same;
  attempt->crosses = lane->holder_device_ != same;
  KVSTORE_ASSIGN_OR_RETURN(
      lane->completions_,
      CompletionQueue::Create(lane->rdma_device_,
                              static_cast<int>(lane->rdma_device_->max_requests()) + 1));
  const Status connected = lane->Connect(Access::kRead, patience);
  if (connected.ok()) return lane;
  attempt->silence = lane->silence_;
  return Status(connected.code(), "from " + lane->rdma_device_->name() + " to the peer's " +
                                      (*devices)[lane->holder_device_].name + ": " +
                                      connected.message());
}

Result<std::string> RdmaLane::Ask(const Question& question, Patience& patience) {
  asked_at_ = BootClock::now();
  return connection_->Ask(Encode(question), patience);
}

Status RdmaLane::Connect(Access access, Patience& patience) {
  std::unique_ptr<QueuePair>& pair = access == Access::kRead ? reader_ : writer_;
  KVSTORE_ASSIGN_OR_RETURN(
      pair, QueuePair::Create(rdma_device_, *completions_,
                              {.max_requests = static_cast<uint32_t>(rdma_device_->max_requests()),
                               .max_pieces = static_cast<uint32_t>(rdma_device_->max_pieces())}));
  KVSTORE_ASSIGN_OR_RETURN(const std::string bytes,
                           Ask(OpenQuestion{.access = access,
                                            .device = static_cast<uint8_t>(holder_device_),
                                            .client = pair->end()},
                               patience));
  const std::optional<OpenAnswer> answer = DecodeOpenAnswer(bytes);
  if (!answer) return Nonsense("no queue pair");
  KVSTORE_RETURN_IF_ERROR(pair->Connect(answer->holder));
  return access == Access::kRead ? Probe(*answer, patience) : Status::Ok();
}

// The first bytes over a new path show whether there is one: addresses and MTUs are checked by
// nobody before.
Status RdmaLane::Probe(const OpenAnswer& answer, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(window_.TakeStaging());
  std::byte* const bytes = window_.staging().data();
  std::memset(bytes, 0, kProbeBytes);
  const RemoteMemory probe{.size = kProbeBytes,
                           .origin = answer.probe_origin,
                           .part_bytes = kProbeBytes,
                           .keys = {answer.probe_key}};
  window_.chain().Add(Access::kRead, window_.staging().memory(device_), 0, probe, 0, kProbeBytes);
  const Status read = Exchange(*reader_, patience, kProbeBytes);
  if (!read.ok()) {
    return Status(read.code(), read.message() +
                                   "; do both devices have addresses of one network, and does it "
                                   "carry packets of their MTU?");
  }
  const bool right =
      std::all_of(bytes, bytes + kProbeBytes, [](std::byte byte) { return byte == kProbeByte; });
  window_.Clear();
  window_.GiveBackStaging();
  return right ? Status::Ok() : Nonsense("what was read is not what it said");
}

Result<const RegionAnswer*> RdmaLane::FindRegion(RegionId region, Patience& patience) {
  if (const auto known = regions_.find(region); known != regions_.end()) return &known->second;
  KVSTORE_ASSIGN_OR_RETURN(
      const std::string bytes,
      Ask(RegionQuestion{.device = static_cast<uint8_t>(holder_device_), .region = region},
          patience));
  std::optional<RegionAnswer> answer = DecodeRegionAnswer(bytes);
  if (!answer) return Nonsense("no region");
  return &regions_.emplace(region, *std::move(answer)).first->second;
}

void RdmaLane::BeginCarry() {
  carries_ = true;
  answered_ = false;
  path_failed_ = false;
  silence_ = Duration::zero();
}

Status RdmaLane::Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) {
  BeginCarry();
  uint64_t carried = 0;
  Status status;
  if (BootClock::now() - asked_at_ > kAskEvery) status = Ask(DevicesQuestion{}, patience).status();
  for (bool more = true; more && status.ok() && carried < kFairBytes;) {
    window_.Clear();
    may_land_ = false;
    more = TakeSlices(job, patience, &status);
    if (window_.flights().empty() || !status.ok()) break;
    const bool writes = window_.flights().front().copy->access == Access::kWrite;
    status = writes ? WriteWindow(job, patience) : ReadWindow(job, patience);
    carried += std::max<uint64_t>(window_.bytes(), kSliceBytes);
  }
  if (!status.ok()) {
    const bool shut = Shut(window_.ReadsStraight() ? &patience : nullptr);
    for (const Flight& flight : window_.flights()) {
      if (flight.over) continue;
      const bool reads = flight.copy->access == Access::kRead;
      stranded->push_back({.slice = flight.slice,
                           .may_land = may_land_,
                           .may_come = reads && !flight.staged && !shut});
    }
  }
  window_.Clear();
  window_.GiveBackStaging();
  return status;
}

bool RdmaLane::TakeSlices(Job& job, Patience& patience, Status* broken) {
  // Not all at once, so that other lanes have their share.
  const uint64_t share = std::max(job.total_bytes() / ends_.lanes, kLeastShare);
  while (broken->ok() && window_.bytes() < share) {
    const std::optional<Slice> slice = job.Next();
    if (!slice) return false;
    Flight flight;
    flight.slice = *slice;
    flight.copy = &job.copy(*slice);
    const std::vector<Flight>& taken = window_.flights();
    const bool other_access = !taken.empty() && flight.copy->access != taken.front().copy->access;
    const Status prepared = other_access ? Status::Ok() : Prepare(&flight, patience, broken);
    if (!prepared.ok()) {
      if (broken->ok()) {
        job.Finish(flight.slice, Outcome::kFailed, prepared);
      } else {
        job.Retry(*slice);
      }
      continue;
    }
    if (other_access || !window_.Take(flight)) {
      job.Retry(*slice);  // it begins the next window
      return true;
    }
  }
  return true;
}

Status RdmaLane::Prepare(Flight* flight, Patience& patience, Status* broken) {
  const Copy& copy = *flight->copy;
  const Result<const RegionAnswer*> region = FindRegion(copy.region, patience);
  if (!region.ok()) {
    if (!IsRefusal(region.status())) *broken = region.status();
    return region.status();
  }
  flight->region = *region;
  const RegionAnswer& answer = **region;
  const uint64_t offset = copy.offset + flight->slice.offset;
  if (offset > answer.memory.size || flight->slice.length > answer.memory.size - offset) {
    return InvalidArgumentError(std::to_string(flight->slice.length) + " bytes at " +
                                std::to_string(offset) + " aren't within region " +
                                std::to_string(copy.region) + " of " +
                                std::to_string(answer.memory.size) + " bytes");
  }
  if (answer.guarded && !copy.guard && ends_.guards.copies_name_their_guard) {
    return InvalidArgumentError("region " + std::to_string(copy.region) +
                                " is guarded; the copy must name the guard that it relies on");
  }
  flight->guarded = copy.guard.has_value() && answer.granule > 0;
  if (!flight->guarded) return Status::Ok();
  flight->word = copy.guard->first / answer.granule * sizeof(uint64_t);
  if (flight->word < answer.words.size) return Status::Ok();
  return InvalidArgumentError("the guard at " + std::to_string(copy.guard->first) +
                              " isn't within region " + std::to_string(copy.region));
}

void RdmaLane::Finish(SliceSink& sink, Flight* flight, Outcome outcome, Status status) {
  flight->over = true;
  if (outcome == Outcome::kDone) {
    rdma_device_->NoteMoved(flight->copy->access, flight->slice.length);
  }
  sink.Finish(flight->slice, outcome, std::move(status));
}

Status RdmaLane::WriteWindow(Job& job, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(window_.TakeStaging());
  if (writer_ == nullptr) KVSTORE_RETURN_IF_ERROR(Connect(Access::kWrite, patience));
  if (ends_.guards.rdma_writes_are_begun) KVSTORE_RETURN_IF_ERROR(BeginWrites(job, patience));
  std::vector<Flight>& flights = window_.flights();
  const Flight* last = nullptr;
  for (const Flight& flight : flights) {
    if (flight.over || flight.slice.length == 0) continue;
    window_.MoveStaged(flight);
    window_.ChainData(flight);
    last = &flight;
  }
  // A WRITE is completed when the other device has it, a READ behind it when it is in place.
  if (last != nullptr && ends_.guards.rdma_read_behind_writes) window_.ChainReadBehind(*last);
  may_land_ = !window_.chain().empty();
  KVSTORE_RETURN_IF_ERROR(Exchange(*writer_, patience, window_.bytes()));
  may_land_ = false;
  for (const Flight& flight : flights) {
    if (!flight.over) job.NotePassed(flight.slice, flight.slice.length);
  }
  if (ends_.guards.rdma_writes_are_begun) return EndWrites(job, patience);
  for (Flight& flight : flights) Finish(job, &flight, Outcome::kDone, Status::Ok());
  return Status::Ok();
}

Status RdmaLane::BeginWrites(Job& job, Patience& patience) {
  std::vector<Flight>& flights = window_.flights();
  BeginQuestion question;
  for (const Flight& flight : flights) {
    question.writes.push_back({.region = flight.copy->region,
                               .offset = flight.copy->offset + flight.slice.offset,
                               .length = flight.slice.length,
                               .guard = flight.copy->guard});
  }
  KVSTORE_ASSIGN_OR_RETURN(const std::string bytes, Ask(question, patience));
  const std::optional<std::vector<Status>> verdicts = DecodeVerdicts(bytes);
  if (!verdicts || verdicts->size() != flights.size()) return Nonsense("no verdicts on writes");
  for (size_t i = 0; i < flights.size(); ++i) {
    if (!(*verdicts)[i].ok()) Finish(job, &flights[i], Outcome::kFailed, (*verdicts)[i]);
  }
  return Status::Ok();
}

Status RdmaLane::EndWrites(Job& job, Patience& patience) {
  std::vector<Flight>& flights = window_.flights();
  const bool any = std::any_of(flights.begin(), flights.end(),
                               [](const Flight& flight) { return !flight.over; });
  if (!any) return Status::Ok();
  KVSTORE_ASSIGN_OR_RETURN(const std::string bytes, Ask(EndQuestion{}, patience));
  const std::optional<std::vector<Status>> verdicts = DecodeVerdicts(bytes);
  size_t next = 0;
  for (Flight& flight : flights) {
    if (flight.over) continue;
    if (!verdicts || next == verdicts->size()) return Nonsense("no verdicts on writes");
    const Status& verdict = (*verdicts)[next++];
    Finish(job, &flight, verdict.ok() ? Outcome::kDone : Outcome::kFailed, verdict);
  }
  return Status::Ok();
}

Status RdmaLane::Exchange(QueuePair& pair, Patience& patience, uint64_t bytes) {
  Chain& chain = window_.chain();
  if (chain.empty()) return patience.Ended();
  const uint64_t number = next_number_++;
  KVSTORE_RETURN_IF_ERROR(Exchange(pair, chain.Link(number), number, patience, bytes));
  chain.Clear();
  return Status::Ok();
}

Status RdmaLane::Exchange(QueuePair& pair, ibv_send_wr* requests, uint64_t number,
                          Patience& patience, uint64_t bytes) {
  KVSTORE_RETURN_IF_ERROR(patience.Ended());
  KVSTORE_RETURN_IF_ERROR(pair.Post(requests));
  KVSTORE_RETURN_IF_ERROR(AwaitCompletion(number, patience));
  answered_ = true;
  patience.Heard(bytes);
  return Status::Ok();
}

Status RdmaLane::Broken(ibv_wc_status status) {
  // What the holder has ended itself says nothing against the path: it has closed the lane, to cut
  // off a write, or unregistered the memory, about which it is asked again.
  const bool unregistered = status == IBV_WC_REM_ACCESS_ERR;
  path_failed_ = !unregistered && !connection_->IsSpent();
  return UnavailableError(rdma_device_->name() + ": " +
                          rdma_device_->verbs().wc_status_str(status) +
                          (unregistered ? ": the peer's memory is registered no more" : ""));
}

Duration RdmaLane::SilenceLimit(const Patience& patience) const {
  if (carries_ && !ends_.others) return ends_.stall;
  return std::min(ends_.stall, std::max(patience.Silence(), kLeastSilence));
}

Status RdmaLane::AwaitCompletion(uint64_t number, Patience& patience) {
  // A small read is often done by the first poll, before there is anything to measure.
  std::optional<TimePoint> since;
  Duration limit{};
  for (;;) {
    std::array<ibv_wc, 4> completions;
    KVSTORE_ASSIGN_OR_RETURN(const size_t count, completions_->Poll(completions));
    for (size_t i = 0; i < count; ++i) {
      const ibv_wc& completion = completions[i];
      if (completion.status != IBV_WC_SUCCESS) {
        return Broken(completion.status);
      }
      if (completion.wr_id == number) return Status::Ok();
    }
    if (count > 0) patience.Heard(0);  // a part: it is slow, not silent
    if (count > 0 || !since) {
      since = BootClock::now();
      limit = SilenceLimit(patience);
    }
    const Duration waited = BootClock::now() - *since;
    if (waited < kSpin) continue;
    if (const Status ended = patience.Ended(); !ended.ok()) {
      silence_ = waited;
      return ended;
    }
    if (connection_->IsSpent()) return UnavailableError("the peer has closed the RDMA lane");
    if (!rdma_device_->is_up()) {
      path_failed_ = true;
      return UnavailableError(rdma_device_->state().trouble.message());
    }
    if (waited > limit) {
      path_failed_ = true;
      return UnavailableError(rdma_device_->name() + " completes nothing; is the peer up?");
    }
    completions_->Sleep(connection_->fd(), kWaitStep);
  }
}

bool RdmaLane::Shut(Patience* reader) {
  if (completions_ == nullptr) return true;
  LaneRemains remains{.completions = std::move(completions_),
                      .pairs = {},
                      .staging = window_.ReleaseStaging(),
                      .held = window_.ReleaseHeld()};
  for (std::unique_ptr<QueuePair>* const pair : {&writer_, &reader_}) {
    if (*pair != nullptr) remains.pairs.push_back(std::move(*pair));
  }
  // Writes can't land once the holder has closed its end, which is asked for it. What was being
  // read to a buffer of ours goes nowhere else.
  if (reader != nullptr) {
    return ends_.closer.TakeAndWait(std::move(remains), BootClock::now() + ends_.stall, *reader);
  }
  ends_.closer.Take(std::move(remains));
  return true;
}

}  // namespace kvstore::transfer
