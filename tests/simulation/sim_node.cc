#include "simulation/sim_node.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "simulation/describe.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
constexpr Duration kHelloTimeout = milliseconds(500);
constexpr Duration kReconnectAfter = milliseconds(60);
constexpr Duration kSilenceIsLoss =
    milliseconds(700);  // until an end learns of a break it can't see
constexpr Duration kServedPoll = milliseconds(3);
constexpr Duration kFarewellTimeout = milliseconds(500);  // until the master has read the goodbye
}  // namespace

SimNode::SimNode(const NodePlan& plan, Fabric* fabric, Succession* masters,
                 const client::HolderGuards& holder_guards, const SessionGuards& session_guards,
                 bool remembers_locations)
    : plan_(plan),
      fabric_(fabric),
      scheduler_(fabric->scheduler()),
      masters_(masters),
      process_(scheduler_->NewProcess(plan.name)),
      guards_(session_guards),
      remembers_(remembers_locations),
      self_(NewIncarnation()),
      engine_(fabric, plan.place, plan.host, process_, self_),
      memory_(scheduler_, process_, &engine_, holder_guards,
              [this](Acks acks) { Say(std::move(acks)); }),
      copier_(scheduler_, process_, &engine_,
              [this](CopyAck copied) {
                Acks acks;
                acks.copied.push_back(std::move(copied));
                Say(std::move(acks));
              }),
      channel_(scheduler_, process_,
               [this](Incarnation from, const VerbRequest& request) {
                 SimMaster* to = verbs_to_;
                 fabric_->network->Send(plan_.place, kMasterPlace, to->process(),
                                        [to, from, request] { to->OnVerb(from, request); });
               }),
      stub_(channel_),
      peers_(stub_, engine_),
      ahead_(stub_) {
  fabric_->transcript->Say(plan_.name, "begins as ", Short(self_));
  for (const uint64_t granules : plan_.granules) memory_.AddSegment(granules, plan_.granule);
  Connect();
}

SimNode::~SimNode() = default;

Incarnation SimNode::NewIncarnation() {
  Random& random = scheduler_->random();
  return {random.Next(), random.Next()};
}

Hello SimNode::MakeHello() const {
  Hello hello;
  hello.software = "simulated";
  hello.pool = pool_;
  hello.term = term_;
  hello.self = {self_, plan_.name, plan_.host, engine_.Descriptor()};
  hello.counter = memory_.holder().counter();
  hello.segments = memory_.Lent();
  return hello;
}

// ---- session

void SimNode::Connect() {
  stage_ = Stage::kGreeting;
  SimMaster* const master = &masters_->last();
  if (!master->alive() || scheduler_->now() < master->listens_from()) {
    link_ = nullptr;
    scheduler_->After(kReconnectAfter, process_, [this] { Connect(); });
    return;
  }
  links_.push_back(std::make_unique<SessionLink>(fabric_->network, plan_.place, process_, master,
                                                 master->process(), self_));
  SessionLink* link = links_.back().get();
  link->number = links_.size();
  link_ = link;
  hello_at_ = process_->Now();
  link->up.Send([this, link, hello = MakeHello()] { link->master->OnHello(link, this, hello); });
  scheduler_->After(kHelloTimeout, process_, [this, link] {
    if (link_ == link && stage_ == Stage::kGreeting) OnLinkLost(link);
  });
}

