#ifndef KVSTORE_SRC_MASTER_SWITCHBOARD_H_
#define KVSTORE_SRC_MASTER_SWITCHBOARD_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "master/beats.h"
#include "master/catalog.h"
#include "master/event_feed.h"
#include "master/event_log.h"
#include "master/gatherer.h"
#include "master/members.h"
#include "master/order_queue.h"
#include "master/snapshot.h"
#include "master/stream_table.h"
#include "thread_annotations.h"

namespace kvstore::master {

// Where answers to a caller go: one of its verb streams.
class VerbPort {
 public:
  virtual ~VerbPort() = default;
  virtual void Send(VerbReply reply) = 0;
  virtual void EndVerbs(const Status& why) = 0;
};

// The catalog under its one mutex, and which stream leads to whom. Each event: lock, ask the
// catalog at the time that it is, look up the streams that its effects are for, queue its orders,
// unlock, send, and tell the log and who watches what has become of nodes and objects. Orders reach
// a session in the order in which the catalog made them; answers may overtake each other. What must
// be durable first is written between two events, without the lock.
// Knows nothing of gRPC. Thread-safe.
class Switchboard {
 public:
  // `members` calls nobody back any more when the switchboard is destroyed. `gather`: for so long
  // orders that can wait may do so.
  Switchboard(const Limits& limits, const Reign& reign, const Clock& clock, Members& members,
              const EventLog::Options& log = {}, Duration gather = Duration::zero());

  Incarnation pool() const { return pool_; }
  uint64_t term() const { return term_; }

  // Tells `done` once, perhaps before this returns, perhaps later in another thread: a new lender
  // is written down among the members first. From then on the node's orders go to `session`, also
  // before `done`; an earlier session of it is ended. Refusals are the catalog's; unavailable, with
  // the reason: the new member can't be written down.
  using Joined = std::function<void(Result<Welcome> welcome)>;
  void Join(const Hello& hello, const std::shared_ptr<SessionPort>& session, const Joined& done)
      EXCLUDES(mu_);
  // The stream has ended. Nothing, if it is no longer the node's session.
  void SessionEnded(Incarnation node, const SessionPort* session) EXCLUDES(mu_);
  void Leave(Incarnation node) EXCLUDES(mu_);
  void HandleAcks(Incarnation node, const Acks& acks) EXCLUDES(mu_);
  // Orders that wait for others are sent, and none waits from now on.
  void SendGathered();
  // Not OK: the session is to end with that. Nothing, if it is no longer the node's session.
  Status HandleReport(Incarnation node, const SessionPort* session, const Report& report)
      EXCLUDES(mu_);
  // As HandleReport; tells `done` when a node that lends for the first time is written down.
  void HandleLend(Incarnation node, const Lend& lend, const Members::Done& done) EXCLUDES(mu_);
  void HandleTally(Incarnation node, const ClientTally& tally) EXCLUDES(mu_);
  // A heartbeat. Takes no catalog lock. False: not a member.
  bool Heard(Incarnation node) { return beats_.Heard(clock_.Now(), node); }

  // Answers to the caller go to the stream that it opened last.
  // failed_precondition: it is no member, or of another term; resource_exhausted: too many streams.
  Status OpenVerbs(Incarnation caller, uint64_t term, const std::shared_ptr<VerbPort>& stream)
      EXCLUDES(mu_);
  void VerbsEnded(Incarnation caller, const VerbPort* stream) EXCLUDES(mu_);
  void Handle(Incarnation caller, const VerbRequest& request) EXCLUDES(mu_);

  // Whether an event is being dealt with just now, so that the next one would have to wait.
  bool IsBusy() const EXCLUDES(mu_) {
    if (!mu_.TryLock()) return true;
    mu_.Unlock();
    return false;
  }

  // Carries the heartbeats over and lets time pass. A tick that comes too late counts nobody silent
  // for the delay.
  void Tick() EXCLUDES(mu_);

  Census TakeCensus() const EXCLUDES(mu_);
  Snapshot TakeSnapshot() const EXCLUDES(mu_);
  Counters counters() const EXCLUDES(mu_);
  std::vector<NodeLine> ListNodes() const EXCLUDES(mu_);
  std::vector<NodeEvent> ListDeparted() const EXCLUDES(mu_);
  std::vector<SegmentLine> ListSegments() const EXCLUDES(mu_);
  // Those of the catalog; unavailable: members of the last reign are missing.
  Result<std::vector<ObjectLine>> ListObjects(std::string_view prefix, std::string_view after,
                                              size_t limit) const EXCLUDES(mu_);
  Result<ObjectDetail> Describe(std::string_view key) const EXCLUDES(mu_);
  // What is remembered of keys that begin so and are not there, or were not when they were asked
  // for; what changed last comes first.
  std::vector<TraceLine> ListTraces(std::string_view prefix) const EXCLUDES(mu_);
  // The same of one key.
  std::optional<TraceLine> FindTrace(std::string_view key) const EXCLUDES(mu_);
  std::vector<TaskLine> ListTasks() const EXCLUDES(mu_);

