#include "simulation/sim_master.h"

#include <algorithm>
#include <string>
#include <variant>

#include "fakes/strike.h"
#include "simulation/describe.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;

namespace {
constexpr Duration kTickEvery = milliseconds(20);
constexpr uint64_t kTicksPerCheck = 10;
const std::string kName = "master";

size_t CountItems(const VerbReply& reply) {
  return std::visit([](const auto& answers) { return answers.size(); }, reply.answers);
}
}  // namespace

SimMaster::SimMaster(Network* network, Transcript* transcript, EventCounts* counts,
                     Checker* checker, const master::Limits& limits, const master::Guards& guards)
    : network_(network),
      scheduler_(network->scheduler()),
      transcript_(transcript),
      counts_(counts),
      checker_(checker),
      limits_(limits),
      guards_(guards) {
  Begin();
}

void SimMaster::Begin() {
  ++lives_;
  process_ = scheduler_->NewProcess(kName);
  Random& random = scheduler_->random();
  const Incarnation pool{random.Next(), random.Next()};
  constexpr uint64_t kTerm = 1;
  catalog_ = std::make_unique<master::Catalog>(Now(), limits_, master::Reign{pool, kTerm, {}, {}},
                                               guards_);
  transcript_->Say(kName, "begins, pool ", Short(pool));
  scheduler_->After(kTickEvery, process_, [this] { Tick(); });
}

void SimMaster::Crash() {
  transcript_->Say(kName, "crashes");
  CheckCatalog();
  earlier_.push_back(catalog_->counters());
  scheduler_->Kill(process_);
  for (const auto& [incarnation, session] : sessions_) End(session);
  sessions_.clear();
}

void SimMaster::End(const Session& session) {
  SessionLink* link = session.link;
  if (link == nullptr) return;
  link->Break();
  scheduler_->After(network_->Latency(), session.node->process(),
                    [node = session.node, link] { node->OnLinkLost(link); });
}

void SimMaster::Tick() {
  Dispatch(master::WithStrikes(catalog_.get(), Now(), catalog_->Tick(Now())));
  if (++ticks_ % kTicksPerCheck == 0) CheckCatalog();
  scheduler_->After(kTickEvery, process_, [this] { Tick(); });
}

void SimMaster::CheckCatalog() {
  const std::string broken = catalog_->CheckInvariants();
  if (!broken.empty()) checker_->Fail("I4: " + broken);
}

void SimMaster::OnHello(SessionLink* link, MasterListener* node, const Hello& hello) {
  master::Effects effects;
  const Result<Welcome> welcome = catalog_->Join(Now(), hello, &effects);
  transcript_->Say(kName, "hello of ", hello.self.name, " ", Short(hello.self.incarnation), ": ",
                   welcome.status());
  if (welcome.ok()) {
    Session& session = sessions_[hello.self.incarnation];
    if (session.link != link) End(session);
    session = {link, node};
    if (taken_) taken_(node, hello);
  }
  link->down.Send([node, link, welcome] { node->OnWelcome(link, welcome); });
  Dispatch(effects);
  if (link->broken()) {  // it arrived late, on a stream that is no more
    scheduler_->After(network_->Latency(), process_, [this, link] { OnLinkLost(link); });
  }
}

void SimMaster::OnAcks(SessionLink* link, const Acks& acks) {
  transcript_->Say(kName, "acks of ", Short(link->node), ": ", Describe(acks));
  Dispatch(catalog_->HandleAcks(Now(), link->node, acks));
}

void SimMaster::OnGoodbye(SessionLink* link) {
  transcript_->Say(kName, "goodbye of ", Short(link->node));
  Dispatch(master::WithStrikes(catalog_.get(), Now(), catalog_->Leave(Now(), link->node)));
  sessions_.erase(link->node);
}

void SimMaster::OnLinkLost(SessionLink* link) {
  const auto found = sessions_.find(link->node);
  if (found == sessions_.end() || found->second.link != link) return;
  found->second.link = nullptr;
  transcript_->Say(kName, "stream of ", Short(link->node), " ended");
  Dispatch(catalog_->SessionLost(Now(), link->node));
}

void SimMaster::OnHeartbeat(MasterListener* node, Incarnation who) {
  if (catalog_->IsMember(who)) {
    catalog_->Heard(Now(), who);
    return;
  }
  network_->Send(kMasterPlace, node->place(), node->process(),
                 [node, who] { node->OnStranger(who); });
}

void SimMaster::OnVerb(Incarnation caller, const VerbRequest& request) {
  if (!catalog_->IsMember(caller)) return;
  const master::Effects effects = catalog_->Handle(Now(), caller, request);
  transcript_->Say(kName, "verb of ", Short(caller), ": ", Describe(request));
  CountWait(caller, request, effects);
  Dispatch(effects);
}

// Commits and removes that the catalog does not answer at once wait for a withdrawal.
void SimMaster::CountWait(Incarnation caller, const VerbRequest& request,
                          const master::Effects& effects) {
  size_t items = 0;
  if (const auto* commit = std::get_if<CommitPut>(&request.verb)) items = commit->sequences.size();
  if (const auto* remove = std::get_if<Remove>(&request.verb)) items = remove->keys.size();
  size_t answered = 0;
  for (const auto& [to, reply] : effects.replies) {
    if (to == caller && reply.id == request.id) answered += CountItems(reply);
  }
  if (answered < items) counts_->Add(Event::kWaitedForWithdrawal, items - answered);
}

void SimMaster::Dispatch(const master::Effects& effects) {
  for (const auto& [to, reply] : effects.replies) {
    const auto session = sessions_.find(to);
    if (session == sessions_.end()) continue;
    MasterListener* node = session->second.node;
    transcript_->Say(kName, "reply to ", Short(to), ": ", Describe(reply));
    network_->Send(kMasterPlace, node->place(), node->process(),
                   [node, to = to, reply = reply] { node->OnReply(to, reply); });
  }
  for (const auto& [to, orders] : effects.orders) {
    const auto session = sessions_.find(to);
    if (session == sessions_.end() || session->second.link == nullptr) continue;
    SessionLink* link = session->second.link;
    MasterListener* node = session->second.node;
    transcript_->Say(kName, "orders to ", Short(to), ": ", Describe(orders));
    link->down.Send([node, link, orders = orders] { node->OnOrders(link, orders); });
  }
  for (const Incarnation gone : effects.gone) {
    transcript_->Say(kName, "takes ", Short(gone), " for gone");
    const auto session = sessions_.find(gone);
    if (session == sessions_.end()) continue;
    End(session->second);
    sessions_.erase(session);
  }
}

uint64_t SimMaster::objects_forgotten() const {
  const auto forgotten = [](const master::Counters& c) {
    return c.evicted_for_room + c.evicted_by_watermark + c.lost_with_node + c.nodes_gone +
           c.nodes_left;
  };
  uint64_t sum = lives_ + earlier_.size();
  if (alive()) sum += forgotten(catalog_->counters());
  for (const master::Counters& counters : earlier_) sum += forgotten(counters);
  return sum;
}

void SimMaster::CountInto(EventCounts* counts) const {
  std::vector<master::Counters> all = earlier_;
  if (alive()) all.push_back(catalog_->counters());
  for (const master::Counters& c : all) {
    counts->Add(Event::kParked, c.puts_parked);
    counts->Add(Event::kEvictedForRoom, c.evicted_for_room);
    counts->Add(Event::kEvictedByWatermark, c.evicted_by_watermark);
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
}

}  // namespace kvstore::simulation