void SimNode::OnWelcome(SessionLink* link, const Result<Welcome>& welcome) {
  if (link != link_ || stage_ != Stage::kGreeting) return;
  if (!welcome.ok()) {
    link->Break();
    const std::string& why = welcome.status().message();
    if (why.starts_with("pool") || why.starts_with("gone")) return BecomeAnother();
    return Away();
  }
  if (guards_.deposed_masters_are_left && welcome->term < term_) {
    fabric_->transcript->Say(plan_.name, "leaves a deposed master of term ", welcome->term);
    link->Break();
    return Away();
  }
  if (memory_.lends() && welcome->term > term_ && term_ != 0) ++times_kept_;
  stage_ = Stage::kMember;
  pool_ = welcome->pool;
  term_ = welcome->term;
  beat_every_ = welcome->heartbeat_interval;
  if (welcome->wants_report) {
    Report(link);
  } else {
    memory_.holder().EnterTerm(term_);
  }
  verbs_to_ = link->master;
  certain_until_ = hello_at_ + kCertain;
  channel_.Attach(self_, term_);
  fabric_->transcript->Say(plan_.name, "is a member as ", Short(self_), " in term ", term_);
  memory_.Welcomed();
  TellWish();
  Beat(++memberships_);
  if (link->broken()) scheduler_->After(kServedPoll, process_, [this, link] { OnLinkLost(link); });
}

// In parts of a few lines each, so that streams break in the midst of it.
void SimNode::Report(SessionLink* link) {
  std::optional<client::ReignReport> reign =
      memory_.holder().EnterReign(self_, term_, process_->Now(), memory_.Lent());
  if (!reign) return;
  kvstore::Report report = std::move(*reign).Whole();
  Random& random = scheduler_->random();
  std::vector<kvstore::Report> parts(1);
  const auto next = [&]() -> kvstore::Report& {
    if (random.Chance(0.4)) parts.emplace_back();
    return parts.back();
  };
  // A holder tells its notes in no order; here a seed has to mean the same run everywhere.
  std::sort(report.notes.begin(), report.notes.end(), [](const NoteOrder& a, const NoteOrder& b) {
    return std::tie(a.segment, a.put) < std::tie(b.segment, b.put);
  });
  for (NoteOrder& note : report.notes) next().notes.push_back(std::move(note));
  for (HeldMemory& held : report.held) next().held.push_back(std::move(held));
  fabric_->counts->Add(Event::kNotesReported, report.notes.size());
  fabric_->counts->Add(Event::kHeldReported, report.held.size());
  parts.back().segments = std::move(report.segments);
  parts.back().last = true;
  for (kvstore::Report& part : parts) {
    part.term = report.term;
    part.counter = report.counter;
    link->up.Send([link, part = std::move(part)] { link->master->OnReport(link, part); });
  }
}

void SimNode::Away() {
  stage_ = Stage::kAway;
  scheduler_->After(kReconnectAfter, process_, [this] {
    if (stage_ == Stage::kAway) Connect();
  });
}

void SimNode::Beat(uint64_t membership) {
  if (stage_ != Stage::kMember || membership != memberships_) return;
  SimMaster* const to = link_->master;
  fabric_->network->Send(plan_.place, kMasterPlace, to->process(),
                         [this, to, who = self_, asked_at = process_->Now()] {
                           to->OnHeartbeat(this, who, asked_at);
                         });
  TellOfReads();
  scheduler_->After(beat_every_, process_, [this, membership] { Beat(membership); });
}

// What was read at remembered locations, and who could not be reached, is told now and then.
void SimNode::TellOfReads() {
  NoteReads notes{notes_.Take()};
  fabric_->counts->Add(Event::kReadsNoted, notes.puts.size());
  if (!notes.puts.empty()) stub_.Note(std::move(notes));
  ReportFailures failures{failures_.untold().Take()};
  fabric_->counts->Add(Event::kFailuresReported, failures.segments.size());
  if (!failures.segments.empty()) stub_.Complain(std::move(failures));
}

void SimNode::Lend(uint64_t granules) {
  fabric_->transcript->Say(plan_.name, "lends ", granules, " granules from now on");
  memory_.Lend(granules, plan_.granule);
  if (stage_ == Stage::kMember) TellWish();
}

void SimNode::TellWish() {
  const std::optional<kvstore::Lend> lend = memory_.TakeLend();
  if (!lend) return;
  link_->up.Send([link = link_, lend = *lend] { link->master->OnLend(link, lend); });
}

