// Members: join, join again, suspected, leave, gone.

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr uint64_t kSmallestGranule = 4096;
constexpr size_t kDepartedKept = 1000;
constexpr uint64_t kLargestSegment = uint64_t{1} << 56;

// Parked puts for which room is being made on this node.
std::set<uint64_t> ParkedOn(const Node& node) {
  std::set<uint64_t> arrivals;
  for (const auto& segment : node.segments) {
    for (const auto& [arrival, object] : segment->queue()) arrivals.insert(arrival);
  }
  return arrivals;
}

}  // namespace

NodeEvent AboutNode(NodeEvent::What what, const Node& node) {
  NodeEvent event;
  event.what = what;
  event.node = node.peer.incarnation;
  event.name = node.peer.name;
  event.lends = node.Lends() || node.missing;
  event.has_session = node.has_session;
  return event;
}

Node* Catalog::State::FindMember(Incarnation incarnation) const {
  Node* const node = nodes.Find(incarnation);
  return node && !node->striking ? node : nullptr;
}

Status Catalog::State::CheckLent(const std::vector<LentSegment>& segments, uint64_t least) const {
  if (segments.size() > limits.segments_per_node) {
    return ResourceExhaustedError("a node lends at most " +
                                  std::to_string(limits.segments_per_node) + " segments, not " +
                                  std::to_string(segments.size()));
  }
  std::set<uint32_t> seen;
  for (const LentSegment& lent : segments) {
    const std::string name = "segment " + std::to_string(lent.index);
    const bool power_of_two = (lent.granule & (lent.granule - 1)) == 0;
    if (lent.granule < kSmallestGranule || !power_of_two) {
      return InvalidArgumentError(name + ": a granule is a power of two from 4096 up, not " +
                                  std::to_string(lent.granule));
    }
    if (lent.size < least || lent.size % lent.granule != 0 || lent.size > kLargestSegment) {
      return InvalidArgumentError(name + ": a size is whole granules, at most 64 PiB, not " +
                                  std::to_string(lent.size) + " bytes");
    }
    if (!seen.insert(lent.index).second) {
      return InvalidArgumentError(name + " is named twice");
    }
  }
  return Status::Ok();
}

