#include "client/verb_stream.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <utility>

#include "client/parts.h"
#include "kvstore/v1/kvstore.grpc.pb.h"
#include "proto/codec.h"

namespace kvstore::client {
namespace {

// A stream that was open for longer had reached the master.
constexpr Duration kStays = std::chrono::seconds(10);
// Of requests that gRPC has not taken yet. A master that doesn't read makes senders wait for their
// own deadlines, not fill the memory.
constexpr size_t kMaxQueuedBytes = 8 * kMaxMessageBytes;

}  // namespace

// One stream, from its opening until gRPC has said its last word about it; keeps itself alive until
// then. Requests are queued here because gRPC takes one at a time.
class VerbStream::Call final {
 public:
  // Queues the hello; nothing runs before Start.
  Call(VerbStream& owner, v1::Master::Stub& stub, const Member& member)
      : owner_(owner), wire_(stub.PrepareAsyncVerbs(&context_, owner.poller_.queue())) {
    auto hello = std::make_unique<v1::VerbMessage>();
    Encode(VerbHello{.self = member.self, .term = member.term}, hello->mutable_hello());
    Send(std::move(hello), TimePoint::max());
  }

  void Start(std::shared_ptr<Call> self) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    self_ = std::move(self);
    wire_->StartCall(Tag(&opened_));
  }

  // False: the message was not taken, and never will be.
  bool Send(std::unique_ptr<v1::VerbMessage> message, TimePoint deadline) EXCLUDES(mu_) {
    const size_t bytes = message->ByteSizeLong();
    MutexLock lock(mu_);
    while (!over_ && !outgoing_.empty() && queued_bytes_ + bytes > kMaxQueuedBytes) {
      if (BootClock::now() >= deadline) return false;
      room_.WaitUntil(mu_, deadline);
    }
    if (over_) return false;
    queued_bytes_ += bytes;
    outgoing_.push_back({std::move(message), bytes});
    WriteNext();
    return true;
  }

  // Whether gRPC has not said yet that it has taken a message, so that the next one waits.
  bool is_writing() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return writing_;
  }

  // Local: the end follows soon, whatever the master does.
  void Cancel() { context_.TryCancel(); }

 private:
  struct Outgoing {
    std::unique_ptr<v1::VerbMessage> message;
    size_t bytes;
  };

  template <void (Call::*kDone)(bool)>
  class Step final : public Poller::Operation {
   public:
    explicit Step(Call& call) : call_(call) {}
    void Done(bool ok) override { (call_.*kDone)(ok); }

   private:
    Call& call_;
  };

  void* Tag(Poller::Operation* step) REQUIRES(mu_) {
    ++under_way_;
    return owner_.poller_.Tag(step);
  }

  void Opened(bool ok) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    --under_way_;
    if (!ok) return Over();
    is_open_ = true;
    ReadNext();
    WriteNext();
  }

  void HasRead(bool ok) EXCLUDES(mu_) {
    {
      // Taken in any case: gRPC orders this after the start, but only a mutex of ours shows
      // ThreadSanitizer so.
      MutexLock lock(mu_);
      if (!ok) {
        --under_way_;
        return Over();
      }
    }
    Result<VerbReply> reply = Decode(incoming_);
    {
      MutexLock lock(mu_);
      --under_way_;
      ReadNext();  // before others are told of this one, who would wait for the next
    }
    if (reply.ok()) {
      owner_.Deliver(this, *std::move(reply));
    } else {
      LOG(ERROR) << "the master at " << owner_.master_
                 << " sent a reply that breaks the contract; the stream is opened anew: "
                 << reply.status();
      Cancel();
    }
  }

  void HasWritten(bool ok) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    --under_way_;
    writing_ = false;
    queued_bytes_ -= outgoing_.front().bytes;
    outgoing_.pop_front();
    room_.NotifyAll();
    if (!ok || over_) return Over();
    WriteNext();
  }

  // The owner may be gone as soon as it has been told.
  void HasEnded(bool) EXCLUDES(mu_) {
    std::shared_ptr<Call> self;
    {
      MutexLock lock(mu_);
      self = std::move(self_);
    }
    owner_.Ended(self, status_);
  }

  void ReadNext() REQUIRES(mu_) { wire_->Read(&incoming_, Tag(&read_)); }

  void WriteNext() REQUIRES(mu_) {
    if (!is_open_ || writing_ || outgoing_.empty()) return;
    writing_ = true;
    wire_->Write(*outgoing_.front().message, Tag(&written_));
  }

  // No write begins after this; when nothing is under way any more, gRPC is asked how it ended.
  void Over() REQUIRES(mu_) {
    if (!std::exchange(over_, true)) room_.NotifyAll();
    if (under_way_ == 0) wire_->Finish(&status_, Tag(&ended_));
  }

  VerbStream& owner_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::VerbMessage, v1::VerbReplyMessage>> wire_;
  Step<&Call::Opened> opened_{*this};
  Step<&Call::HasRead> read_{*this};
  Step<&Call::HasWritten> written_{*this};
  Step<&Call::HasEnded> ended_{*this};
  v1::VerbReplyMessage incoming_;  // gRPC's while it reads
  grpc::Status status_;            // gRPC's from the end on, until HasEnded

  Mutex mu_;
  std::shared_ptr<Call> self_ GUARDED_BY(mu_);  // until HasEnded
  CondVar room_;
  bool is_open_ GUARDED_BY(mu_) = false;
  bool over_ GUARDED_BY(mu_) = false;
  bool writing_ GUARDED_BY(mu_) = false;
  int under_way_ GUARDED_BY(mu_) = 0;
  std::deque<Outgoing> outgoing_ GUARDED_BY(mu_);  // the first is gRPC's while it writes
  size_t queued_bytes_ GUARDED_BY(mu_) = 0;
};

