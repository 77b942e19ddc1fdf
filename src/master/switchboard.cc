#include "master/switchboard.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace kvstore::master {
namespace {

constexpr size_t kMaxVerbStreams = 64;  // of one caller
// What one tick may count as silence of a node. Ticks are due much more often: a later one means
// that the process was stopped or starved, or the lock held, and then nodes were not heard because
// of the master.
constexpr Duration kLongestTick = std::chrono::milliseconds(250);

}  // namespace

Switchboard::Switchboard(const Limits& limits, const Reign& reign, const Clock& clock,
                         const EventLog::Options& log)
    : pool_(reign.pool),
      term_(reign.term),
      clock_(clock),
      event_log_(reign.term, log),
      catalog_(clock.Now(), limits, reign),
      last_tick_(clock.Now()) {
  catalog_.WatchObjects(event_log_.WantsObjects());
}

Result<Welcome> Switchboard::Join(const Hello& hello, const std::shared_ptr<SessionPort>& session) {
  const Incarnation node = hello.self.incarnation;
  std::shared_ptr<SessionPort> replaced;
  Mail mail;
  Result<Welcome> welcome = [&]() -> Result<Welcome> {
    MutexLock lock(mu_);
    Effects effects;
    Result<Welcome> answer = catalog_.Join(clock_.Now(), hello, &effects);
    if (answer.ok()) {
      replaced = std::exchange(lines_[node].session, session);
      beats_.Admit(node);
    }
    mail = Address(std::move(effects));
    return answer;
  }();
  if (replaced != nullptr) {
    replaced->EndSession(AbortedError("the node has opened its session again"));
  }
  Deliver(std::move(mail));
  return welcome;
}

void Switchboard::SessionEnded(Incarnation node, const SessionPort* session) {
  std::shared_ptr<SessionPort> last;  // destroyed after the lock is released
  Mail mail;
  {
    MutexLock lock(mu_);
    const auto lines = lines_.find(node);
    if (lines == lines_.end() || lines->second.session.get() != session) return;
    last = std::move(lines->second.session);
    if (lines->second.verbs.empty()) lines_.erase(lines);
    mail = Address(catalog_.SessionLost(clock_.Now(), node));
  }
  Deliver(std::move(mail));
}

void Switchboard::Leave(Incarnation node) {
  Mail mail;
  {
    MutexLock lock(mu_);
    mail = Address(catalog_.Leave(clock_.Now(), node));
    mail.why = Status::Ok();
    Disconnect(node, &mail);
  }
  Deliver(std::move(mail));
}

void Switchboard::HandleAcks(Incarnation node, const Acks& acks) {
  Mail mail;
  {
    MutexLock lock(mu_);
    mail = Address(catalog_.HandleAcks(clock_.Now(), node, acks));
  }
  Deliver(std::move(mail));
}

Status Switchboard::OpenVerbs(Incarnation caller, uint64_t term,
                              const std::shared_ptr<VerbPort>& stream) {
  MutexLock lock(mu_);
  if (term != term_) {
    return FailedPreconditionError("term " + std::to_string(term) + " is not this master's, " +
                                   std::to_string(term_) + "; open the session again first");
  }
  if (!catalog_.IsMember(caller)) {
    return FailedPreconditionError("node " + caller.ToString() +
                                   " is no member of this pool; open its session first");
  }
  Lines& lines = lines_[caller];
  if (lines.verbs.size() >= kMaxVerbStreams) {
    return ResourceExhaustedError("the node has " + std::to_string(lines.verbs.size()) +
                                  " verb streams open, as many as are allowed; use those");
  }
  lines.verbs.push_back(stream);
  return Status::Ok();
}

void Switchboard::VerbsEnded(Incarnation caller, const VerbPort* stream) {
  std::shared_ptr<VerbPort> last;  // destroyed after the lock is released
  MutexLock lock(mu_);
  const auto lines = lines_.find(caller);
  if (lines == lines_.end()) return;
  auto& verbs = lines->second.verbs;
  const auto found = std::find_if(verbs.begin(), verbs.end(),
                                  [stream](const auto& port) { return port.get() == stream; });
  if (found == verbs.end()) return;
  last = std::move(*found);
  verbs.erase(found);
  if (verbs.empty() && lines->second.session == nullptr) lines_.erase(lines);
}

