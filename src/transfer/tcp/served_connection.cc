#include "transfer/tcp/served_connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace kvstore::transfer {
namespace {

// Reads up to this size are copied into the output, so that many answers go in one system call.
constexpr uint32_t kGatheredReadBytes = 8 << 10;
constexpr size_t kFlushBytes = 48 << 10;
// What the rest of a frame is taken to, or from, when its memory must not be touched any more.
constexpr size_t kStandInBytes = 64 << 10;
constexpr std::array<std::byte, kStandInBytes> kZeros{};

Status Misbehaved(std::string_view what) { return InvalidArgumentError(std::string(what)); }
Status Over() { return UnavailableError("the connection has ended"); }

Status Withdrawn() {
  return AbortedError("the memory was withdrawn during the copy; it has a new owner, or will have");
}

std::optional<Guard> GuardOf(const Request& request) {
  if (!request.guarded) return std::nullopt;
  return request.guard;
}

}  // namespace

ServedConnection::ServedConnection(Socket socket, PathTable& paths, Registry& registry,
                                   ServedTotals& totals, const Timeouts& timeouts)
    : socket_(std::move(socket)),
      paths_(paths),
      registry_(registry),
      totals_(totals),
      timeouts_(timeouts),
      last_moved_(BootClock::now()) {}

void ServedConnection::Run() {
  const Status end = Serve();
  if (end.code() == StatusCode::kInvalidArgument) ++totals_.bad_connections;
  socket_.Shutdown();
  is_over_ = true;
  // After that, so that its peer knows why nothing comes through any more.
  while (side_ != nullptr && !side_->End() && !paths_.EndsWithin(kWaitStep)) continue;
  side_.reset();
}

void ServedConnection::Cut() {
  cut_ = true;
  socket_.Shutdown();  // wakes it from any wait
}

std::optional<TimePoint> ServedConnection::idle_since() const {
  const TimePoint since = idle_since_;
  if (since == kBusy || since == kDisplaced) return std::nullopt;
  return since;
}

bool ServedConnection::CutIfIdleSince(TimePoint since) {
  if (!idle_since_.compare_exchange_strong(since, kDisplaced)) return false;
  Cut();
  return true;
}

Status ServedConnection::Serve() {
  KVSTORE_RETURN_IF_ERROR(Greet());
  for (;;) {
    std::optional<Request> request;
    KVSTORE_RETURN_IF_ERROR(NextRequest(&request));
    if (!request) return Misbehaved("no request of a kvstore peer");
    KVSTORE_RETURN_IF_ERROR(Dispatch(*request));
    if (output_.size() >= kFlushBytes) KVSTORE_RETURN_IF_ERROR(Flush());
  }
}

Status ServedConnection::Moved(const IoStep& step) {
  if (step.over() || cut_) return Over();
  if (step.bytes > 0) last_moved_ = BootClock::now();
  return Status::Ok();
}

Status ServedConnection::WaitStep(short events) {
  const bool ready = WaitReady(socket_.fd(), events, kWaitStep);
  if (cut_) return Over();
  if (ready || BootClock::now() - last_moved_ < timeouts_.stall) return Status::Ok();
  return Misbehaved("stalled in the middle of a frame");
}

Status ServedConnection::Greet() {
  const TimePoint until = BootClock::now() + timeouts_.hello;
  while (input_.size() < kHelloBytes) {
    const Duration left = until - BootClock::now();
    if (left <= Duration::zero()) return Misbehaved("no hello in time");
    if (!WaitReady(socket_.fd(), POLLIN, left)) continue;
    const iovec part = input_.FreeSpace();
    const IoStep step = socket_.Receive(std::span(&part, 1));
    KVSTORE_RETURN_IF_ERROR(Moved(step));
    input_.Received(step.bytes);
  }
  const std::optional<Hello> hello = DecodeHello(input_.bytes().first<kHelloBytes>());
  if (!hello) return Misbehaved("no hello of a kvstore peer");
  input_.Drop(kHelloBytes);
  const Status admitted = paths_.Admit(*hello, *this);
  const std::string_view message = std::string_view(admitted.message()).substr(0, kMaxMessageBytes);
  Append(Encode(
      HelloReply{.code = admitted.code(), .message_bytes = static_cast<uint16_t>(message.size())}));
  Append(std::as_bytes(std::span(message)));
  KVSTORE_RETURN_IF_ERROR(Flush());
  socket_.WaitAtMost(timeouts_.idle);
  return admitted.ok() ? Status::Ok() : Misbehaved("a hello that was refused");
}