// What one call of the master's stub sleeps on.
class VerbStream::Sleeper final : public Wakeup {
 public:
  explicit Sleeper(VerbStream& stream) : stream_(stream) {
    MutexLock lock(stream_.sleepers_mu_);
    stream_.sleepers_.insert(this);
  }
  ~Sleeper() override {
    MutexLock lock(stream_.sleepers_mu_);
    stream_.sleepers_.erase(this);
  }

  void WaitUntil(TimePoint until) override { waiter_.WaitUntil(until); }
  void Notify() override { waiter_.Notify(); }

 private:
  VerbStream& stream_;
  Poller::Waiter waiter_{stream_.poller_};
};

VerbStream::VerbStream(std::shared_ptr<grpc::Channel> channel, Poller& poller, std::string master,
                       Duration patience)
    : channel_(std::move(channel)),
      poller_(poller),
      master_(std::move(master)),
      patience_(patience),
      health_(UnavailableError("not yet welcomed by the master at " + master_)),
      away_since_(BootClock::now()),
      opener_([this] { KeepOpen(); }) {}

VerbStream::~VerbStream() {
  std::shared_ptr<Call> call;
  {
    MutexLock lock(mu_);
    closing_ = true;
    call = call_;
    changed_.NotifyAll();
  }
  if (call != nullptr) call->Cancel();
  opener_.join();
  MutexLock lock(mu_);
  while (calls_alive_ > 0) changed_.Wait(mu_);  // all are cancelled, which needs no peer
}

void VerbStream::Attach(Incarnation self, uint64_t term) {
  std::shared_ptr<Call> old;
  {
    MutexLock lock(mu_);
    const Member member{self, term};
    if (!(member == member_)) old = std::move(call_);
    if (old != nullptr) call_ = nullptr;
    member_ = member;
    attached_ = true;
    ++attachments_;
    away_since_.reset();
    SetHealth(Status::Ok());
    changed_.NotifyAll();
  }
  if (old != nullptr) old->Cancel();
}

void VerbStream::Detach(Status why) {
  {
    MutexLock lock(mu_);
    attached_ = false;
    SetHealth(std::move(why));
    changed_.NotifyAll();
  }
  WakeSleepers();
}

void VerbStream::OnReply(std::function<void(VerbReply)> receiver) {
  MutexLock lock(mu_);
  receiver_ = std::move(receiver);
}

std::optional<uint64_t> VerbStream::Send(const VerbRequest& request, TimePoint deadline) {
  std::shared_ptr<Call> call;
  uint64_t term = 0;
  {
    MutexLock lock(mu_);
    call = call_;
    term = member_.term;  // of the stream in use, whichever follows while this waits
  }
  if (call == nullptr) return std::nullopt;  // the epoch will grow when there is a stream again
  if (call->is_writing())
    poller_.PollReady();  // who sends one after another polls but now and then
  auto message = std::make_unique<v1::VerbMessage>();
  Encode(request, message->mutable_request());
  if (!call->Send(std::move(message), deadline)) return std::nullopt;
  return term;
}