Status Catalog::State::CheckHello(const Hello& hello) const {
  if (hello.self.incarnation.IsNone()) return InvalidArgumentError("a node has an incarnation");
  // It stands in logs and tables, line by line.
  if (std::any_of(hello.self.name.begin(), hello.self.name.end(),
                  [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return InvalidArgumentError("a node's name has no control characters");
  }
  if (hello.oldest_version > kProtocolVersion || hello.newest_version < kOldestProtocolVersion) {
    return FailedPreconditionError("protocol: the master speaks versions " +
                                   std::to_string(kOldestProtocolVersion) + " to " +
                                   std::to_string(kProtocolVersion));
  }
  if (guards.other_pools_are_refused && !hello.pool.IsNone() && hello.pool != pool) {
    return FailedPreconditionError("pool: the node belongs to " + hello.pool.ToString() +
                                   ", this is " + pool.ToString() +
                                   "; empty it and join as another incarnation");
  }
  const bool member = FindMember(hello.self.incarnation) != nullptr;
  // One that lends nothing has nothing that could be found again: it goes on in a new reign.
  const bool of_earlier_reign = !hello.pool.IsNone() && hello.term < term && hello.segments.empty();
  const bool was_member = !member && ((!hello.pool.IsNone() && !of_earlier_reign) ||
                                      nodes.Find(hello.self.incarnation) != nullptr);
  if (guards.gone_never_returns && (was_member || !nodes.MayReturn(hello.self.incarnation))) {
    return FailedPreconditionError(
        "gone: this incarnation is no member any more; empty the node and join as another");
  }
  if (!hello.pool.IsNone() && hello.term > term) {
    return FailedPreconditionError("term: the node has met term " + std::to_string(hello.term) +
                                   ", this master reigns in " + std::to_string(term) +
                                   "; ask the newer one");
  }
  const Node* const known = nodes.Find(hello.self.incarnation);
  if (known && known->met && known->peer.name != hello.self.name) {
    return InvalidArgumentError("the node is a member as '" + known->peer.name + "', not as '" +
                                hello.self.name +
                                "'; under another name it is to join as another incarnation");
  }
  if (!member && nodes.size() >= limits.nodes) {
    return ResourceExhaustedError("the pool has " + std::to_string(nodes.size()) +
                                  " nodes, its limit");
  }
  return CheckLent(hello.segments, /*least=*/1);
}

Result<Welcome> Catalog::State::Join(Event& event, const Hello& hello) {
  KVSTORE_RETURN_IF_ERROR(CheckHello(hello));
  Node* node = nodes.Find(hello.self.incarnation);
  const bool lent_before = node && node->kept;
  if (!node) node = nodes.Add(hello.self, event.now);
  if (!std::exchange(node->met, true)) {
    ++counters.nodes_joined;
    node->named_client = clients.Join(hello.self.name);
    // Its own sums began under another master.
    if (!hello.pool.IsNone()) node->counted_before.reset();
  }
  if (!hello.segments.empty() && !lent_before) {
    node->kept = true;
    node->reported = false;
  }
  Rejoin(event, *node, hello);
  RankYoung(event.now);
  RetryParked(event);
  Welcome welcome;
  welcome.version = std::min(hello.newest_version, kProtocolVersion);
  welcome.software = KVSTORE_VERSION;
  welcome.pool = pool;
  welcome.term = term;
  welcome.heartbeat_interval = limits.heartbeat_interval;
  welcome.suspect_after = limits.suspect_after;
  welcome.wants_report = !node->reported;
  return welcome;
}

void Catalog::State::Rejoin(Event& event, Node& node, const Hello& hello) {
  node.has_session = true;
  node.heard = event.now;
  node.counter = std::max(node.counter, hello.counter);
  node.software = hello.software;
  nodes.SetPeer(&node, hello.self);
  Trust(event, node);
  if (!node.reported) BeginReport(event, node);
  ResendOrders(event, node, TimePoint::max());
  AddSegments(event, node, hello);
  for (const auto& segment : node.segments) {
    ServeQueue(event, *segment);
    MakeRoom(event, *segment);
  }
}

void Catalog::State::AddSegments(Event& event, Node& node, const Hello& hello) {
  for (const LentSegment& lent : hello.segments) {
    Segment* segment = node.FindSegment(lent.index);
    if (segment) {
      // The acks of the last session may have been lost.
      Resize(event, *segment, lent);
    } else {
      segment = nodes.AddSegment(&node, lent);
    }
    if (segment->TakesNew()) KeepReady(event, *segment);
  }
}

void Catalog::State::ResendOrders(Event& event, Node& node, TimePoint sent_until) {
  if (!node.TakesOrders()) return;  // they follow when it has joined again, and reported
  ResendNotes(event, node, sent_until);
  for (const auto& segment : node.segments) {
    for (const Standing standing : {Standing::kOrdered, Standing::kWithdrawn}) {
      for (size_t i = segment->List(standing).size(); i > 0; --i) {
        HeldReplica* const oldest = segment->First(standing);
        if (oldest->sent() > sent_until) break;
        oldest->set_sent(event.now);
        segment->Move(oldest, standing);
        SendOrder(event, *oldest);
        ++counters.orders_resent;
      }
    }
    if (segment->asked() > segment->prepared() && segment->asked_at() <= sent_until) {
      segment->AskForPages(segment->asked(), event.now);
      event.out.Add(node.peer.incarnation, PrepareOrder{segment->id().index, segment->asked()});
      ++counters.orders_resent;
    }
  }
}

void Catalog::State::Suspect(Event& event, Node& node) {
  if (node.suspected) return;
  nodes.Suspect(&node, event.now);
  ++counters.nodes_suspected;
  NodeEvent suspected = AboutNode(NodeEvent::What::kSuspected, node);
  suspected.lasted = event.now - node.heard;
  event.out.Add(std::move(suspected));
  for (const auto& segment : node.segments) CallBackUnlessPlaced(event, *segment);
  AbandonCopies(event, node, /*as_source_too=*/true);
  for (const uint64_t arrival : ParkedOn(node)) {
    const auto it = parked.find(arrival);
    if (it != parked.end()) Replan(event, *it->second);
  }
}

void Catalog::State::Trust(Event& event, Node& node) {
  if (!node.suspected) return;
  nodes.Trust(&node);
  NodeEvent trusted = AboutNode(NodeEvent::What::kTrusted, node);
  trusted.lasted = event.now - node.suspected_since;
  if (node.report_heard) *node.report_heard += trusted.lasted;
  event.out.Add(std::move(trusted));
}

void Catalog::State::AbortPutsOf(Event& event, Node& writer, bool committing) {
  EndAheadOf(event, writer);
  auto it = writer.unfinished.begin();
  while (it != writer.unfinished.end()) {
    const uint64_t sequence = it->first;
    Object& object = *it->second;
    if (object.state == ObjectState::kParked) {
      EndParked(event, object, AbortedError("its writer was silent for too long"));
    } else if ((committing && !object.bound) || object.state != ObjectState::kCommitting) {
      Retire(event, object, Cause::kWriterLost);
    }
    it = writer.unfinished.upper_bound(sequence);
  }
}

void Catalog::State::Strike(Event& event, Node& node, NodeEvent::What what, std::string why) {
  if (node.striking) return;
  node.striking = AboutNode(what, node);
  node.striking->lasted = event.now - node.heard;
  node.striking->why = std::move(why);
  if (what == NodeEvent::What::kGone) event.out.AddGone(node.peer.incarnation);
  if (!node.kept) return Drop(event, node);
  node.has_session = false;
  nodes.Suspect(&node, event.now);
  for (const auto& segment : node.segments) CallBackUnlessPlaced(event, *segment);
  AbandonCopies(event, node, /*as_source_too=*/true);
  event.out.AddStrike(node.peer.incarnation);
}

void Catalog::State::Drop(Event& event, Node& node) {
  NodeEvent dropped = *node.striking;
  ++(dropped.what == NodeEvent::What::kGone ? counters.nodes_gone : counters.nodes_left);
  const Counters before = counters;
  node.has_session = false;
  nodes.Suspect(&node, event.now);
  for (WaitingItem* item : waiting.OfCaller(node.peer.incarnation)) {
    KeyEntry* const key = item->key;
    waiting.Remove(item);
    if (key) ForgetIfEmpty(*key);
  }
  ForgetSweepsOf(node.peer.incarnation);
  AbortPutsOf(event, node, /*committing=*/true);
  const std::set<uint64_t> displaced = ParkedOn(node);
  for (const uint64_t arrival : displaced) LeaveQueues(*parked.at(arrival));
  for (const auto& segment : node.segments) {
    for (size_t standing = 0; standing < kStandings; ++standing) {
      while (HeldReplica* const replica = segment->First(static_cast<Standing>(standing))) {
        Lose(event, *replica);
      }
    }
  }
  dropped.objects_lost = counters.lost_with_node - before.lost_with_node;
  dropped.bytes_lost = counters.bytes_lost_with_node - before.bytes_lost_with_node;
  if (dropped.lends) departed.push_back(dropped);
  if (departed.size() > kDepartedKept) departed.pop_front();
  event.out.Add(std::move(dropped));
  // Until it hears of it, what it holds is read at remembered locations: see kCertainAfterBeat.
  if (node.missing && event.now < began + limits.quiet_start) struck_early = true;
  NoLongerMissing(event, node);
  nodes.NeverTakeBack(node.peer.incarnation);
  clients.Leave(node.peer.name, node.named_client, node.Sums());
  nodes.Erase(&node);
  for (const uint64_t arrival : displaced) {
    const auto it = parked.find(arrival);
    if (it != parked.end()) Replan(event, *it->second);
  }
  RetryParked(event);
}

}  // namespace kvstore::master
