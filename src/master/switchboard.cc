#include "master/switchboard.h"

#include <glog/logging.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "text/key_text.h"

namespace kvstore::master {
namespace {

constexpr size_t kMaxVerbStreams = 64;  // of one caller
// What one tick may count as silence of a node. Ticks are due much more often: a later one means
// that the process was stopped or starved, or the lock held, and then nodes were not heard because
// of the master.
constexpr Duration kLongestTick = std::chrono::milliseconds(250);
constexpr size_t kKeyCharacters = 200;  // in a line of the log
constexpr Duration kStrikeAgainAfter = std::chrono::seconds(1);
constexpr Duration kComplainEvery = std::chrono::seconds(30);

}  // namespace

Switchboard::Switchboard(const Limits& limits, const Reign& reign, const Clock& clock,
                         Members& members, const EventLog::Options& log, Duration gather)
    : pool_(reign.pool),
      term_(reign.term),
      clock_(clock),
      members_(members),
      began_(clock.Now()),
      event_log_(reign.term, log),
      gatherer_(gather),
      catalog_(clock.Now(), limits, reign),
      last_tick_(clock.Now()) {
  catalog_.WatchObjects(ObjectsWanted());
}

void Switchboard::Join(const Hello& hello, const std::shared_ptr<SessionPort>& session,
                       const Joined& done) {
  const Incarnation node = hello.self.incarnation;
  bool admit = false;
  Status may_begin;
  {
    MutexLock lock(mu_);
    admit = catalog_.MustAdmit(hello);
    if (admit) may_begin = BeginAdmission(node);
  }
  if (!admit) return done(JoinNow(hello, session));
  if (!may_begin.ok()) return done(may_begin);
  Admit({node, hello.self.name}, [this, hello, session, done](const Status& admitted) {
    done(admitted.ok() ? JoinNow(hello, session) : Result<Welcome>(admitted));
  });
}

Status Switchboard::BeginAdmission(Incarnation node) {
  if (unwanted_.contains(node)) {
    return UnavailableError(
        "the master has refused this node and is about to strike it from its members; try again");
  }
  ++admitting_[node].under_way;
  return Status::Ok();
}

void Switchboard::Admit(const Reign::Member& member, Members::Done done) {
  const Incarnation node = member.incarnation;
  members_.Admit(member, [this, node, done = std::move(done)](const Status& status) {
    done(status.ok()
             ? status
             : UnavailableError("the master can't take in new members now: " + status.message()));
    bool strike = false;
    {
      MutexLock lock(mu_);
      strike = EndAdmission(node, status.ok());
    }
    if (strike) Strike({node});
  });
}

bool Switchboard::EndAdmission(Incarnation node, bool written) {
  const auto admission = admitting_.find(node);
  admission->second.written = admission->second.written || written;
  if (--admission->second.under_way > 0) return false;
  const bool in_vain = admission->second.written && !catalog_.IsKept(node);
  admitting_.erase(admission);
  if (in_vain) unwanted_.insert(node);
  return in_vain;
}

Result<Welcome> Switchboard::JoinNow(const Hello& hello,
                                     const std::shared_ptr<SessionPort>& session) {
  const Incarnation node = hello.self.incarnation;
  std::shared_ptr<OrderQueue> replaced;
  Mail mail;
  Result<Welcome> welcome = [&]() -> Result<Welcome> {
    MutexLock lock(mu_);
    Effects effects;
    Result<Welcome> answer = catalog_.Join(clock_.Now(), hello, &effects);
    if (answer.ok()) {
      replaced = std::exchange(lines_[node].session, std::make_shared<OrderQueue>(session));
      beats_.Admit(node);
    }
    mail = Address(std::move(effects));
    return answer;
  }();
  if (replaced != nullptr) {
    replaced->port()->EndSession(AbortedError("the node has opened its session again"));
  }
  Deliver(std::move(mail));
  return welcome;
}

void Switchboard::SessionEnded(Incarnation node, const SessionPort* session) {
  std::shared_ptr<OrderQueue> last;  // destroyed after the lock is released
  Mail mail;
  {
    MutexLock lock(mu_);
    if (!IsSessionOf(node, session)) return;
    const auto lines = lines_.find(node);
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

Status Switchboard::HandleReport(Incarnation node, const SessionPort* session,
                                 const Report& report) {
  Mail mail;
  Status status;
  {
    MutexLock lock(mu_);
    if (!IsSessionOf(node, session)) return Status::Ok();
    Effects effects;
    status = catalog_.HandleReport(clock_.Now(), node, report, &effects);
    mail = Address(std::move(effects));
    if (!status.ok()) mail.why = status;
  }
  Deliver(std::move(mail));
  return status;
}

void Switchboard::HandleLend(Incarnation node, const Lend& lend, const Members::Done& done) {
  std::optional<Reign::Member> admit;
  Status may_begin;
  {
    MutexLock lock(mu_);
    admit = catalog_.MustAdmit(node, lend);
    if (admit) may_begin = BeginAdmission(node);
  }
  if (!admit) return done(LendNow(node, lend));
  if (!may_begin.ok()) return done(may_begin);
  Admit(*admit, [this, node, lend, done](const Status& admitted) {
    done(admitted.ok() ? LendNow(node, lend) : admitted);
  });
}

Status Switchboard::LendNow(Incarnation node, const Lend& lend) {
  Mail mail;
  {
    MutexLock lock(mu_);
    Result<Effects> effects = catalog_.HandleLend(clock_.Now(), node, lend);
    if (!effects.ok()) return effects.status();
    mail = Address(*std::move(effects));
  }
  Deliver(std::move(mail));
  return Status::Ok();
}

void Switchboard::HandleTally(Incarnation node, const ClientTally& tally) {
  MutexLock lock(mu_);
  catalog_.HandleTally(node, tally);
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
  std::vector<Incarnation> unstruck;
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
    feed_.Add(now, heard, {});
    catalog_.WatchObjects(ObjectsWanted());  // watchers come and go
    mail = Address(catalog_.Tick(now));
    unstruck = TakeUnstruck(now);
  }
  event_log_.Write(clock_.Now(), heard, {});  // also when it is empty: see there
  Deliver(std::move(mail));
  if (!unstruck.empty()) Strike(std::move(unstruck));
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
    const std::shared_ptr<OrderQueue>& session = lines->second.session;
    if (!orders.can_wait) {
      session->Add(std::move(orders.orders));
      mail.orders.push_back(session);
    } else if (session->AddToGathered(std::move(orders.orders))) {
      mail.gathered.push_back(session);
    } else {
      mail.orders.push_back(session);
    }
  }
  mail.why = FailedPreconditionError(
      "gone: the node was silent, or did not finish its report, for too long and counts as lost; "
      "it "
      "must empty itself and join as another incarnation");
  for (const Incarnation node : effects.gone) Disconnect(node, &mail);
  mail.strike = std::move(effects.strike);
  if (!effects.node_events.empty() || !effects.object_events.empty()) {
    feed_.Add(clock_.Now(), effects.node_events, effects.object_events);
  }
  mail.contradicted = std::move(effects.contradicted);
  mail.node_events = std::move(effects.node_events);
  mail.object_events = std::move(effects.object_events);
  return mail;
}

bool Switchboard::IsSessionOf(Incarnation node, const SessionPort* session) const {
  const auto lines = lines_.find(node);
  if (lines == lines_.end() || lines->second.session == nullptr) return false;
  return lines->second.session->port().get() == session;
}

void Switchboard::Disconnect(Incarnation node, Mail* mail) {
  beats_.Forget(node);
  const auto lines = lines_.find(node);
  if (lines == lines_.end()) return;
  mail->ended.push_back(std::move(lines->second));
  lines_.erase(lines);
}

void Switchboard::Deliver(Mail mail) {
  // First, so that a master that is told to stop sends what belongs to each answer that is out.
  for (const auto& queue : mail.gathered) gatherer_.Add(queue);
  for (auto& [port, reply] : mail.replies) port->Send(std::move(reply));
  for (const auto& queue : mail.orders) queue->Send();
  for (const Lines& lines : mail.ended) {
    if (lines.session != nullptr) lines.session->port()->EndSession(mail.why);
    for (const auto& verbs : lines.verbs) verbs->EndVerbs(mail.why);
  }
  for (const std::string& key : mail.contradicted) {
    LOG(ERROR) << "holders kept different bytes under one key, which must not happen; all of them "
                  "were dropped. key="
               << text::Shorten(text::Escape(key), kKeyCharacters);
  }
  if (!mail.node_events.empty() || !mail.object_events.empty()) {
    event_log_.Write(clock_.Now(), mail.node_events, mail.object_events);
  }
  feed_.Wake();
  if (!mail.strike.empty()) Strike(std::move(mail.strike));
}

void Switchboard::SendGathered() { gatherer_.SendAll(); }

void Switchboard::Strike(std::vector<Incarnation> nodes) {
  members_.Strike(nodes, [this, nodes](const Status& status) {
    if (!status.ok()) return StrikeAgain(nodes, status);
    for (const Incarnation node : nodes) {
      Mail mail;
      {
        MutexLock lock(mu_);
        unwanted_.erase(node);
        mail = Address(catalog_.Struck(clock_.Now(), node));
      }
      Deliver(std::move(mail));
    }
  });
}

void Switchboard::StrikeAgain(const std::vector<Incarnation>& nodes, const Status& why) {
  const TimePoint now = clock_.Now();
  {
    MutexLock lock(mu_);
    unstruck_.insert(nodes.begin(), nodes.end());
    strike_again_ = now + kStrikeAgainAfter;
    if (now < complain_again_) return;
    complain_again_ = now + kComplainEvery;
  }
  LOG(ERROR) << nodes.size()
             << " nodes that have left or are gone remain members until that can be "
             << "written down: " << why.message();
}

std::vector<Incarnation> Switchboard::TakeUnstruck(TimePoint now) {
  if (unstruck_.empty() || now < strike_again_) return {};
  std::vector<Incarnation> nodes(unstruck_.begin(), unstruck_.end());
  unstruck_.clear();
  return nodes;
}

}  // namespace kvstore::master
