#include "client/session.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>
#include <sys/random.h>

#include <algorithm>
#include <utility>

#include "client/polled_stream.h"
#include "descriptor_limit.h"
#include "kvstore/v1/kvstore.grpc.pb.h"
#include "proto/codec.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// From opening a stream to the welcome. A join storm makes a master slow, not silent.
constexpr Duration kGreetingTimeout = seconds(10);
constexpr Duration kConnectPatience = seconds(1);
// Between tries after a refusal that only an operator can mend.
constexpr Duration kRefusedPause = seconds(5);
constexpr Duration kBetweenTallies = seconds(1);
// From the goodbye of a node that was drained to the end of its stream.
constexpr Duration kFarewellTimeout = seconds(5);
// Of a report: few enough for one message, where keys are not long.
constexpr size_t kNotesAtOnce = 4096;
// Of the time for closing: kept for the goodbye itself.
constexpr Duration kGoodbyeTime = milliseconds(1500);

// From a stream's end. gRPC's codes that are none of ours mean that the path failed.
Status FromGrpc(const grpc::Status& status, const std::string& master) {
  if (status.ok()) return UnavailableError("the master at " + master + " ended the stream");
  const auto code = static_cast<StatusCode>(status.error_code());
  const bool ours = StatusCodeName(code) != "unknown";
  return Status(ours ? code : StatusCode::kUnavailable, status.error_message());
}

// The master wants this incarnation to be over: see Session in kvstore.proto.
bool AsksForAnother(const Status& status) {
  return status.code() == StatusCode::kFailedPrecondition &&
         (status.message().starts_with("pool") || status.message().starts_with("gone"));
}

// The same hello will be refused again.
bool IsRefusal(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kPermissionDenied:
    case StatusCode::kResourceExhausted:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kUnimplemented:
    case StatusCode::kUnauthenticated:
      return true;
    default:
      return false;
  }
}

Incarnation DrawIncarnation() {
  Incarnation drawn;
  while (drawn.IsNone()) {
    if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn)) drawn = {};  // interrupted
  }
  return drawn;
}

std::string InSeconds(Duration duration) {
  const auto tenths = (std::chrono::duration_cast<milliseconds>(duration).count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

}  // namespace

std::shared_ptr<grpc::Channel> OpenMasterChannel(const std::string& master) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // Notices a machine that vanished without a word. Beats keep the path from ever being idle.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // an attempt's time, in truth
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // one connection per node
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a pool's master is not behind a web proxy
  return grpc::CreateCustomChannel(master, grpc::InsecureChannelCredentials(), arguments);
}

// One session stream.
class Session::Stream final : public PolledStream<v1::NodeMessage, v1::MasterMessage> {
 public:
  using PolledStream::PolledStream;
};

Session::Session(std::shared_ptr<grpc::Channel> channel, Poller& poller, SessionOptions options,
                 transfer::Engine& engine, SegmentHost& host, VerbStream& verbs)
    : channel_(std::move(channel)),
      poller_(poller),
      options_(std::move(options)),
      engine_(engine),
      host_(host),
      verbs_(verbs),
      life_([this] { Live(); }) {}

Session::~Session() { Close(BootClock::now()); }

Status Session::WaitJoined(TimePoint until) {
  const TimePoint began = BootClock::now();
  MutexLock lock(mu_);
  while (stage_ != Stage::kMember && !refused_ && BootClock::now() < until) {
    changed_.WaitUntil(mu_, until);
  }
  if (stage_ == Stage::kMember) return Status::Ok();
  if (refused_) {
    return Status(trouble_.code(),
                  "the master at " + options_.master + " refused this node: " + trouble_.message());
  }
  const std::string reason = trouble_.message().empty() ? "no answer" : trouble_.message();
  return UnavailableError("no master at " + options_.master + " within " +
                          InSeconds(BootClock::now() - began) + " (" + reason +
                          "); start kvstore_master there, or name another address");
}

void Session::Close(TimePoint until) {
  bool member = false;
  {
    MutexLock lock(mu_);
    if (closing_) return;
    closing_ = true;
    member = stage_ == Stage::kMember;
    changed_.NotifyAll();
  }
  if (member && BootClock::now() < until) {
    host_.Empty();
    engine_.Rename(DrawIncarnation());
    // What other processes view keeps its pages and is lent to nobody any more: no reason to stay.
    const bool served = host_.WaitServed(until - kGoodbyeTime);
    {
      MutexLock lock(mu_);
      goodbye_ = served;
    }
    host_.StopAcks();  // WriteAcks says goodbye then
    MutexLock lock(mu_);
    while (goodbye_ && !ended_ && BootClock::now() < until) changed_.WaitUntil(mu_, until);
  }
  Cancel();
  life_.join();
}