Status ServedConnection::NextRequest(std::optional<Request>* request) {
  while (input_.size() < kRequestBytes) {
    KVSTORE_RETURN_IF_ERROR(Flush());
    const iovec part = input_.FreeSpace();
    IoStep step;
    if (input_.size() > 0) {
      KVSTORE_RETURN_IF_ERROR(WaitStep(POLLIN));
      step = socket_.Receive(std::span(&part, 1));
    } else {
      KVSTORE_RETURN_IF_ERROR(AwaitRequest(part, &step));
    }
    KVSTORE_RETURN_IF_ERROR(Moved(step));
    input_.Received(step.bytes);
  }
  *request = DecodeRequest(input_.bytes().first<kRequestBytes>());
  input_.Drop(kRequestBytes);
  return Status::Ok();
}

Status ServedConnection::AwaitRequest(const iovec& room, IoStep* step) {
  while (side_ != nullptr && side_->IsBusy()) {
    if (WaitReady(socket_.fd(), POLLIN, kWaitStep)) {
      *step = socket_.Receive(std::span(&room, 1));
      return Status::Ok();
    }
    if (cut_ || !side_->MayGoOn()) return Over();
  }
  const TimePoint begin = BootClock::now();
  idle_since_ = begin;
  *step = socket_.AwaitInput(std::span(&room, 1));
  while (step->blocked) {  // a wait may end early
    const Duration left = begin + timeouts_.idle - BootClock::now();
    if (left <= Duration::zero()) break;
    if (WaitReady(socket_.fd(), POLLIN, left)) *step = socket_.Receive(std::span(&room, 1));
  }
  const bool displaced = idle_since_.exchange(kBusy) == kDisplaced;
  return !step->blocked && !displaced ? Status::Ok() : Over();
}

Status ServedConnection::Dispatch(const Request& request) {
  switch (request.kind) {
    case RequestKind::kRead:
      return ServeRead(request);
    case RequestKind::kWrite:
      return ServeWrite(request);
    case RequestKind::kCut:
      return ServeCut(request);
    case RequestKind::kAsk:
      return ServeAsk(request);
  }
  return Misbehaved("an unknown request");
}

Status ServedConnection::ServeRead(const Request& request) {
  Result<RegionAccess> memory = registry_.Begin(Access::kRead, request.region, request.offset,
                                                request.length, GuardOf(request));
  if (!memory.ok()) {
    if (memory.status().code() == StatusCode::kAborted) ++totals_.refused_before;
    AppendVerdict(request, memory.status());
    return Status::Ok();
  }
  if (request.length > 0) {
    Append(Encode(
        Reply{.kind = ReplyKind::kData, .sequence = request.sequence, .length = request.length}));
  }
  Status verdict;
  if (request.length <= kGatheredReadBytes) {
    const RegionAccess access = *std::move(memory);
    Append(std::span(access.data(), request.length));
    if (!access.StoodToTheEnd()) verdict = Withdrawn();
  } else {
    KVSTORE_RETURN_IF_ERROR(SendFrom(*std::move(memory), request, &verdict));
  }
  ++totals_.reads;
  if (verdict.ok()) totals_.bytes += request.length;
  if (!verdict.ok()) ++totals_.refused_after;
  AppendVerdict(request, verdict);
  return Status::Ok();
}

// Sends what was appended and then the memory, as it lies. Once it is withdrawn, zeros follow.
Status ServedConnection::SendFrom(RegionAccess access, const Request& request, Status* verdict) {
  std::optional<RegionAccess> memory(std::move(access));
  last_moved_ = BootClock::now();
  for (uint64_t done = 0; done < request.length;) {
    if (memory && done > 0 && !memory->StillStands()) memory.reset();
    const uint64_t left = request.length - done;
    const iovec body = memory ? iovec{memory->data() + done, left}
                              : iovec{const_cast<std::byte*>(kZeros.data()),
                                      std::min<uint64_t>(left, kZeros.size())};
    const size_t head_left = output_.size() - output_sent_;
    const std::array<iovec, 2> parts = {iovec{output_.data() + output_sent_, head_left}, body};
    const IoStep step = socket_.Send(parts, true);
    KVSTORE_RETURN_IF_ERROR(Moved(step));
    const size_t of_head = std::min(step.bytes, head_left);
    output_sent_ += of_head;
    done += step.bytes - of_head;
    if (step.blocked) {
      KVSTORE_RETURN_IF_ERROR(WaitStep(POLLOUT));
      if (memory && !memory->StillStands()) memory.reset();
    }
  }
  output_.clear();
  output_sent_ = 0;
  if (!memory || !memory->StoodToTheEnd()) *verdict = Withdrawn();
  return Status::Ok();
}

// Receives up to `room` bytes to where they belong, and what comes behind them ahead.
Status ServedConnection::ReceiveTo(std::byte* memory, size_t room, bool whole_rest, size_t* moved) {
  KVSTORE_RETURN_IF_ERROR(Flush());
  std::array<iovec, 2> parts = {iovec{memory, room}, iovec{}};
  if (whole_rest) parts[1] = input_.FreeSpace();
  const IoStep step = socket_.Receive(std::span(parts).first(whole_rest ? 2 : 1));
  KVSTORE_RETURN_IF_ERROR(Moved(step));
  *moved = std::min(step.bytes, room);
  input_.Received(step.bytes - *moved);
  return step.blocked ? WaitStep(POLLIN) : Status::Ok();
}

