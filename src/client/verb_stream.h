#ifndef KVSTORE_SRC_CLIENT_VERB_STREAM_H_
#define KVSTORE_SRC_CLIENT_VERB_STREAM_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "client/backoff.h"
#include "client/poller.h"
#include "client/verb_channel.h"
#include "thread_annotations.h"

namespace grpc {
class Channel;
class Status;
}  // namespace grpc

namespace kvstore::client {

// Verbs over gRPC: one long-lived stream to the master, opened as soon as the session has been
// welcomed, and anew, with a back-off, whenever it breaks. Requests are written by the thread that
// sends them, if none of them waits already, and answers are read by one of those that wait for
// some: see Poller. Thread-safe. Its wakeups must be gone before it is.
class VerbStream final : public VerbChannel {
 public:
  // `master` is named in messages. Calls wait for `patience` for a master that is away. The poller
  // outlives it.
  VerbStream(std::shared_ptr<grpc::Channel> channel, Poller& poller, std::string master,
             Duration patience = Duration::max());
  ~VerbStream() override;

  // The session has been welcomed as `self` in `term`. A stream of another incarnation or term is
  // dropped with all that is still unanswered on it.
  void Attach(Incarnation self, uint64_t term) EXCLUDES(mu_);
  // The session was lost. An open stream stays, but no other is opened until the next Attach.
  void Detach(Status why) EXCLUDES(mu_);

  void OnReply(std::function<void(VerbReply)> receiver) override EXCLUDES(mu_);
  std::optional<uint64_t> Send(const VerbRequest& request, TimePoint deadline) override
      EXCLUDES(mu_);
  uint64_t epoch() const override EXCLUDES(mu_);
  uint64_t term() const override EXCLUDES(mu_);
  Status health() const override EXCLUDES(mu_);
  std::optional<TimePoint> gives_up_at() const override EXCLUDES(mu_);
  std::unique_ptr<Wakeup> NewWakeup() override;
  const Clock& clock() const override { return Clock::Boot(); }
  Incarnation incarnation() const override EXCLUDES(mu_);

 private:
  class Call;
  class Sleeper;

  struct Member {
    Incarnation self;
    uint64_t term = 0;
    friend bool operator==(const Member&, const Member&) = default;
  };

  struct Need {
    Member member;
    uint64_t attachments = 0;
  };

  void KeepOpen() EXCLUDES(mu_);
  // Waits until a stream is wanted; none: closing.
  std::optional<Need> AwaitNeed() EXCLUDES(mu_);
  void OpenOne(const std::shared_ptr<Call>& call, const Member& member) EXCLUDES(mu_);
  // Whether it had brought a reply.
  bool AwaitEndOfCall() EXCLUDES(mu_);
  // Ends early when the session has been welcomed since `attachments`.
  void Pause(Duration pause, uint64_t attachments) EXCLUDES(mu_);
  void SetHealth(Status health) REQUIRES(mu_);
  void WakeSleepers() EXCLUDES(sleepers_mu_);

  // From the thread that polls.
  void Deliver(const Call* from, VerbReply reply) EXCLUDES(mu_);
  void Ended(const std::shared_ptr<Call>& call, const grpc::Status& status) EXCLUDES(mu_);

  const std::shared_ptr<grpc::Channel> channel_;
  Poller& poller_;
  const std::string master_;
  const Duration patience_;

  mutable Mutex mu_;
  CondVar changed_;
  bool closing_ GUARDED_BY(mu_) = false;
  bool attached_ GUARDED_BY(mu_) = false;
  uint64_t attachments_ GUARDED_BY(mu_) = 0;  // grows with every Attach, which ends a pause
  Member member_ GUARDED_BY(mu_);
  std::shared_ptr<Call> call_ GUARDED_BY(mu_);  // the stream in use; null: none
  size_t calls_alive_ GUARDED_BY(mu_) = 0;      // those of which gRPC still has something to say
  bool call_answered_ GUARDED_BY(mu_) = false;  // the stream in use has brought a reply
  uint64_t epoch_ GUARDED_BY(mu_) = 0;
  Status health_ GUARDED_BY(mu_);
  TimePoint opened_at_ GUARDED_BY(mu_){};  // the stream in use, or the last one
  // Since when nothing was known to reach the master; set while `health_` isn't OK, and until
  // something has come by a stream that was opened since.
  std::optional<TimePoint> away_since_ GUARDED_BY(mu_);
  std::function<void(VerbReply)> receiver_ GUARDED_BY(mu_);  // set once

  Mutex sleepers_mu_;
  std::set<Sleeper*> sleepers_ GUARDED_BY(sleepers_mu_);

  std::thread opener_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_VERB_STREAM_H_