uint64_t VerbStream::epoch() const {
  MutexLock lock(mu_);
  return epoch_;
}

uint64_t VerbStream::term() const {
  MutexLock lock(mu_);
  return member_.term;
}

Status VerbStream::health() const {
  MutexLock lock(mu_);
  return health_;
}

std::optional<TimePoint> VerbStream::gives_up_at() const {
  MutexLock lock(mu_);
  if (health_.ok() || patience_ == Duration::max()) return std::nullopt;
  return After(*away_since_, patience_);
}

void VerbStream::SetHealth(Status health) {
  if (!health.ok() && !away_since_) away_since_ = BootClock::now();
  health_ = std::move(health);
}

Incarnation VerbStream::incarnation() const {
  MutexLock lock(mu_);
  return member_.self;
}

std::unique_ptr<Wakeup> VerbStream::NewWakeup() { return std::make_unique<Sleeper>(*this); }

void VerbStream::KeepOpen() {
  const std::unique_ptr<v1::Master::Stub> stub = v1::Master::NewStub(channel_);
  Backoff backoff;
  while (const std::optional<Need> need = AwaitNeed()) {
    OpenOne(std::make_shared<Call>(*this, *stub, need->member), need->member);
    if (AwaitEndOfCall()) backoff.Reset();
    Pause(backoff.Next(), need->attachments);
  }
}

std::optional<VerbStream::Need> VerbStream::AwaitNeed() {
  MutexLock lock(mu_);
  while (!closing_ && !attached_) changed_.Wait(mu_);
  if (closing_) return std::nullopt;
  return Need{member_, attachments_};
}

void VerbStream::OpenOne(const std::shared_ptr<Call>& call, const Member& member) {
  bool wanted = false;
  {
    MutexLock lock(mu_);
    ++calls_alive_;
    wanted = !closing_ && member == member_;
    if (wanted) {
      call_ = call;
      call_answered_ = false;
      opened_at_ = BootClock::now();
      ++epoch_;
      if (attached_) SetHealth(Status::Ok());
    }
  }
  if (!wanted) call->Cancel();
  call->Start(call);
  WakeSleepers();
}

bool VerbStream::AwaitEndOfCall() {
  MutexLock lock(mu_);
  while (!closing_ && call_ != nullptr) changed_.Wait(mu_);
  return call_answered_;
}

void VerbStream::Pause(Duration pause, uint64_t attachments) {
  const TimePoint until = BootClock::now() + pause;
  MutexLock lock(mu_);
  while (!closing_ && attachments_ == attachments && BootClock::now() < until) {
    changed_.WaitUntil(mu_, until);
  }
}

void VerbStream::WakeSleepers() {
  MutexLock lock(sleepers_mu_);
  for (Sleeper* sleeper : sleepers_) sleeper->Notify();
}

void VerbStream::Deliver(const Call* from, VerbReply reply) {
  std::function<void(VerbReply)> receiver;
  {
    MutexLock lock(mu_);
    if (call_.get() != from) return;  // the answer to an incarnation or a term that is over
    call_answered_ = true;
    if (health_.ok()) away_since_.reset();  // else the session is lost, whatever still comes
    receiver = receiver_;
  }
  if (receiver) receiver(std::move(reply));
}

void VerbStream::Ended(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  {
    MutexLock lock(mu_);
    if (call_ == call) {
      call_ = nullptr;
      if (attached_) {
        // One on which nothing was asked was good, too, if it stayed.
        if (BootClock::now() - opened_at_ > kStays) away_since_.reset();
        SetHealth(UnavailableError("the verb stream to the master at " + master_ + " has ended (" +
                                   status.error_message() + "); it is being opened anew"));
      }
    }
    changed_.NotifyAll();
  }
  WakeSleepers();  // when they give up may have changed
  MutexLock lock(mu_);
  --calls_alive_;  // now this may be destroyed
  changed_.NotifyAll();
}

}  // namespace kvstore::client