void Session::Live() {
  Backoff backoff;
  while (!IsClosing()) {
    const Ending ending = Attend();
    if (IsClosing()) break;
    Pause(Judge(ending, &backoff), Stage::kAway);
    AwaitConnection();
  }
  MutexLock lock(mu_);
  ended_ = true;
  changed_.NotifyAll();
}

void Session::AwaitConnection() {
  const TimePoint until = BootClock::now() + kConnectPatience;
  while (!IsClosing() && BootClock::now() < until) {
    const gpr_timespec slice =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(100, GPR_TIMESPAN));
    if (channel_->WaitForConnected(slice)) return;
  }
}

Session::Ending Session::Attend() {
  Stream stream(poller_);
  if (!BeginStream(stream.context())) return {CancelledError("the client is closing")};
  std::thread pulse([this] { Pulse(); });
  const std::unique_ptr<v1::Master::Stub> stub = v1::Master::NewStub(channel_);
  stream.Open(stub->PrepareAsyncSession(stream.context(), poller_.queue()));
  host_.StartAcks();  // before the hello is made, so that no page's ack falls between the two
  hello_is_out_ = false;
  const Status verdict = Converse(&stream);
  host_.StopAcks();
  if (!verdict.ok()) stream.context()->TryCancel();
  const Status end = FromGrpc(stream.Finish(), options_.master);
  Ending ending = EndStream(verdict.ok() ? end : verdict);
  const bool refused = verdict.ok() && IsRefusal(end);  // in the master's own words
  ending.may_be_taken = hello_is_out_ && pool_.IsNone() && !refused &&
                        SessionGuards().unanswered_hello_is_not_repeated;
  pulse.join();
  return ending;
}

Status Session::Converse(Stream* stream) {
  KVSTORE_ASSIGN_OR_RETURN(const std::optional<Membership> membership, Greet(stream));
  if (!membership) return Status::Ok();
  std::optional<ReignReport> report;
  if (membership->wants_report) {
    report = host_.EnterReign(membership->term);
  } else {
    host_.EnterTerm(membership->term);
  }
  BecomeMember(*membership);
  std::thread writer([&] {
    if (report && !WriteReport(stream, *std::move(report))) return;
    WriteAcks(stream, membership->term);
  });
  Status verdict = ReadOrders(stream);
  if (!verdict.ok()) stream->context()->TryCancel();
  host_.StopAcks();
  writer.join();
  return verdict;
}

Hello Session::MakeHello() const {
  Hello hello;
  hello.software = KVSTORE_VERSION;
  hello.pool = pool_;
  hello.term = term_;
  hello.self = {engine_.incarnation(), options_.name, options_.host, engine_.Descriptor()};
  hello.counter = host_.counter();
  hello.segments = host_.Segments();
  return hello;
}

Result<std::optional<Session::Membership>> Session::Greet(Stream* stream) {
  const TimePoint asked_at = BootClock::now();
  const Hello hello = MakeHello();
  v1::NodeMessage message;
  Encode(hello, message.mutable_hello());
  v1::MasterMessage answer;
  // Without a connection nothing is said, and so there is no doubt who may have heard it. (Whether
  // a Write that failed was read nevertheless, nobody can tell.)
  if (channel_->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) {
    stream->context()->TryCancel();  // of no effect on a stream that found no connection
    return std::optional<Membership>();
  }
  hello_is_out_ = true;
  if (!stream->Write(message) || !stream->Read(&answer)) return std::optional<Membership>();
  if (!answer.has_welcome()) {
    return UnavailableError("the first message of the master was no welcome");
  }
  KVSTORE_ASSIGN_OR_RETURN(const Welcome welcome, Decode(answer.welcome()));
  if (welcome.version < kOldestProtocolVersion || welcome.version > kProtocolVersion) {
    return FailedPreconditionError("the master chose protocol version " +
                                   std::to_string(welcome.version) + "; this node speaks " +
                                   std::to_string(kOldestProtocolVersion) + " to " +
                                   std::to_string(kProtocolVersion));
  }
  if (welcome.term < term_ && SessionGuards().deposed_masters_are_left) {
    return UnavailableError("the master is of term " + std::to_string(welcome.term) +
                            ", deposed since term " + std::to_string(term_));
  }
  pool_ = welcome.pool;
  term_ = welcome.term;
  const Duration beat_every =
      std::clamp<Duration>(welcome.heartbeat_interval, milliseconds(10), seconds(60));
  return std::optional(Membership{asked_at, hello.self.incarnation, welcome.pool, welcome.term,
                                  beat_every, welcome.wants_report});
}