void Switchboard::Handle(Incarnation caller, const VerbRequest& request) {
  Mail mail;
  {
    MutexLock lock(mu_);
    mail = Address(catalog_.Handle(clock_.Now(), caller, request));
  }
  Deliver(std::move(mail));
}

void Switchboard::Tick() {
  Mail mail;
  std::vector<NodeEvent> heard;
  {
    MutexLock lock(mu_);
    // The time comes before the beats, and both only under the lock: however long that took, nodes
    // are judged by all that was heard until then.
    const TimePoint now = clock_.Now();
    for (const auto& [node, when] : beats_.Take()) {
      Effects effects = catalog_.Heard(when, node);
      std::move(effects.node_events.begin(), effects.node_events.end(), std::back_inserter(heard));
    }
    const Duration elapsed = now - std::exchange(last_tick_, now);
    if (elapsed > kLongestTick) catalog_.Excuse(now, elapsed - kLongestTick);
    mail = Address(catalog_.Tick(now));
  }
  event_log_.Write(clock_.Now(), heard, {});  // also when it is empty: see there
  Deliver(std::move(mail));
}

Census Switchboard::TakeCensus() const {
  MutexLock lock(mu_);
  return catalog_.TakeCensus(clock_.Now());
}

Counters Switchboard::counters() const {
  MutexLock lock(mu_);
  return catalog_.counters();
}

std::vector<NodeLine> Switchboard::ListNodes() const {
  MutexLock lock(mu_);
  return catalog_.ListNodes(clock_.Now());
}

std::vector<SegmentLine> Switchboard::ListSegments() const {
  MutexLock lock(mu_);
  return catalog_.ListSegments(clock_.Now());
}

std::vector<ObjectLine> Switchboard::ListObjects(std::string_view prefix, std::string_view after,
                                                 size_t limit) const {
  MutexLock lock(mu_);
  return catalog_.ListObjects(clock_.Now(), prefix, after, limit);
}

Switchboard::Mail Switchboard::Address(Effects effects) {
  Mail mail;
  for (Effects::Reply& reply : effects.replies) {
    const auto lines = lines_.find(reply.caller);
    // Without a stream the answer is dropped: the caller asks again on its next one.
    if (lines == lines_.end() || lines->second.verbs.empty()) continue;
    mail.replies.emplace_back(lines->second.verbs.back(), std::move(reply.reply));
  }
  for (Effects::OrdersTo& orders : effects.orders) {
    const auto lines = lines_.find(orders.node);
    if (lines == lines_.end() || lines->second.session == nullptr) continue;
    mail.orders.emplace_back(lines->second.session, std::move(orders.orders));
  }
  mail.why = FailedPreconditionError(
      "gone: the node was silent for too long and counts as lost; it must empty itself and join as "
      "another incarnation");
  for (const Incarnation node : effects.gone) Disconnect(node, &mail);
  mail.strike = std::move(effects.strike);
  mail.node_events = std::move(effects.node_events);
  mail.object_events = std::move(effects.object_events);
  return mail;
}

void Switchboard::Disconnect(Incarnation node, Mail* mail) {
  beats_.Forget(node);
  const auto lines = lines_.find(node);
  if (lines == lines_.end()) return;
  mail->ended.push_back(std::move(lines->second));
  lines_.erase(lines);
}

void Switchboard::Deliver(Mail mail) {
  for (auto& [port, reply] : mail.replies) port->Send(std::move(reply));
  for (auto& [port, orders] : mail.orders) port->Send(std::move(orders));
  for (const Lines& lines : mail.ended) {
    if (lines.session != nullptr) lines.session->EndSession(mail.why);
    for (const auto& verbs : lines.verbs) verbs->EndVerbs(mail.why);
  }
  if (!mail.node_events.empty() || !mail.object_events.empty()) {
    event_log_.Write(clock_.Now(), mail.node_events, mail.object_events);
  }
  for (const Incarnation node : mail.strike) {
    Mail more;
    {
      MutexLock lock(mu_);
      more = Address(catalog_.Struck(clock_.Now(), node));
    }
    Deliver(std::move(more));
  }
}

}  // namespace kvstore::master