void SimNode::OnBeatAnswered(Incarnation who, TimePoint asked_at, const BeatReply& reply) {
  if (who != self_ || stage_ != Stage::kMember || reply.term != term_) return;
  if (reply.unknown) return OnLinkLost(link_);
  certain_until_ = std::max(certain_until_, asked_at + kCertain);
}

void SimNode::OnLinkLost(SessionLink* link) {
  if (link == link_ && stage_ == Stage::kFarewell) return BecomeAnother();
  if (link != link_ || (stage_ != Stage::kMember && stage_ != Stage::kGreeting)) return;
  fabric_->transcript->Say(plan_.name, "lost its session");
  link->Break();
  if (!link->master->alive()) channel_.Lose("the master has ended");
  // A master that this node can't name may have taken it in, and grant its memory.
  const bool may_be_taken = stage_ == Stage::kGreeting && pool_.IsNone();
  if (may_be_taken && guards_.unanswered_hello_is_not_repeated) return BecomeAnother();
  Away();
}

void SimNode::LeaveMaster(const SimMaster* master) {
  if (verbs_to_ == master) channel_.Lose("the master is another one");
  if (link_ == nullptr || link_->master != master) return;
  if (stage_ == Stage::kFarewell) return BecomeAnother();
  if (stage_ != Stage::kMember && stage_ != Stage::kGreeting) return;
  fabric_->transcript->Say(plan_.name, "leaves ", master->name());
  if (stage_ == Stage::kGreeting && pool_.IsNone()) return BecomeAnother();
  Away();
}

void SimNode::BreakSession() {
  if (link_ == nullptr || link_->broken()) return;
  fabric_->counts->Add(Event::kStreamsBroken);
  link_->Break();
  if (scheduler_->random().Chance(0.5)) channel_.Lose("the stream broke");
  TellBothEnds(link_);
}

void SimNode::TellBothEnds(SessionLink* link) {
  const bool cut = fabric_->network->IsCut(plan_.place, kMasterPlace) ||
                   fabric_->network->IsCut(kMasterPlace, plan_.place);
  const Duration known_after = cut ? kSilenceIsLoss : 4 * fabric_->network->Latency();
  scheduler_->After(known_after, process_, [this, link] { OnLinkLost(link); });
  scheduler_->After(known_after, link->master->process(),
                    [link] { link->master->OnLinkLost(link); });
}

// A node that is refused, or does not know whether it was taken in, empties itself and comes as
// another incarnation. What is still touched then, its report tells.
void SimNode::BecomeAnother() {
  ++times_emptied_;
  self_ = NewIncarnation();
  pool_ = {};
  term_ = 0;
  certain_until_ = TimePoint::min();
  fabric_->transcript->Say(plan_.name, "empties itself, becomes ", Short(self_));
  memory_.Empty();
  engine_.Rename(self_);
  Away();
}

void SimNode::BeginLeave() {
  if (stage_ != Stage::kMember) return;
  fabric_->transcript->Say(plan_.name, "leaves");
  stage_ = Stage::kLeaving;
  memory_.Empty();
  AwaitServed();
}

// Who leaves does not wait for other processes: they keep the pages, which nobody else gets.
void SimNode::AwaitServed() {
  if (memory_.holder().touched().inside > 0) {
    scheduler_->After(kServedPoll, process_, [this] { AwaitServed(); });
    return;
  }
  link_->up.Send([link = link_] { link->master->OnGoodbye(link); });
  // It waits a little for the goodbye to be on its way.
  scheduler_->After(milliseconds(50), process_, [this] { Crash(); });
}

void SimNode::Crash() {
  fabric_->transcript->Say(plan_.name, "ends");
  scheduler_->Kill(process_);
  engine_.Vanish();
  if (link_ == nullptr) return;
  SessionLink* link = link_;
  link->Break();
  TellBothEnds(link);
}

// ---- orders

