#include "simulation/sim_master.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "client/batch_cutter.h"
#include "simulation/describe.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;

namespace {
constexpr Duration kTickEvery = milliseconds(20);
constexpr uint64_t kTicksPerCheck = 10;
// As the product's switchboard has it: a later tick counts nobody silent for the delay.
constexpr Duration kLongestTick = milliseconds(250);
// A share of any duration that is more than clocks differ by.
constexpr int64_t kClocksDiffer = 50;

size_t CountItems(const VerbReply& reply) {
  return std::visit([](const auto& answers) { return answers.size(); }, reply.answers);
}

bool OrdersNotes(const master::Effects& effects) {
  return std::any_of(effects.orders.begin(), effects.orders.end(), [](const auto& to) {
    return std::any_of(to.orders.orders.begin(), to.orders.orders.end(),
                       [](const Order& order) { return std::holds_alternative<NoteOrder>(order); });
  });
}
}  // namespace

SimMaster::SimMaster(MasterWorld* world, const master::Limits& limits, const master::Reign& reign,
                     Process* process, Duration quiet)
    : world_(*world),
      process_(process),
      listens_from_(world->scheduler()->now() + quiet),
      catalog_(std::make_unique<master::Catalog>(process->Now(), limits, reign, world->guards)),
      last_tick_(process->Now()) {
  Say("begins, pool ", Short(reign.pool), ", term ", reign.term, ", ", reign.members.size(),
      " members");
  catalog_->WatchObjects(true);
  world_.scheduler()->After(kTickEvery, process_, [this] { Tick(); });
}

void SimMaster::Crash() {
  Say("crashes");
  CheckCatalog();
  world_.scheduler()->Kill(process_);
  for (const auto& [incarnation, session] : sessions_) End(session);
  sessions_.clear();
}

void SimMaster::End(const Session& session) {
  SessionLink* link = session.link;
  if (link == nullptr) return;
  link->Break();
  world_.scheduler()->After(world_.network->Latency(), session.node->process(),
                            [node = session.node, link] { node->OnLinkLost(link); });
}

void SimMaster::Tick() {
  const Duration elapsed = Now() - std::exchange(last_tick_, Now());
  if (elapsed > kLongestTick) catalog_->Excuse(Now(), elapsed - kLongestTick);
  Dispatch(catalog_->Tick(Now()));
  if (++ticks_ % kTicksPerCheck == 0) CheckCatalog();
  world_.scheduler()->After(kTickEvery, process_, [this] { Tick(); });
}

void SimMaster::CheckCatalog() {
  const std::string broken = catalog_->CheckInvariants();
  if (!broken.empty()) world_.checker->Fail("I4: " + broken);
}

void SimMaster::OnHello(SessionLink* link, MasterListener* node, const Hello& hello) {
  // Streams of a node share a connection, on which nothing of a later one overtakes an earlier.
  uint64_t& last = last_hellos_[node];
  if (link->number <= std::exchange(last, std::max(last, link->number))) return;
  if (!catalog_->MustAdmit(hello)) return TakeIn(link, node, hello);
  const bool first = world_.disk_guards.members_are_admitted_first;
  if (!first) TakeIn(link, node, hello);
  const Incarnation who = hello.self.incarnation;
  world_.disk->Admit(process_, {who, hello.self.name}, [this, link, node, hello, who, first] {
    if (first) TakeIn(link, node, hello);
    if (!catalog_->IsMember(who)) Strike(who);  // refused since it was asked
  });
}

void SimMaster::TakeIn(SessionLink* link, MasterListener* node, const Hello& hello) {
  master::Effects effects;
  const Result<Welcome> welcome = catalog_->Join(Now(), hello, &effects);
  Say("hello of ", hello.self.name, " ", Short(hello.self.incarnation), Describe(hello.segments),
      ": ", welcome.status());
  if (welcome.ok()) {
    Session& session = sessions_[hello.self.incarnation];
    if (session.link != link) End(session);
    session = {link, node};
    if (world_.taken) world_.taken(node, hello);
  }
  link->down.Send([node, link, welcome] { node->OnWelcome(link, welcome); });
  Dispatch(effects);
  if (link->broken()) {  // it arrived late, on a stream that is no more
    world_.scheduler()->After(world_.network->Latency(), process_,
                              [this, link] { OnLinkLost(link); });
  }
}