Status Session::ReadOrders(Stream* stream) {
  v1::MasterMessage message;
  while (stream->Read(&message)) {
    if (!message.has_orders()) {
      return UnavailableError("the master sent something that is neither welcome nor orders");
    }
    KVSTORE_ASSIGN_OR_RETURN(const Orders orders, Decode(message.orders()));
    host_.Execute(orders);
    if (host_.leaving()) return Leave(stream);
  }
  return Status::Ok();
}

// The master ends the stream when it has read the goodbye. Nothing is withdrawn before: the master
// has found all memory free, and grants none. One that hangs is not waited for: what it may still
// grant of this incarnation nobody will let in.
Status Session::Leave(Stream* stream) {
  bool read_all = false;  // under mu_
  std::thread patience([&] {
    const TimePoint until = BootClock::now() + kFarewellTimeout;
    MutexLock lock(mu_);
    while (!read_all && BootClock::now() < until) changed_.WaitUntil(mu_, until);
    if (!read_all) stream->context()->TryCancel();
  });
  {
    MutexLock lock(mu_);
    goodbye_ = true;
  }
  host_.StopAcks();  // WriteAcks says it then
  v1::MasterMessage message;
  while (stream->Read(&message)) continue;  // orders concern it no more
  {
    MutexLock lock(mu_);
    read_all = true;
    changed_.NotifyAll();
  }
  patience.join();
  return Status::Ok();
}

// gRPC takes a part when the master reads on. While the master takes one the next is made.
bool Session::WriteReport(Stream* stream, ReignReport report) {
  uint64_t held = 0;
  for (const HeldMemory& memory : report.rest.held) {
    for (const Range& range : memory.ranges) held += range.length;
  }
  LOG(INFO) << "node " << options_.name << " reports to the master of term " << report.rest.term
            << ": " << report.notes.left() << " objects, " << held
            << " bytes that are still touched";
  v1::NodeMessage message;
  const auto write = [&](Report some, bool ends) {
    for (Report& part : CutToMessages(std::move(some))) {
      part.last = part.last && ends;
      message.Clear();
      Encode(part, message.mutable_report());
      if (!stream->Write(message)) return false;  // ReadOrders sees it too
    }
    return true;
  };
  while (report.notes.left() > 0) {
    Report some;
    some.term = report.rest.term;
    some.counter = report.rest.counter;
    some.notes = report.notes.Take(kNotesAtOnce);
    if (!write(std::move(some), false)) return false;
  }
  return write(std::move(report.rest), true);
}

void Session::WriteAcks(Stream* stream, uint64_t term) {
  v1::NodeMessage message;
  TimePoint tally_at = options_.tally ? BootClock::now() : TimePoint::max();
  ClientTally told;
  while (std::optional<Acks> acks = host_.NextAcks(tally_at)) {
    if (!acks->IsEmpty()) {
      acks->term = term;
      message.Clear();
      Encode(*acks, message.mutable_acks());
      if (!stream->Write(message)) return;  // the stream broke: ReadOrders sees it too
    }
    if (const std::optional<kvstore::Lend> lend = host_.TakeLend()) {
      message.Clear();
      Encode(*lend, message.mutable_lend());
      if (!stream->Write(message)) return;
    }
    if (BootClock::now() < tally_at) continue;
    tally_at = BootClock::now() + kBetweenTallies;
    if (ClientTally tally = options_.tally(); tally != told) {
      told = std::move(tally);
      message.Clear();
      Encode(told, message.mutable_tally());
      if (!stream->Write(message)) return;
    }
  }
  bool goodbye = false;
  {
    MutexLock lock(mu_);
    goodbye = goodbye_;
  }
  if (!goodbye) return;
  message.mutable_goodbye();
  if (stream->Write(message)) stream->WritesDone();
}

Duration Session::Judge(const Ending& ending, Backoff* backoff) {
  if (ending.was_member) backoff->Reset();
  if (host_.leaving()) {
    BecomeAnother(CancelledError("an operator had it drained, and it has left"));
    return backoff->Next();
  }
  if (ending.was_member) {
    LOG(WARNING) << "node " << options_.name << " lost its session with the master at "
                 << options_.master << ": " << ending.status;
  }
  const bool asked = ending.forgotten || AsksForAnother(ending.status);
  if (asked || ending.may_be_taken) BecomeAnother(ending.status);
  if (!asked && IsRefusal(ending.status)) {
    LOG(ERROR) << "the master at " << options_.master << " refused node " << options_.name << ": "
               << ending.status;
    return kRefusedPause;
  }
  return backoff->Next();
}

void Session::BecomeAnother(const Status& why) {
  LOG(WARNING) << "node " << options_.name
               << " empties itself and joins as another incarnation: " << why;
  host_.Empty();
  engine_.Rename(DrawIncarnation());
  pool_ = {};
  term_ = 0;
}

