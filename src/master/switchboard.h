#ifndef KVSTORE_SRC_MASTER_SWITCHBOARD_H_
#define KVSTORE_SRC_MASTER_SWITCHBOARD_H_

#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "master/beats.h"
#include "master/catalog.h"
#include "master/event_log.h"
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

// Where orders to a node go: its session stream.
class SessionPort {
 public:
  virtual ~SessionPort() = default;
  // May drop them: the catalog sends unanswered orders again.
  virtual void Send(Orders orders) = 0;
  virtual void EndSession(const Status& why) = 0;
};

// The catalog under its one mutex, and which stream leads to whom. Each event: lock, ask the
// catalog at the time that it is, look up the streams that its effects are for, unlock, send, and
// log what has become of nodes and objects.
// Knows nothing of gRPC. Thread-safe.
class Switchboard {
 public:
  Switchboard(const Limits& limits, const Reign& reign, const Clock& clock,
              const EventLog::Options& log = {});

  Incarnation pool() const { return pool_; }
  uint64_t term() const { return term_; }

  // The node's orders go to `session` from now on, perhaps before this returns; an earlier session
  // of it is ended. Refusals are the catalog's.
  Result<Welcome> Join(const Hello& hello, const std::shared_ptr<SessionPort>& session)
      EXCLUDES(mu_);
  // The stream has ended. Nothing, if it is no longer the node's session.
  void SessionEnded(Incarnation node, const SessionPort* session) EXCLUDES(mu_);
  void Leave(Incarnation node) EXCLUDES(mu_);
  void HandleAcks(Incarnation node, const Acks& acks) EXCLUDES(mu_);
  // A heartbeat. Takes no catalog lock. False: not a member.
  bool Heard(Incarnation node) { return beats_.Heard(clock_.Now(), node); }

  // Answers to the caller go to the stream that it opened last.
  // failed_precondition: it is no member, or of another term; resource_exhausted: too many streams.
  Status OpenVerbs(Incarnation caller, uint64_t term, const std::shared_ptr<VerbPort>& stream)
      EXCLUDES(mu_);
  void VerbsEnded(Incarnation caller, const VerbPort* stream) EXCLUDES(mu_);
  void Handle(Incarnation caller, const VerbRequest& request) EXCLUDES(mu_);

  // Carries the heartbeats over and lets time pass. A tick that comes too late counts nobody silent
  // for the delay.
  void Tick() EXCLUDES(mu_);

  Census TakeCensus() const EXCLUDES(mu_);
  Counters counters() const EXCLUDES(mu_);
  std::vector<NodeLine> ListNodes() const EXCLUDES(mu_);
  std::vector<SegmentLine> ListSegments() const EXCLUDES(mu_);
  std::vector<ObjectLine> ListObjects(std::string_view prefix, std::string_view after,
                                      size_t limit) const EXCLUDES(mu_);

 private:
  struct Lines {
    std::shared_ptr<SessionPort> session;
    std::vector<std::shared_ptr<VerbPort>> verbs;  // in the order in which they were opened
  };
  // Effects with their addressees found.
  struct Mail {
    std::vector<std::pair<std::shared_ptr<VerbPort>, VerbReply>> replies;
    std::vector<std::pair<std::shared_ptr<SessionPort>, Orders>> orders;
    std::vector<Lines> ended;
    Status why;  // they were ended
    std::vector<Incarnation> strike;
    std::vector<NodeEvent> node_events;
    std::vector<ObjectEvent> object_events;
  };

  Mail Address(Effects effects) REQUIRES(mu_);
  void Disconnect(Incarnation node, Mail* mail) REQUIRES(mu_);
  void Deliver(Mail mail) EXCLUDES(mu_);

  const Incarnation pool_;
  const uint64_t term_;
  const Clock& clock_;
  Beats beats_;
  EventLog event_log_;

  mutable Mutex mu_;
  Catalog catalog_ GUARDED_BY(mu_);
  TimePoint last_tick_ GUARDED_BY(mu_);
  std::unordered_map<Incarnation, Lines> lines_ GUARDED_BY(mu_);
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SWITCHBOARD_H_