  Status Drain(std::string_view node, bool drain) EXCLUDES(mu_);
  Result<uint64_t> StartTask(const TaskRequest& request) EXCLUDES(mu_);
  EvictOutcome Evict(const EvictRequest& request) EXCLUDES(mu_);

  // What happens from now on; see EventFeed::Watch.
  Result<std::shared_ptr<EventQueue>> Watch(const EventFilter& filter, std::function<void()> wake)
      EXCLUDES(mu_);

 private:
  struct Lines {
    std::shared_ptr<OrderQueue> session;
    std::vector<std::shared_ptr<VerbPort>> verbs;  // in the order in which they were opened
  };
  // Effects with their addressees found.
  struct Mail {
    std::vector<std::pair<std::shared_ptr<VerbPort>, VerbReply>> replies;
    std::vector<std::shared_ptr<OrderQueue>> orders;    // that have something to send
    std::vector<std::shared_ptr<OrderQueue>> gathered;  // and that have time for it
    std::vector<Lines> ended;
    Status why;  // they were ended
    std::vector<Incarnation> strike;
    std::vector<std::string> contradicted;
    std::vector<NodeEvent> node_events;
    std::vector<ObjectEvent> object_events;
  };

  // Members that are being written down, for a hello or a Lend that the catalog has yet to take.
  struct Admission {
    size_t under_way = 0;
    bool written = false;  // one of them
  };

  // A new lender is about to be written down. unavailable: it is being struck just now.
  Status BeginAdmission(Incarnation node) REQUIRES(mu_);
  // Writes it down and tells `done`, which asks the catalog. Where that has not taken it, and
  // nothing else is under way that it might take, it is struck again.
  void Admit(const Reign::Member& member, Members::Done done) EXCLUDES(mu_);
  // True: it is to be struck.
  bool EndAdmission(Incarnation node, bool written) REQUIRES(mu_);
  Result<Welcome> JoinNow(const Hello& hello, const std::shared_ptr<SessionPort>& session)
      EXCLUDES(mu_);
  Status LendNow(Incarnation node, const Lend& lend) EXCLUDES(mu_);
  // Once they are no durable members any more, the catalog is told so; until that can be written,
  // it is tried again.
  void Strike(std::vector<Incarnation> nodes) EXCLUDES(mu_);
  void StrikeAgain(const std::vector<Incarnation>& nodes, const Status& why) EXCLUDES(mu_);
  std::vector<Incarnation> TakeUnstruck(TimePoint now) REQUIRES(mu_);

  // Whether the stream is the node's session.
  bool IsSessionOf(Incarnation node, const SessionPort* session) const REQUIRES(mu_);
  bool ObjectsWanted() const { return event_log_.WantsObjects() || feed_.wants_objects(); }
  Mail Address(Effects effects) REQUIRES(mu_);
  void Disconnect(Incarnation node, Mail* mail) REQUIRES(mu_);
  void Deliver(Mail mail) EXCLUDES(mu_);

  const Incarnation pool_;
  const uint64_t term_;
  const Clock& clock_;
  Members& members_;
  const TimePoint began_;
  Beats beats_;
  EventLog event_log_;
  EventFeed feed_;
  Gatherer gatherer_;

  mutable Mutex mu_;
  Catalog catalog_ GUARDED_BY(mu_);
  TimePoint last_tick_ GUARDED_BY(mu_);
  std::unordered_map<Incarnation, Lines> lines_ GUARDED_BY(mu_);
  std::set<Incarnation> unstruck_ GUARDED_BY(mu_);  // to be struck, but that could not be written
  std::unordered_map<Incarnation, Admission> admitting_ GUARDED_BY(mu_);
  std::set<Incarnation> unwanted_ GUARDED_BY(mu_);  // written down in vain, and not struck yet
  TimePoint strike_again_ GUARDED_BY(mu_){};        // not before
  TimePoint complain_again_ GUARDED_BY(mu_){};      // that it can't be written: not before
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SWITCHBOARD_H_