void Session::Pulse() {
  Membership membership;
  {
    const TimePoint until = BootClock::now() + kGreetingTimeout;
    MutexLock lock(mu_);
    while (stage_ == Stage::kGreeting && BootClock::now() < until) {
      changed_.WaitUntil(mu_, until);
    }
    if (stage_ == Stage::kGreeting) stream_context_->TryCancel();
    if (stage_ != Stage::kMember) return;
    membership = membership_;
  }
  Backoff backoff;
  while (IsMember()) {
    Beat(membership);
    Pause(backoff.Next(), Stage::kMember);
  }
}

void Session::Beat(const Membership& membership) {
  const std::unique_ptr<v1::Master::Stub> stub = v1::Master::NewStub(channel_);
  PolledStream<v1::Beat, v1::BeatReply> stream(poller_);
  {
    MutexLock lock(mu_);
    if (stage_ != Stage::kMember) return;
    beat_context_ = stream.context();
  }
  stream.Open(stub->PrepareAsyncHeartbeat(stream.context(), poller_.queue()));
  v1::Beat beat;
  Encode(kvstore::Beat{membership.self, membership.term}, &beat);
  v1::BeatReply reply;
  while (IsMember()) {
    const TimePoint asked_at = BootClock::now();
    if (!stream.Write(beat) || !stream.Read(&reply)) break;
    if (Decode(reply).unknown) {
      MutexLock lock(mu_);
      if (stage_ != Stage::kMember) break;
      forgotten_ = true;
      stream_context_->TryCancel();
      break;
    }
    BecomeCertain(asked_at);
    // What lacks them waits, or fails with a status of its own; operators look here.
    if (const Status none = CheckDescriptors(1); !none.ok()) {
      LOG_EVERY_T(ERROR, 10) << "node " << options_.name
                             << ": new connections of peers wait: " << none.message();
    }
    Pause(membership.beat_every, Stage::kMember);
  }
  stream.context()->TryCancel();
  (void)stream.Finish();  // cancelled, or broken: the session stream tells the reason
  MutexLock lock(mu_);
  beat_context_ = nullptr;
}

bool Session::BeginStream(grpc::ClientContext* context) {
  MutexLock lock(mu_);
  if (closing_) return false;
  stage_ = Stage::kGreeting;
  goodbye_ = false;
  stream_context_ = context;
  forgotten_ = false;
  changed_.NotifyAll();
  return true;
}

void Session::BecomeMember(const Membership& membership) {
  BecomeCertain(membership.asked_at);
  verbs_.Attach(membership.self, membership.term);
  LOG(INFO) << "node " << options_.name << " (" << membership.self.ToString() << ") joined pool "
            << membership.pool.ToString() << " of the master at " << options_.master << ", term "
            << membership.term;
  MutexLock lock(mu_);
  stage_ = Stage::kMember;
  membership_ = membership;
  refused_ = false;
  changed_.NotifyAll();
}

Session::Ending Session::EndStream(Status why) {
  Ending ending;
  {
    MutexLock lock(mu_);
    ending.was_member = stage_ == Stage::kMember;
    ending.forgotten = std::exchange(forgotten_, false);
    if (ending.forgotten) why = FailedPreconditionError("gone: the master does not know it");
    stage_ = Stage::kAway;
    stream_context_ = nullptr;
    if (beat_context_ != nullptr) beat_context_->TryCancel();
    trouble_ = why;
    refused_ = IsRefusal(why) && !AsksForAnother(why);
    changed_.NotifyAll();
  }
  verbs_.Detach(UnavailableError("no session with the master at " + options_.master + " (" +
                                 why.message() + ")"));
  ending.status = std::move(why);
  return ending;
}

void Session::BecomeCertain(TimePoint asked_at) {
  certain_until_ = (asked_at + kCertainAfterBeat).time_since_epoch().count();
}

bool Session::IsMember() const {
  MutexLock lock(mu_);
  return stage_ == Stage::kMember;
}

bool Session::IsClosing() const {
  MutexLock lock(mu_);
  return closing_;
}

// Ends early with the stage, and between streams when closing.
void Session::Pause(Duration pause, Stage stage) {
  const TimePoint until = BootClock::now() + pause;
  MutexLock lock(mu_);
  while (stage_ == stage && !(stage == Stage::kAway && closing_) && BootClock::now() < until) {
    changed_.WaitUntil(mu_, until);
  }
}

void Session::Cancel() {
  MutexLock lock(mu_);
  if (stream_context_ != nullptr) stream_context_->TryCancel();
  if (beat_context_ != nullptr) beat_context_->TryCancel();
}

}  // namespace kvstore::client