void SimNode::OnOrders(SessionLink* link, uint64_t number, const Orders& orders) {
  Acks acks;
  memory_.holder().Retire(orders, &acks.retired);
  memory_.holder().Note(orders, process_->Now(), &acks.noted);
  Say(std::move(acks));
  if (orders.term < term_) return;
  copier_.Take(orders);
  // Those of pages, and to leave, go by the order in which they were given: only from the stream
  // that it reads, each once.
  if (link != link_ || number <= link->pages_ordered) return;
  link->pages_ordered = number;
  bool leave = false;
  for (const Order& order : orders.orders) {
    if (const auto* prepare = std::get_if<PrepareOrder>(&order)) memory_.Execute(*prepare);
    if (const auto* release = std::get_if<ReleaseOrder>(&order)) memory_.Execute(*release);
    leave |= std::holds_alternative<LeaveOrder>(order);
  }
  if (!leave) return;
  if (plan_.stays) return SayFarewell();
  BeginLeave();
}

// As the product's Session: nothing is withdrawn before the master has read it, or was given up.
void SimNode::SayFarewell() {
  if (stage_ != Stage::kMember) return;
  fabric_->transcript->Say(plan_.name, "was drained, says goodbye and stays");
  fabric_->counts->Add(Event::kStayedDrained);
  stage_ = Stage::kFarewell;
  memory_.BeginToLeave();
  link_->up.Send([link = link_] { link->master->OnGoodbye(link); });
  scheduler_->After(kFarewellTimeout, process_, [this, link = link_] {
    if (link_ == link && stage_ == Stage::kFarewell) OnLinkLost(link);
  });
}

void SimNode::Say(Acks acks) {
  if (stage_ != Stage::kMember || acks.IsEmpty()) return;
  acks.term = term_;
  acks.counter = memory_.holder().counter();
  link_->up.Send([link = link_, acks = std::move(acks)] { link->master->OnAcks(link, acks); });
}

void SimNode::OnReply(Incarnation to, uint64_t term, const VerbReply& reply) {
  channel_.Deliver(to, term, reply);
}

void SimNode::Add(const client::GetCounters& met) {
  get_counters_.refused += met.refused;
  get_counters_.checksum_mismatches += met.checksum_mismatches;
  get_counters_.other_replicas += met.other_replicas;
  get_counters_.located_anew += met.located_anew;
  get_counters_.remembered += met.remembered;
}

void SimNode::CountInto(EventCounts* counts) {
  // Every beginning of a put takes a number of its own, from 1 on; so does a grant ahead.
  counts->Add(Event::kPutsBegunAgain, stub_.NewSequences(0) - 1 - puts_begun_ - ahead_.asked());
  counts->Add(Event::kRetiredAgain, memory_.holder().counters().retired_again);
  counts->Add(Event::kFreeDelayed, memory_.holder().counters().free_delayed);
  counts->Add(Event::kFreeDelayedByOutsiders,
              memory_.holder().counters().free_delayed_by_outsiders);
  counts->Add(Event::kVerbsRepeated, channel_.repeated());
  counts->Add(Event::kNodesEmptied, times_emptied_);
  counts->Add(Event::kNodesKept, times_kept_);
  counts->Add(Event::kCopiesMade, copier_.copied());
  counts->Add(Event::kNotesKept, memory_.holder().counters().notes_kept);
  counts->Add(Event::kNotesRefused, memory_.holder().counters().notes_refused);
  counts->Add(Event::kOrdersRefused, memory_.holder().counters().orders_refused);
  counts->Add(Event::kReleased, memory_.times_released());
  counts->Add(Event::kChecksumsWrong, get_counters_.checksum_mismatches);
  counts->Add(Event::kOtherReplicas, get_counters_.other_replicas);
  counts->Add(Event::kReadsRemembered, get_counters_.remembered);
  counts->Add(Event::kLocatedAnew, get_counters_.located_anew);
}

}  // namespace kvstore::simulation