Status ServedConnection::ServeWrite(const Request& request) {
  std::optional<RegionAccess> memory;
  Status verdict;
  if (Result<RegionAccess> begun = registry_.Begin(Access::kWrite, request.region, request.offset,
                                                   request.length, GuardOf(request));
      begun.ok()) {
    memory.emplace(*std::move(begun));
  } else {
    verdict = begun.status();
    if (verdict.code() == StatusCode::kAborted) ++totals_.refused_before;
  }
  std::vector<std::byte> stand_in;
  last_moved_ = BootClock::now();
  bool just_begun = true;  // the guard has been asked
  for (uint64_t done = 0; done < request.length;) {
    if (memory && !std::exchange(just_begun, false) && !memory->StillStands()) {
      memory.reset();
      verdict = Withdrawn();
      ++totals_.refused_after;
    }
    const uint64_t left = request.length - done;
    if (!memory && stand_in.empty()) stand_in.resize(std::min<uint64_t>(left, kStandInBytes));
    std::byte* const to = memory ? memory->data() + done : stand_in.data();
    const size_t room = memory ? left : std::min<uint64_t>(left, stand_in.size());
    size_t moved = input_.MoveTo(to, room);
    socket_.ExpectRest(left - moved);
    if (moved == 0) KVSTORE_RETURN_IF_ERROR(ReceiveTo(to, room, room == left, &moved));
    done += moved;
  }
  socket_.ExpectRest(0);
  memory.reset();  // the answer says that we touch it no more
  if (verdict.ok()) {
    ++totals_.writes;
    totals_.bytes += request.length;
  }
  AppendVerdict(request, verdict);
  return Status::Ok();
}

Status ServedConnection::ServeCut(const Request& request) {
  KVSTORE_RETURN_IF_ERROR(Flush());
  AppendVerdict(request, paths_.CutPath(request.offset, *this));
  return Status::Ok();
}

Status ServedConnection::ReceiveAll(std::span<std::byte> bytes) {
  last_moved_ = BootClock::now();
  while (!bytes.empty()) {
    size_t moved = input_.MoveTo(bytes.data(), bytes.size());
    if (moved == 0) KVSTORE_RETURN_IF_ERROR(ReceiveTo(bytes.data(), bytes.size(), true, &moved));
    bytes = bytes.subspan(moved);
  }
  return Status::Ok();
}

Status ServedConnection::ServeAsk(const Request& request) {
  std::string question(request.length, '\0');
  KVSTORE_RETURN_IF_ERROR(ReceiveAll(std::as_writable_bytes(std::span(question))));
  if (side_ == nullptr) side_ = paths_.NewSideService();
  if (side_ == nullptr) {
    AppendVerdict(request, FailedPreconditionError(
                               "this peer has no RDMA device, or none that closes what it opened"));
    return Status::Ok();
  }
  const Result<std::string> answer = side_->Answer(question);
  if (answer.ok() && !answer->empty()) {
    Append(Encode(Reply{.kind = ReplyKind::kData,
                        .sequence = request.sequence,
                        .length = static_cast<uint32_t>(answer->size())}));
    Append(std::as_bytes(std::span(*answer)));
  }
  AppendVerdict(request, answer.status());
  return Status::Ok();
}

void ServedConnection::Append(std::span<const std::byte> bytes) {
  output_.insert(output_.end(), bytes.begin(), bytes.end());
}

void ServedConnection::AppendVerdict(const Request& request, const Status& verdict) {
  const std::string_view message = std::string_view(verdict.message()).substr(0, kMaxMessageBytes);
  Append(Encode(Reply{.kind = ReplyKind::kVerdict,
                      .sequence = request.sequence,
                      .code = verdict.code(),
                      .length = static_cast<uint32_t>(message.size())}));
  Append(std::as_bytes(std::span(message)));
}

Status ServedConnection::Flush() {
  if (output_.empty()) return Status::Ok();
  last_moved_ = BootClock::now();
  while (output_sent_ < output_.size()) {
    const iovec part{output_.data() + output_sent_, output_.size() - output_sent_};
    const IoStep step = socket_.Send(std::span(&part, 1), false);
    KVSTORE_RETURN_IF_ERROR(Moved(step));
    output_sent_ += step.bytes;
    if (step.blocked) KVSTORE_RETURN_IF_ERROR(WaitStep(POLLOUT));
  }
  output_.clear();
  output_sent_ = 0;
  return Status::Ok();
}

}  // namespace kvstore::transfer