void SimMaster::OnReport(SessionLink* link, const Report& report) {
  const auto session = sessions_.find(link->node);
  if (session == sessions_.end() || session->second.link != link) return;  // of an earlier stream
  Say("report of ", Short(link->node), ": ", Describe(report));
  master::Effects effects;
  const Status status = catalog_->HandleReport(Now(), link->node, report, &effects);
  Dispatch(effects);
  if (status.ok()) return;
  world_.checker->Fail("a report of " + Short(link->node) + " was refused: " + status.message());
}

void SimMaster::OnAcks(SessionLink* link, const Acks& acks) {
  Say("acks of ", Short(link->node), ": ", Describe(acks));
  Dispatch(catalog_->HandleAcks(Now(), link->node, acks));
}

// As the product's switchboard.
void SimMaster::OnLend(SessionLink* link, const Lend& lend) {
  const auto session = sessions_.find(link->node);
  if (session == sessions_.end() || session->second.link != link) return;
  Say(Short(link->node), " lends", Describe(lend.segments));
  const std::optional<master::Reign::Member> admit = catalog_->MustAdmit(link->node, lend);
  if (!admit) return LendNow(link, lend);
  world_.disk->Admit(process_, *admit, [this, link, lend] {
    LendNow(link, lend);
    if (!catalog_->IsMember(link->node)) Strike(link->node);
  });
}

void SimMaster::LendNow(SessionLink* link, const Lend& lend) {
  Result<master::Effects> effects = catalog_->HandleLend(Now(), link->node, lend);
  if (effects.ok()) return Dispatch(*effects);
  Say("refuses what ", Short(link->node), " lends: ", effects.status());
  if (catalog_->IsMember(link->node)) {
    world_.checker->Fail("what a node lends was refused: " + effects.status().message());
  }
}

void SimMaster::OnGoodbye(SessionLink* link) {
  Say("goodbye of ", Short(link->node));
  Dispatch(catalog_->Leave(Now(), link->node));
  const auto session = sessions_.find(link->node);
  if (session == sessions_.end()) return;
  End(session->second);
  sessions_.erase(session);
}

void SimMaster::OnLinkLost(SessionLink* link) {
  const auto found = sessions_.find(link->node);
  if (found == sessions_.end() || found->second.link != link) return;
  found->second.link = nullptr;
  Say("stream of ", Short(link->node), " ended");
  Dispatch(catalog_->SessionLost(Now(), link->node));
}

void SimMaster::OnHeartbeat(MasterListener* node, Incarnation who, TimePoint asked_at) {
  const bool known = catalog_->IsMember(who);
  if (known) Dispatch(catalog_->Heard(Now(), who));
  world_.network->Send(kMasterPlace, node->place(), node->process(),
                       [node, who, asked_at, reply = BeatReply{term(), !known}] {
                         node->OnBeatAnswered(who, asked_at, reply);
                       });
}

void SimMaster::OnVerb(Incarnation caller, const VerbRequest& request) {
  if (!catalog_->IsMember(caller)) return;
  const master::Effects effects = catalog_->Handle(Now(), caller, request);
  Say("verb of ", Short(caller), ": ", Describe(request));
  CountWait(caller, request, effects);
  Dispatch(effects);
}

void SimMaster::Operate(
    const std::function<master::Effects(master::Catalog*, TimePoint)>& operation) {
  Dispatch(operation(catalog_.get(), Now()));
}

