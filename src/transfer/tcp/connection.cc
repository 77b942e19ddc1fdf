#include "transfer/tcp/connection.h"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string_view>
#include <utility>

namespace kvstore::transfer {
namespace {

// Requests sent ahead: enough to keep a long, fast path busy.
constexpr uint64_t kMaxFlyingBytes = 4 * kSliceBytes;
constexpr size_t kMaxFlights = 128;
// What may be read ahead of a frame: longer ones had better go to their place at once.
constexpr uint64_t kReadAheadBytes = 4 << 10;
// One Carry: after this, another job may have its turn.
constexpr uint64_t kFairBytes = 32 * kSliceBytes;
constexpr size_t kFairSlices = 4096;
constexpr size_t kMaxParts = 256;  // of one send or receive
// Sent in one call, and then told. Less at a time wakes the holder so much more often that it costs
// more than hashing from a nearer cache saves.
constexpr uint64_t kSendBytes = 1 << 20;

uint64_t DrawConnectionId() {
  std::random_device random;
  uint64_t id = 0;
  while (id == 0) id = (uint64_t{random()} << 32) | random();
  return id;
}

Status Nonsense(std::string_view what) {
  return UnavailableError("the peer sent nonsense (" + std::string(what) +
                          "); the connection was closed");
}

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

Status AwaitConnected(const Socket& socket, const std::string& endpoint, TimePoint until,
                      Patience& patience) {
  while (!WaitReady(socket.fd(), POLLOUT, kWaitStep)) {
    KVSTORE_RETURN_IF_ERROR(patience.Ended());
    if (BootClock::now() >= until) {
      return UnavailableError("connecting to " + endpoint + " took too long; is the peer up?");
    }
  }
  if (const int error = socket.ConnectError(); error != 0) {
    return UnavailableError("can't connect to " + endpoint + ": " +
                            IoStep{.error = error}.Reason());
  }
  return Status::Ok();
}

}  // namespace

Connection::Connection(Socket socket, uint64_t id, Duration stall)
    : socket_(std::move(socket)), id_(id), stall_(stall), last_moved_(BootClock::now()) {}

Result<std::unique_ptr<Connection>> Connection::Open(const std::string& endpoint,
                                                     const Incarnation& wanted,
                                                     const ConnectionTimeouts& timeouts,
                                                     Patience& patience) {
  const TimePoint until = BootClock::now() + timeouts.hello;
  KVSTORE_ASSIGN_OR_RETURN(const Endpoint address, Endpoint::Parse(endpoint));
  KVSTORE_ASSIGN_OR_RETURN(Socket socket, Socket::StartConnect(address));
  KVSTORE_RETURN_IF_ERROR(AwaitConnected(socket, endpoint, until, patience));
  Result<std::unique_ptr<Connection>> connection =
      Greet(std::move(socket), wanted, timeouts, patience);
  if (connection.ok()) return connection;
  const Status& problem = connection.status();
  return Status(problem.code(), endpoint + ": " + problem.message());
}

Result<std::unique_ptr<Connection>> Connection::Greet(Socket socket, const Incarnation& wanted,
                                                      const ConnectionTimeouts& timeouts,
                                                      Patience& patience) {
  std::unique_ptr<Connection> connection(
      new Connection(std::move(socket), DrawConnectionId(), timeouts.hello));
  KVSTORE_RETURN_IF_ERROR(connection->SayHello(wanted, patience));
  connection->stall_ = timeouts.stall;
  connection->socket_.WaitAtMost(kWaitStep);
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::OpenAny(const PeerDescriptor& peer,
                                                        const ConnectionTimeouts& timeouts,
                                                        Patience& patience) {
  Status error = UnavailableError("the peer has no TCP endpoint");
  for (const std::string& endpoint : peer.endpoints) {
    Result<std::unique_ptr<Connection>> opened =
        Open(endpoint, peer.incarnation, timeouts, patience);
    if (opened.ok()) return opened;
    error = opened.status();
  }
  return error;
}

bool Connection::IsSpent() const { return WaitReady(socket_.fd(), POLLIN, Duration::zero()); }

Status Connection::SayHello(const Incarnation& wanted, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(SendAll(Encode(Hello{.wanted = wanted, .connection_id = id_}), patience));
  std::array<std::byte, kHelloReplyBytes> bytes;
  KVSTORE_RETURN_IF_ERROR(ReceiveAll(bytes, patience));
  const std::optional<HelloReply> reply = DecodeHelloReply(bytes);
  if (!reply) return Nonsense("no greeting of a kvstore peer");
  std::string message(reply->message_bytes, '\0');
  KVSTORE_RETURN_IF_ERROR(ReceiveAll(std::as_writable_bytes(std::span(message)), patience));
  if (reply->code != StatusCode::kOk) return Status(reply->code, std::move(message));
  return Status::Ok();
}

// What is taken says that the path is good, long before the answer to a large write comes over a
// slow one. That this end can send says nothing: its kernel keeps what nobody takes.
bool Connection::SomeTaken() {
  if (untaken_ == 0) return false;
  const uint64_t before = std::exchange(untaken_, socket_.Unacknowledged());
  return untaken_ < before;
}

Status Connection::WaitStep(short events, Patience& patience) {
  return Waited(WaitReady(socket_.fd(), events, kWaitStep), events, patience);
}

Status Connection::Waited(bool ready, short events, Patience& patience) {
  if ((!ready || (events & POLLOUT) != 0) && SomeTaken()) {
    last_moved_ = BootClock::now();
    patience.Heard(0);
  }
  if (ready) return Status::Ok();
  KVSTORE_RETURN_IF_ERROR(patience.Ended());
  if (BootClock::now() - last_moved_ < stall_) return Status::Ok();
  return UnavailableError("the peer moved no byte for " + Milliseconds(stall_) +
                          "; it is paused, overloaded or unreachable");
}

Status Connection::Sent(const IoStep& step) {
  if (step.over()) return UnavailableError("the connection broke: " + step.Reason());
  if (step.bytes > 0) last_moved_ = BootClock::now();
  untaken_ += step.bytes;
  return Status::Ok();
}

Status Connection::Received(const IoStep& step) {
  if (step.over()) return UnavailableError("the connection broke: " + step.Reason());
  if (step.bytes > 0) last_moved_ = BootClock::now();
  received_ += step.bytes;
  return Status::Ok();
}

Status Connection::SendAll(std::span<const std::byte> bytes, Patience& patience) {
  last_moved_ = BootClock::now();
  while (!bytes.empty()) {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const IoStep step = socket_.Send(std::span(&part, 1), false);
    KVSTORE_RETURN_IF_ERROR(Sent(step));
    bytes = bytes.subspan(step.bytes);
    if (step.blocked) KVSTORE_RETURN_IF_ERROR(WaitStep(POLLOUT, patience));
  }
  return Status::Ok();
}

Status Connection::ReceiveAll(std::span<std::byte> bytes, Patience& patience) {
  while (!bytes.empty()) {
    const iovec part{bytes.data(), bytes.size()};
    const IoStep step = socket_.Receive(std::span(&part, 1));
    KVSTORE_RETURN_IF_ERROR(Received(step));
    if (step.bytes > 0) patience.Heard(step.bytes);
    bytes = bytes.subspan(step.bytes);
    if (step.blocked) KVSTORE_RETURN_IF_ERROR(WaitStep(POLLIN, patience));
  }
  return Status::Ok();
}

Status Connection::CutPath(uint64_t connection_id, Patience& patience) {
  const Request request{
      .kind = RequestKind::kCut, .sequence = next_sequence_++, .offset = connection_id};
  KVSTORE_RETURN_IF_ERROR(SendAll(Encode(request), patience));
  Reply reply;
  std::string message;
  KVSTORE_RETURN_IF_ERROR(ReceiveReply(request, &reply, &message, patience));
  if (reply.kind != ReplyKind::kVerdict) return Nonsense("no verdict on closing a path");
  if (reply.code != StatusCode::kOk) return Status(reply.code, std::move(message));
  return Status::Ok();
}

Status Connection::ReceiveReply(const Request& request, Reply* reply, std::string* body,
                                Patience& patience) {
  std::array<std::byte, kReplyBytes> bytes;
  KVSTORE_RETURN_IF_ERROR(ReceiveAll(bytes, patience));
  const std::optional<Reply> decoded = DecodeReply(bytes);
  if (!decoded || decoded->sequence != request.sequence) return Nonsense("no reply to a request");
  *reply = *decoded;
  body->resize(reply->length);
  return ReceiveAll(std::as_writable_bytes(std::span(*body)), patience);
}

Result<std::string> Connection::Ask(std::string_view question, Patience& patience) {
  const Request request{.kind = RequestKind::kAsk,
                        .sequence = next_sequence_++,
                        .length = static_cast<uint32_t>(question.size())};
  std::string frame(kRequestBytes, '\0');
  const auto header = Encode(request);
  std::memcpy(frame.data(), header.data(), header.size());
  frame += question;
  KVSTORE_RETURN_IF_ERROR(SendAll(std::as_bytes(std::span(frame)), patience));
  Reply reply;
  std::string body;
  KVSTORE_RETURN_IF_ERROR(ReceiveReply(request, &reply, &body, patience));
  if (reply.kind == ReplyKind::kVerdict) {
    if (reply.code == StatusCode::kOk) return std::string();
    return Status(reply.code, std::move(body));
  }
  if (reply.length > kMaxAskBytes) return Nonsense("an answer that is too long");
  std::string message;
  KVSTORE_RETURN_IF_ERROR(ReceiveReply(request, &reply, &message, patience));
  if (reply.kind != ReplyKind::kVerdict) return Nonsense("no verdict on an answer");
  return body;
}

void Connection::TakeSlices(Job& job) {
  while (!drained_ && flights_.size() < kMaxFlights && flying_bytes_ < kMaxFlyingBytes) {
    if (taken_bytes_ >= kFairBytes || taken_slices_ >= kFairSlices) return;
    const std::optional<Slice> slice = job.Next();
    if (!slice) {
      drained_ = true;
      return;
    }
    const Copy& copy = job.copy(*slice);
    Flight& flight = flights_.emplace_back();
    flight.slice = *slice;
    flight.request = {
        .kind = copy.access == Access::kRead ? RequestKind::kRead : RequestKind::kWrite,
        .sequence = next_sequence_++,
        .region = copy.region,
        .length = static_cast<uint32_t>(slice->length),
        .offset = copy.offset + slice->offset,
        .guarded = copy.guard.has_value(),
        .guard = copy.guard.value_or(Guard{})};
    flight.header = Encode(flight.request);
    flight.send_cursor = flight.receive_cursor = slice->cursor;
    flight.frame_bytes = kRequestBytes + (copy.access == Access::kWrite ? slice->length : 0);
    flying_bytes_ += slice->length;
    taken_bytes_ += slice->length;
    ++taken_slices_;
  }
}

Status Connection::Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) {
  taken_bytes_ = 0;
  taken_slices_ = 0;
  drained_ = false;
  answered_ = false;
  last_moved_ = BootClock::now();
  Status status;
  while (status.ok()) {
    TakeSlices(job);
    if (flights_.empty()) return Status::Ok();
    status = Step(job, patience);
  }
  socket_.Shutdown();
  for (const Flight& flight : flights_) {
    stranded->push_back(
        {.slice = Rest(flight),
         .may_land = flight.request.kind == RequestKind::kWrite && flight.sent > 0});
  }
  flights_.clear();
  return status;
}

Status Connection::Step(Job& job, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(patience.Ended());
  if (unsent_ < flights_.size()) KVSTORE_RETURN_IF_ERROR(SendFlights(job));
  const bool more_to_send = unsent_ < flights_.size();
  if (more_to_send) KVSTORE_RETURN_IF_ERROR(WaitStep(POLLIN | POLLOUT, patience));
  const uint64_t before = received_;
  const Status status = ReceiveSome(job, more_to_send, patience);
  if (received_ > before) patience.Heard(received_ - before);
  return status;
}

Status Connection::SendFlights(Job& job) {
  for (;;) {
    KVSTORE_ASSIGN_OR_RETURN(const bool more, SendSome(job));
    if (!more) return Status::Ok();
  }
}

Result<bool> Connection::SendSome(Job& job) {
  std::array<iovec, kMaxParts> parts;
  size_t used = 0;
  uint64_t body = 0;  // bytes
  for (size_t i = unsent_; i < flights_.size() && used + 1 < parts.size(); ++i) {
    if (body == kSendBytes) break;
    Flight& flight = flights_[i];
    const uint64_t header_sent = std::min<uint64_t>(flight.sent, kRequestBytes);
    if (header_sent < kRequestBytes) {
      parts[used++] = {flight.header.data() + header_sent, kRequestBytes - header_sent};
    }
    const uint64_t unsent = flight.frame_bytes - std::max<uint64_t>(flight.sent, kRequestBytes);
    if (unsent == 0) continue;
    const uint64_t body_left = std::min(unsent, kSendBytes - body);
    const size_t added = flight.send_cursor.Gather(body_left, std::span(parts).subspan(used));
    uint64_t gathered = 0;
    for (size_t p = used; p < used + added; ++p) gathered += parts[p].iov_len;
    used += added;
    body += gathered;
    if (gathered < unsent) break;  // nothing may follow before the rest
  }
  uint64_t size = 0;
  for (const iovec& part : std::span(parts).first(used)) size += part.iov_len;
  const IoStep step = socket_.Send(std::span(parts.data(), used), false);
  KVSTORE_RETURN_IF_ERROR(Sent(step));
  for (uint64_t left = step.bytes; left > 0;) {
    Flight& flight = flights_[unsent_];
    const uint64_t moved = std::min(left, flight.frame_bytes - flight.sent);
    const uint64_t of_header =
        flight.sent < kRequestBytes ? std::min(moved, kRequestBytes - flight.sent) : 0;
    flight.sent += moved;
    flight.send_cursor.Advance(moved - of_header);
    left -= moved;
    if (moved > of_header) job.NotePassed(flight.slice, flight.sent - kRequestBytes);
    if (flight.sent == flight.frame_bytes) ++unsent_;
  }
  return step.bytes == size && unsent_ < flights_.size();
}

Status Connection::ReceiveSome(Job& job, bool at_once, Patience& patience) {
  std::array<iovec, kMaxParts> parts;
  size_t used = 0;
  uint64_t direct = 0;
  if (data_left_ > 0) {
    // As much as is there. When no more was asked for than is waited for (ExpectRest), both ends
    // stood still most of the time: 16 MiB came at a sixth of the speed.
    used =
        flights_.front().receive_cursor.Gather(data_left_, std::span(parts).first(kMaxParts - 1));
    for (size_t i = 0; i < used; ++i) direct += parts[i].iov_len;
  }
  // What comes behind the data may be read ahead, unless there is data that found no room above; of
  // a long frame only what says that it comes.
  if (direct == data_left_) {
    iovec& ahead = parts[used++] = input_.FreeSpace();
    if (direct > 0 && flights_.size() > 1 && flights_[1].request.length > kReadAheadBytes) {
      ahead.iov_len = std::min(ahead.iov_len, 2 * kReplyBytes);
    }
  }
  socket_.ExpectRest(data_left_);
  const std::span<const iovec> room(parts.data(), used);
  const IoStep step = at_once ? socket_.Receive(room) : socket_.AwaitInput(room);
  KVSTORE_RETURN_IF_ERROR(Received(step));
  if (!at_once) KVSTORE_RETURN_IF_ERROR(Waited(!step.blocked, POLLIN, patience));
  if (step.bytes > 0) answered_ = true;
  const uint64_t placed = std::min<uint64_t>(step.bytes, direct);
  if (placed > 0) Placed(job, placed);
  input_.Received(step.bytes - placed);
  return Digest(job);
}

Status Connection::Digest(Job& job) {
  while (!flights_.empty()) {
    while (data_left_ > 0 && input_.size() > 0) {
      std::array<iovec, 1> part{};
      Flight& flight = flights_.front();
      flight.receive_cursor.Gather(data_left_, part);
      Placed(job, input_.MoveTo(part[0].iov_base, part[0].iov_len));
    }
    if (data_left_ > 0 || input_.size() < kReplyBytes) return Status::Ok();
    const std::optional<Reply> reply = DecodeReply(input_.bytes().first<kReplyBytes>());
    if (!reply) return Nonsense("no reply");
    const bool verdict = reply->kind == ReplyKind::kVerdict;
    if (verdict && input_.size() < kReplyBytes + reply->length) return Status::Ok();
    KVSTORE_RETURN_IF_ERROR(TakeReply(job, *reply));
  }
  return input_.size() == 0 ? Status::Ok() : Nonsense("more than was asked for");
}

Status Connection::TakeReply(Job& job, const Reply& reply) {
  const Flight& flight = flights_.front();
  if (reply.sequence != flight.request.sequence) return Nonsense("an answer out of order");
  const bool read = flight.request.kind == RequestKind::kRead;
  input_.Drop(kReplyBytes);
  if (reply.kind == ReplyKind::kData) {
    if (!read || data_seen_ || reply.length != flight.request.length || reply.length == 0) {
      return Nonsense("data that nobody asked for");
    }
    data_seen_ = true;
    data_left_ = reply.length;
    return Status::Ok();
  }
  const auto text = input_.bytes().first(reply.length);
  std::string message(reinterpret_cast<const char*>(text.data()), text.size());
  input_.Drop(reply.length);
  if (flight.sent < flight.frame_bytes) return Nonsense("an answer before the question");
  if (reply.code != StatusCode::kOk) {
    EndFlight(job, Status(reply.code, std::move(message)));
    return Status::Ok();
  }
  if (read && flight.request.length > 0 && !data_seen_) return Nonsense("a read without data");
  EndFlight(job, Status::Ok());
  return Status::Ok();
}

void Connection::Placed(Job& job, uint64_t bytes) {
  Flight& flight = flights_.front();
  flight.receive_cursor.Advance(bytes);
  flight.placed += bytes;
  data_left_ -= bytes;
  job.NotePassed(flight.slice, flight.placed);
}

Slice Connection::Rest(const Flight& flight) {
  Slice rest = flight.slice;
  rest.offset += flight.placed;
  rest.length -= flight.placed;
  rest.cursor.Advance(flight.placed);
  return rest;
}

void Connection::EndFlight(Job& job, Status verdict) {
  const Flight flight = std::move(flights_.front());
  flights_.pop_front();
  if (unsent_ > 0) --unsent_;
  flying_bytes_ -= flight.slice.length;
  data_seen_ = false;
  const Outcome outcome = verdict.ok() ? Outcome::kDone : Outcome::kFailed;
  job.Finish(flight.slice, outcome, std::move(verdict));
}

}  // namespace kvstore::transfer
