#include "transfer/rdma/rdma_lane.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "transfer/scatter.h"

namespace kvstore::transfer {
namespace {

// One window: what is asked for, posted and waited for together.
constexpr size_t kMaxRequests = 1024;
constexpr size_t kMaxPieces = 16;  // of one request
// What one slice may need: parts of both ends, and its word.
constexpr size_t kRequestsPerSlice = 64;
constexpr size_t kSlicesPerWindow = std::min(kMaxWrites, StagingBuffer::kWords);
constexpr uint64_t kWindowBytes = StagingBuffer::kDataBytes;
// One Carry: after this, another job may have its turn.
constexpr uint64_t kFairBytes = 8 * kWindowBytes;
// How long completions are polled for before the thread sleeps: longer than a small round trip.
constexpr Duration kSpin = std::chrono::microseconds(50);
// A holder closes connections over which nothing was asked for twice the idle timeout; one-sided
// requests are none of these.
constexpr Duration kAskEvery = std::chrono::seconds(10);

Status Nonsense(const char* what) {
  return UnavailableError(std::string("the peer sent nonsense (") + what +
                          "); its RDMA lane was closed");
}

bool IsRefusal(const Status& status) {
  return status.code() == StatusCode::kNotFound ||
         status.code() == StatusCode::kFailedPrecondition ||
         status.code() == StatusCode::kInvalidArgument;
}

// Between the slice's pieces and its place in a staging buffer.
void MoveStaged(Access access, const Slice& slice, std::byte* staged) {
  ScatterCursor cursor = slice.cursor;
  for (uint64_t left = slice.length; left > 0;) {
    std::array<iovec, 64> parts;
    const size_t count = cursor.Gather(left, parts);
    uint64_t moved = 0;
    for (size_t i = 0; i < count; ++i) {
      std::byte* const there = staged + moved;
      if (access == Access::kRead) {
        std::memcpy(parts[i].iov_base, there, parts[i].iov_len);
      } else {
        std::memcpy(there, parts[i].iov_base, parts[i].iov_len);
      }
      moved += parts[i].iov_len;
    }
    cursor.Advance(moved);
    staged += moved;
    left -= moved;
  }
}

Status Withdrawn(const Copy& copy) {
  return AbortedError("the memory at " + std::to_string(copy.offset) + " of region " +
                      std::to_string(copy.region) + " is no longer that of birth " +
                      std::to_string(copy.guard->birth));
}

}  // namespace

RdmaLane::RdmaLane(const RdmaEnds& ends, size_t device, std::unique_ptr<Connection> connection)
    : ends_(ends),
      device_(device),
      rdma_device_(ends.regions.devices()[device]),
      connection_(std::move(connection)),
      chain_(kMaxRequests,
             std::min<size_t>(kMaxPieces, std::clamp(std::min(rdma_device_->limits().max_sge,
                                                              rdma_device_->limits().max_sge_rd),
                                                     1, static_cast<int>(kMaxPieces)))),
      asked_at_(BootClock::now()) {}

RdmaLane::~RdmaLane() { Shut(); }

Result<std::unique_ptr<RdmaLane>> RdmaLane::Open(const RdmaEnds& ends, size_t device,
                                                 std::unique_ptr<Connection> connection,
                                                 Patience& patience) {
  std::unique_ptr<RdmaLane> lane(new RdmaLane(ends, device, std::move(connection)));
  KVSTORE_ASSIGN_OR_RETURN(const std::string answer, lane->Ask(DevicesQuestion{}, patience));
  const std::optional<std::vector<HolderDevice>> devices = DecodeDevices(answer);
  if (!devices) return Nonsense("no list of devices");
  // Devices of the same number are taken to be on the same rail.
  lane->holder_device_ = device % devices->size();
  KVSTORE_ASSIGN_OR_RETURN(
      lane->completions_,
      CompletionQueue::Create(lane->rdma_device_, static_cast<int>(2 * kMaxRequests)));
  const Status connected = lane->Connect(Access::kRead, patience);
  if (connected.ok()) return lane;
  return Status(connected.code(), "from " + lane->rdma_device_->name() + " to the peer's " +
                                      (*devices)[lane->holder_device_].name + ": " +
                                      connected.message());
}

Result<std::string> RdmaLane::Ask(const Question& question, Patience& patience) {
  asked_at_ = BootClock::now();
  return connection_->Ask(Encode(question), patience);
}

Status RdmaLane::Connect(Access access, Patience& patience) {
  KVSTORE_ASSIGN_OR_RETURN(
      std::unique_ptr<QueuePair> pair,
      QueuePair::Create(rdma_device_, *completions_,
                        {.max_requests = static_cast<uint32_t>(kMaxRequests),
                         .max_pieces = static_cast<uint32_t>(chain_.max_pieces())}));
  KVSTORE_ASSIGN_OR_RETURN(const std::string bytes,
                           Ask(OpenQuestion{.access = access,
                                            .device = static_cast<uint8_t>(holder_device_),
                                            .client = pair->end()},
                               patience));
  const std::optional<OpenAnswer> answer = DecodeOpenAnswer(bytes);
  if (!answer) return Nonsense("no queue pair");
  KVSTORE_RETURN_IF_ERROR(pair->Connect(answer->holder));
  (access == Access::kRead ? reader_ : writer_) = std::move(pair);
  return access == Access::kRead ? Probe(*answer, patience) : Status::Ok();
}

// The first bytes over a new path show whether there is one: addresses and MTUs are checked by
// nobody before.
Status RdmaLane::Probe(const OpenAnswer& answer, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(TakeStaging());
  std::memset(staging_->data(), 0, kProbeBytes);
  const RemoteMemory probe{.size = kProbeBytes,
                           .origin = answer.probe_origin,
                           .part_bytes = kProbeBytes,
                           .keys = {answer.probe_key}};
  chain_.Clear();
  chain_.Add(Access::kRead, staging_->memory(device_), 0, probe, 0, kProbeBytes);
  const Status read = Exchange(*reader_, patience, kProbeBytes);
  if (!read.ok()) {
    return Status(read.code(), read.message() +
                                   "; do both devices have addresses of one network, and does it "
                                   "carry packets of their MTU?");
  }
  const bool right = std::all_of(staging_->data(), staging_->data() + kProbeBytes,
                                 [](std::byte byte) { return byte == kProbeByte; });
  ends_.staging.GiveBack(std::move(staging_));
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

Status RdmaLane::Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) {
  answered_ = false;
  path_failed_ = false;
  uint64_t carried = 0;
  Status status;
  if (BootClock::now() - asked_at_ > kAskEvery) status = Ask(DevicesQuestion{}, patience).status();
  while (status.ok() && carried < kFairBytes) {
    may_land_ = false;
    TakeSlices(job, patience, &status);
    if (flights_.empty()) break;
    const bool writes = flights_.front().copy->access == Access::kWrite;
    if (status.ok()) status = writes ? WriteWindow(job, patience) : ReadWindow(job, patience);
    if (!status.ok()) break;
    carried += std::max<uint64_t>(window_bytes_, kSliceBytes);
    flights_.clear();
    held_.clear();
  }
  if (!status.ok()) {
    Shut();
    for (const Flight& flight : flights_) {
      if (flight.over) continue;
      stranded->push_back({.slice = flight.slice, .may_land = may_land_});
    }
  }
  flights_.clear();
  held_.clear();
  if (staging_ != nullptr) ends_.staging.GiveBack(std::move(staging_));
  return status;
}

void RdmaLane::TakeSlices(Job& job, Patience& patience, Status* broken) {
  staged_bytes_ = 0;
  window_bytes_ = 0;
  size_t requests = 1;  // the READ behind writes
  while (broken->ok() && flights_.size() < kSlicesPerWindow &&
         window_bytes_ + kSliceBytes <= kWindowBytes &&
         requests + kRequestsPerSlice <= kMaxRequests) {
    const std::optional<Slice> slice = job.Next();
    if (!slice) return;
    Flight flight;
    flight.slice = *slice;
    flight.copy = &job.copy(*slice);
    if (!flights_.empty() && flight.copy->access != flights_.front().copy->access) {
      job.Retry(*slice);  // it begins the next window
      return;
    }
    const Status prepared = Prepare(&flight, patience, broken);
    if (!prepared.ok() && broken->ok()) {
      job.Finish(flight.slice, Outcome::kFailed, prepared);
      continue;
    }
    requests +=
        slice->length <= StagingBuffer::kDataBytes / kSlicesPerWindow ? 3 : kRequestsPerSlice / 4;
    window_bytes_ += slice->length;
    flights_.push_back(std::move(flight));
  }
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

void RdmaLane::Finish(Job& job, Flight* flight, Outcome outcome, Status status) {
  flight->over = true;
  job.Finish(flight->slice, outcome, std::move(status));
}

void RdmaLane::AddWord(const Flight& flight, size_t index) {
  chain_.Add(Access::kRead, staging_->memory(device_), StagingBuffer::word_offset(index),
             flight.region->words, flight.word, sizeof(uint64_t));
}

void RdmaLane::AddData(const Flight& flight) {
  const Access access = flight.copy->access;
  uint64_t remote = flight.copy->offset + flight.slice.offset;
  if (flight.staged) {
    chain_.Add(access, staging_->memory(device_), flight.staged_at, flight.region->memory, remote,
               flight.slice.length);
    return;
  }
  std::array<iovec, kMaxPieces> parts;
  const size_t count = flight.slice.cursor.Gather(flight.slice.length, parts);
  for (size_t i = 0; i < count; ++i) {
    auto* const data = static_cast<std::byte*>(parts[i].iov_base);
    const auto within = [&](const std::shared_ptr<const RdmaRegions::Region>& region) {
      return data >= region->base && data < region->base + region->size;
    };
    const auto& region = **std::find_if(held_.begin(), held_.end(), within);
    chain_.Add(access, *region.memory[device_], static_cast<uint64_t>(data - region.base),
               flight.region->memory, remote, parts[i].iov_len);
    remote += parts[i].iov_len;
  }
}

void RdmaLane::Place(Flight* flight) {
  std::array<iovec, kMaxPieces> parts;
  const size_t count = flight->slice.cursor.Gather(flight->slice.length, parts);
  uint64_t covered = 0;
  for (size_t i = 0; i < count; ++i) covered += parts[i].iov_len;
  bool direct = covered == flight->slice.length;
  for (size_t i = 0; i < count && direct; ++i) {
    auto* const data = static_cast<std::byte*>(parts[i].iov_base);
    const bool held = std::any_of(held_.begin(), held_.end(), [&](const auto& region) {
      return data >= region->base && parts[i].iov_len <= region->size &&
             static_cast<uint64_t>(data - region->base) <= region->size - parts[i].iov_len;
    });
    if (held) continue;
    std::shared_ptr<const RdmaRegions::Region> region =
        ends_.regions.FindLocal(data, parts[i].iov_len);
    direct = region != nullptr;
    if (direct) held_.push_back(std::move(region));
  }
  flight->staged = !direct;
  if (direct) return;
  flight->staged_at = staged_bytes_;
  staged_bytes_ += flight->slice.length;
}

Status RdmaLane::TakeStaging() {
  if (staging_ != nullptr) return Status::Ok();
  KVSTORE_ASSIGN_OR_RETURN(staging_, ends_.staging.Take());
  return Status::Ok();
}

void RdmaLane::CheckWords(Job& job) {
  for (size_t i = 0; i < flights_.size(); ++i) {
    Flight& flight = flights_[i];
    if (flight.over || !flight.guarded) continue;
    if (staging_->words()[i] > flight.copy->guard->birth) {
      Finish(job, &flight, Outcome::kFailed, Withdrawn(*flight.copy));
    }
  }
}

Status RdmaLane::ReadWindow(Job& job, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(TakeStaging());
  chain_.Clear();
  for (size_t i = 0; i < flights_.size(); ++i) {
    Place(&flights_[i]);
    if (flights_[i].guarded) AddWord(flights_[i], i);
    AddData(flights_[i]);
  }
  KVSTORE_RETURN_IF_ERROR(Exchange(*reader_, patience, window_bytes_));
  CheckWords(job);
  for (const Flight& flight : flights_) {
    if (flight.over || !flight.guarded || !ends_.guards.at_step) continue;
    for (const ShmStep step : {ShmStep::kWordRead, ShmStep::kFirstSlice, ShmStep::kLastSlice}) {
      ends_.guards.at_step(step);
    }
  }
  // Posted after all bytes have arrived, so that the words prove them.
  chain_.Clear();
  for (size_t i = 0; i < flights_.size(); ++i) {
    if (!flights_[i].over && flights_[i].guarded) AddWord(flights_[i], i);
  }
  if (ends_.guards.rdma_word_after_read) {
    KVSTORE_RETURN_IF_ERROR(Exchange(*reader_, patience, 0));
    CheckWords(job);
  }
  for (Flight& flight : flights_) {
    if (flight.over) continue;
    if (flight.staged) {
      MoveStaged(Access::kRead, flight.slice, staging_->data() + flight.staged_at);
    }
    Finish(job, &flight, Outcome::kDone, Status::Ok());
  }
  return Status::Ok();
}

Status RdmaLane::WriteWindow(Job& job, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(TakeStaging());
  if (writer_ == nullptr) KVSTORE_RETURN_IF_ERROR(Connect(Access::kWrite, patience));
  if (ends_.guards.rdma_writes_are_begun) KVSTORE_RETURN_IF_ERROR(BeginWrites(job, patience));
  chain_.Clear();
  const Flight* last = nullptr;
  for (Flight& flight : flights_) {
    if (flight.over || flight.slice.length == 0) continue;
    Place(&flight);
    if (flight.staged) {
      MoveStaged(Access::kWrite, flight.slice, staging_->data() + flight.staged_at);
    }
    AddData(flight);
    last = &flight;
  }
  // A WRITE is completed when the other device has it, a READ behind it when it is in place.
  if (last != nullptr && ends_.guards.rdma_read_behind_writes) {
    chain_.Add(Access::kRead, staging_->memory(device_), StagingBuffer::word_offset(0),
               last->region->memory, last->copy->offset + last->slice.offset, 1);
  }
  may_land_ = !chain_.empty();
  KVSTORE_RETURN_IF_ERROR(Exchange(*writer_, patience, window_bytes_));
  may_land_ = false;
  for (const Flight& flight : flights_) {
    if (!flight.over) job.NoteSent(flight.slice);
  }
  if (ends_.guards.rdma_writes_are_begun) return EndWrites(job, patience);
  for (Flight& flight : flights_) Finish(job, &flight, Outcome::kDone, Status::Ok());
  return Status::Ok();
}

Status RdmaLane::BeginWrites(Job& job, Patience& patience) {
  BeginQuestion question;
  for (const Flight& flight : flights_) {
    question.writes.push_back({.region = flight.copy->region,
                               .offset = flight.copy->offset + flight.slice.offset,
                               .length = flight.slice.length,
                               .guard = flight.copy->guard});
  }
  KVSTORE_ASSIGN_OR_RETURN(const std::string bytes, Ask(question, patience));
  const std::optional<std::vector<Status>> verdicts = DecodeVerdicts(bytes);
  if (!verdicts || verdicts->size() != flights_.size()) return Nonsense("no verdicts on writes");
  for (size_t i = 0; i < flights_.size(); ++i) {
    if (!(*verdicts)[i].ok()) Finish(job, &flights_[i], Outcome::kFailed, (*verdicts)[i]);
  }
  return Status::Ok();
}

Status RdmaLane::EndWrites(Job& job, Patience& patience) {
  const bool any = std::any_of(flights_.begin(), flights_.end(),
                               [](const Flight& flight) { return !flight.over; });
  if (!any) return Status::Ok();
  KVSTORE_ASSIGN_OR_RETURN(const std::string bytes, Ask(EndQuestion{}, patience));
  const std::optional<std::vector<Status>> verdicts = DecodeVerdicts(bytes);
  size_t next = 0;
  for (Flight& flight : flights_) {
    if (flight.over) continue;
    if (!verdicts || next == verdicts->size()) return Nonsense("no verdicts on writes");
    const Status& verdict = (*verdicts)[next++];
    Finish(job, &flight, verdict.ok() ? Outcome::kDone : Outcome::kFailed, verdict);
  }
  return Status::Ok();
}

Status RdmaLane::Exchange(QueuePair& pair, Patience& patience, uint64_t bytes) {
  KVSTORE_RETURN_IF_ERROR(patience.Ended());
  if (chain_.empty()) return Status::Ok();
  const uint64_t number = next_number_++;
  KVSTORE_RETURN_IF_ERROR(pair.Post(chain_.Link(number)));
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

Status RdmaLane::AwaitCompletion(uint64_t number, Patience& patience) {
  const TimePoint begin = BootClock::now();
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
    const Duration waited = BootClock::now() - begin;
    if (waited < kSpin) continue;
    KVSTORE_RETURN_IF_ERROR(patience.Ended());
    if (connection_->IsSpent()) return UnavailableError("the peer has closed the RDMA lane");
    if (waited > ends_.stall) {
      path_failed_ = true;
      return UnavailableError(rdma_device_->name() + " completes nothing; is the peer up?");
    }
    completions_->Sleep(connection_->fd(), kWaitStep);
  }
}

void RdmaLane::Shut() {
  writer_.reset();
  reader_.reset();
  if (staging_ != nullptr) ends_.staging.GiveBack(std::move(staging_));
}

}  // namespace kvstore::transfer
