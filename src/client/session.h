#ifndef KVSTORE_SRC_CLIENT_SESSION_H_
#define KVSTORE_SRC_CLIENT_SESSION_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "client/backoff.h"
#include "client/poller.h"
#include "client/segment_host.h"
#include "client/verb_stream.h"
#include "guard_switch.h"
#include "kvstore/result.h"
#include "kvstore/status.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace kvstore::client {

// Guards of the rules that a session keeps: see guard_switch.h.
struct SessionGuards {
  // Reigns: a hello that got no answer is followed by that of another incarnation.
  KVSTORE_GUARD(unanswered_hello_is_not_repeated);
  KVSTORE_GUARD(deposed_masters_are_left);  // reigns: the welcome of an older term is none
  KVSTORE_GUARD(locations_need_certainty);  // rule 8: remembered ones, after an answered beat
};

// The way to the master at "HOST:PORT", for a session and its verb stream. Connects when it is
// first used, and again by itself.
std::shared_ptr<grpc::Channel> OpenMasterChannel(const std::string& master);

struct SessionOptions {
  std::string master;  // as the channel was opened, for messages
  std::string name;    // of the node
  std::string host;    // as HostIdentity has it
  // What the client has counted; empty: the master is told none of it.
  std::function<ClientTally()> tally{};
};

// Keeps this process a member of the master's pool: says hello, reports what its memory holds to a
// master that does not know it, executes orders and sends their acks, beats, and comes back with a
// back-off whenever the stream breaks: as the same, whoever reigns. When the master takes it for
// gone or reigns over another pool, the node empties itself and joins as another incarnation, which
// reports what is still touched; so it does when a master may have taken it in and it did not hear
// of that: the next hello may be read by another master, and no two of them may grant the same
// memory of one incarnation. Told to leave, since it was drained, it says goodbye and joins as
// another that lends nothing.
//
// Threads: one that lives as long as the session (opens the stream, reads orders); for each stream
// one that writes the report and acks, so that they wait for nothing, and one that beats.
// Thread-safe.
class Session {
 public:
  // Begins to join at once; all outlive it.
  Session(std::shared_ptr<grpc::Channel> channel, Poller& poller, SessionOptions options,
          transfer::Engine& engine, SegmentHost& host, VerbStream& verbs);
  // Close, at once.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // OK once welcomed. unavailable: not by `until`, with the last reason; failed_precondition and
  // other codes: the master's refusal, which trying again won't change.
  Status WaitJoined(TimePoint until) EXCLUDES(mu_);

  // Whether no other master can have answered anybody yet: what this one said holds. Cheap.
  bool IsCertain() const {
    return BootClock::now().time_since_epoch().count() < certain_until_ ||
           !SessionGuards().locations_need_certainty;
  }

  // Leaves the pool: withdraws all that is lent, waits until this process touches none of it, says
  // goodbye. What isn't done by `until` is left out, and the master finds the node missing.
  void Close(TimePoint until) EXCLUDES(mu_);

 private:
  class Stream;

  enum class Stage : uint8_t {
    kAway,      // no stream
    kGreeting,  // said hello, or about to
    kMember,    // welcomed
  };

  struct Membership {
    TimePoint asked_at;  // before the hello
    Incarnation self;
    Incarnation pool;
    uint64_t term = 0;
    Duration beat_every{};
    bool wants_report = false;
  };

  // How one stream ended.
  struct Ending {
    Status status;
    bool was_member = false;
    bool forgotten = false;     // a beat was answered with "unknown"
    bool may_be_taken = false;  // by a master of an unknown pool, which may grant its memory
  };

  // On life_.
  void Live() EXCLUDES(mu_);
  Ending Attend() EXCLUDES(mu_);
  // A connection on which nobody waits is looked at every 5 s only, so that a master that comes up
  // late would be found late.
  void AwaitConnection() EXCLUDES(mu_);
  // Hello, welcome, the report that it wants, orders until the stream breaks (OK) or what came
  // breaks the contract.
  Status Converse(Stream* stream) EXCLUDES(mu_);
  // None: the stream broke.
  Result<std::optional<Membership>> Greet(Stream* stream) EXCLUDES(mu_);
  Status ReadOrders(Stream* stream) EXCLUDES(mu_);
  // Says the goodbye of a node that was told to leave, and waits for the stream's end.
  Status Leave(Stream* stream) EXCLUDES(mu_);
  Hello MakeHello() const;
  // What follows from an ending; how long to wait before the next try.
  Duration Judge(const Ending& ending, Backoff* backoff) EXCLUDES(mu_);
  void BecomeAnother(const Status& why) EXCLUDES(mu_);

  // On threads of one stream.
  // False: the stream broke.
  bool WriteReport(Stream* stream, ReignReport report);
  void WriteAcks(Stream* stream, uint64_t term) EXCLUDES(mu_);
  void Pulse() EXCLUDES(mu_);
  // One heartbeat stream, until it breaks or the node is no member any more.
  void Beat(const Membership& membership) EXCLUDES(mu_);

  // False, when closing: don't begin.
  bool BeginStream(grpc::ClientContext* context) EXCLUDES(mu_);
  void BecomeMember(const Membership& membership) EXCLUDES(mu_);
  Ending EndStream(Status why) EXCLUDES(mu_);
  // The master has answered what was sent after `asked_at`.
  void BecomeCertain(TimePoint asked_at);
  bool IsMember() const EXCLUDES(mu_);
  bool IsClosing() const EXCLUDES(mu_);
  void Pause(Duration pause, Stage stage) EXCLUDES(mu_);
  void Cancel() EXCLUDES(mu_);

  const std::shared_ptr<grpc::Channel> channel_;
  Poller& poller_;
  const SessionOptions options_;
  transfer::Engine& engine_;
  SegmentHost& host_;
  VerbStream& verbs_;

  // Confined to life_.
  Incarnation pool_;
  uint64_t term_ = 0;
  bool hello_is_out_ = false;  // a master may have read the hello of this stream

  mutable Mutex mu_;
  CondVar changed_;
  Stage stage_ GUARDED_BY(mu_) = Stage::kAway;
  Membership membership_ GUARDED_BY(mu_);  // while a member
  std::atomic<TimePoint::rep> certain_until_ = TimePoint::min().time_since_epoch().count();
  bool forgotten_ GUARDED_BY(mu_) = false;
  bool closing_ GUARDED_BY(mu_) = false;
  // Everything is withdrawn, and what was served has ended; or the master has drained it.
  bool goodbye_ GUARDED_BY(mu_) = false;
  bool refused_ GUARDED_BY(mu_) = false;  // trying again won't help; `trouble_` says why
  bool ended_ GUARDED_BY(mu_) = false;    // life_ is about to return
  Status trouble_ GUARDED_BY(mu_);        // why the last stream ended
  grpc::ClientContext* stream_context_ GUARDED_BY(mu_) = nullptr;  // null: no such stream
  grpc::ClientContext* beat_context_ GUARDED_BY(mu_) = nullptr;

  std::thread life_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_SESSION_H_