// What the catalog does not answer at once waits for reports while any are missing, but for
// WaitExists; else commits and removes wait for a withdrawal.
void SimMaster::CountWait(Incarnation caller, const VerbRequest& request,
                          const master::Effects& effects) {
  const size_t items = client::ItemCount(request.verb);
  size_t answered = 0;
  for (const auto& [to, reply] : effects.replies) {
    if (to == caller && reply.id == request.id) answered += CountItems(reply);
  }
  if (answered >= items || std::holds_alternative<WaitExists>(request.verb)) return;
  if (IsGathering()) {
    if (!held_up_.insert({caller, request.id}).second) return;
    return world_.counts->Add(Event::kHeldUp, items - answered);
  }
  if (std::holds_alternative<CommitPut>(request.verb) ||
      std::holds_alternative<Remove>(request.verb)) {
    world_.counts->Add(Event::kWaitedForWithdrawal, items - answered);
  }
}

void SimMaster::CountReplayed(Incarnation caller, const VerbReply& reply) {
  if (held_up_.count({caller, reply.id}) == 0 || IsGathering()) return;
  world_.counts->Add(Event::kReplayed, CountItems(reply));
}

void SimMaster::NoteLeases(const VerbReply& reply) {
  const auto* const located = std::get_if<std::vector<LocateAnswer>>(&reply.answers);
  if (located == nullptr || deposed_) return;
  for (const LocateAnswer& answer : *located) {
    if (!answer.status.ok() || answer.lease == Duration::zero()) continue;
    Instant& until = (*world_.leases)[answer.put];
    until =
        std::max(until, world_.scheduler()->now() + answer.lease - answer.lease / kClocksDiffer);
  }
}

void SimMaster::NoteEvicted(const master::ObjectEvent& event) {
  using What = master::ObjectEvent::What;
  const bool evicted =
      event.what == What::kEvictedForRoom || event.what == What::kEvictedByWatermark ||
      event.what == What::kEvictedByOperator || event.what == What::kEvictedWithGroup;
  if (!evicted) return;
  ++evicted_[event.key];
  if (deposed_) return;  // no holder withdraws it
  const auto lease = world_.leases->find(event.put);
  if (lease == world_.leases->end() || lease->second <= world_.scheduler()->now()) return;
  world_.checker->Fail("I7: '" + event.key + "' was evicted while it was leased");
}

void SimMaster::Dispatch(const master::Effects& effects) {
  for (const auto& [to, reply] : effects.replies) {
    const auto session = sessions_.find(to);
    if (session == sessions_.end()) continue;
    MasterListener* node = session->second.node;
    Say("reply to ", Short(to), ": ", Describe(reply));
    NoteLeases(reply);
    CountReplayed(to, reply);
    world_.network->Send(
        kMasterPlace, node->place(), node->process(),
        [node, to = to, term = term(), reply = reply] { node->OnReply(to, term, reply); });
  }
  for (const auto& [to, orders, can_wait] : effects.orders) {
    const auto session = sessions_.find(to);
    if (session == sessions_.end() || session->second.link == nullptr) continue;
    SessionLink* link = session->second.link;
    MasterListener* node = session->second.node;
    Say("orders to ", Short(to), ": ", Describe(orders));
    link->down.Send([node, link, number = ++link->orders_sent, orders = orders] {
      node->OnOrders(link, number, orders);
    });
  }
  for (const Incarnation gone : effects.gone) {
    Say("takes ", Short(gone), " for gone");
    const auto session = sessions_.find(gone);
    if (session == sessions_.end()) continue;
    End(session->second);
    sessions_.erase(session);
  }
  CountEvents(effects);
  for (const Incarnation node : effects.strike) {
    NoteStruck(node);
    Strike(node);
  }
  if (world_.ordered_notes && OrdersNotes(effects)) world_.ordered_notes(this);
}

void SimMaster::Strike(Incarnation node) {
  const bool first = world_.disk_guards.members_are_struck_first;
  const auto struck = [this, node] { Dispatch(catalog_->Struck(Now(), node)); };
  if (!first) struck();
  world_.disk->Strike(process_, node, [struck, first] {
    if (first) struck();
  });
}

void SimMaster::CountEvents(const master::Effects& effects) {
  using What = master::NodeEvent::What;
  for (const master::NodeEvent& event : effects.node_events) {
    if (event.what == What::kReported) world_.counts->Add(Event::kReports);
    if (event.what == What::kDraining) world_.counts->Add(Event::kDrains);
    if (event.what == What::kDrained) world_.counts->Add(Event::kDrained);
    if (event.what == What::kSick) world_.counts->Add(Event::kSick);
    if (event.what == What::kWell) world_.counts->Add(Event::kWell);
  }
  for (const master::ObjectEvent& event : effects.object_events) {
    if (event.what == master::ObjectEvent::What::kMoved) world_.counts->Add(Event::kMoved);
    if (event.what == master::ObjectEvent::What::kLost) ++lost_[event.key];
    NoteEvicted(event);
  }
}

// The state file may soon know nothing of it, and this master end before it says what was lost.
void SimMaster::NoteStruck(Incarnation node) {
  ++struck_;
  for (const master::NodeLine& line : catalog_->ListNodes(Now())) {
    if (line.peer.incarnation == node && line.missing) ++unreported_lost_;
  }
  for (const master::ObjectLine& line : catalog_->ListObjects(Now(), "", "", SIZE_MAX)) {
    const Result<master::ObjectDetail> detail = catalog_->Describe(Now(), line.key);
    if (!detail.ok()) continue;
    for (const master::ReplicaLine& replica : detail->replicas) {
      if (replica.segment.holder == node) ++lost_[line.key];
    }
  }
}

void SimMaster::AddForgotten(const std::string& key, Forgotten* forgotten) const {
  const auto of = [&key](const std::map<std::string, uint64_t>& counts) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
  };
  forgotten->lost += unreported_lost_ + of(lost_);
  forgotten->evicted += of(evicted_);
  forgotten->holders += struck_;
}

void SimMaster::CountInto(EventCounts* counts) const {
  const master::Counters& c = catalog_->counters();
  counts->Add(Event::kParked, c.puts_parked);
  counts->Add(Event::kAheadGiven, c.ahead_given);
  counts->Add(Event::kAheadRefused, c.ahead_refused);
  counts->Add(Event::kAheadUsedUp, c.ahead_used_up);
  counts->Add(Event::kAheadGivenBack, c.ahead_given_back);
  counts->Add(Event::kAheadExpired, c.ahead_expired);
  counts->Add(Event::kAheadCalledBack, c.ahead_called_back);
  counts->Add(Event::kAheadLost, c.ahead_lost);
  counts->Add(Event::kPutsAhead, c.puts_ahead);
  counts->Add(Event::kPiecesRefused, c.pieces_refused - c.pieces_of_other_terms);
  counts->Add(Event::kPiecesOfEarlierTerms, c.pieces_of_other_terms);
  counts->Add(Event::kEvictedForRoom, c.evicted_for_room);
  counts->Add(Event::kEvictedByWatermark, c.evicted_by_watermark);
  counts->Add(Event::kEvictedByOperator, c.evicted_by_operator);
  counts->Add(Event::kReplaced, c.replaced);
  counts->Add(Event::kExpired, c.puts_expired);
  counts->Add(Event::kLeasesRefused, c.leases_refused);
  counts->Add(Event::kOrdersResent, c.orders_resent);
  counts->Add(Event::kAcksIgnored, c.acks_ignored);
  counts->Add(Event::kNodesSuspected, c.nodes_suspected);
  counts->Add(Event::kNodesGone, c.nodes_gone);
  counts->Add(Event::kNodesLeft, c.nodes_left);
  counts->Add(Event::kObjectsLost, c.lost_with_node);
}

}  // namespace kvstore::simulation
