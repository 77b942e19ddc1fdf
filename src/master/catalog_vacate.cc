// Memory that is emptied: drains, and segments that grow and shrink.

#include <algorithm>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

bool IsEmpty(const Node& node) {
  return std::all_of(node.segments.begin(), node.segments.end(), [](const auto& segment) {
    for (size_t i = 0; i < kStandings; ++i) {
      if (!segment->List(static_cast<Standing>(i)).empty()) return false;
    }
    return true;
  });
}

}  // namespace

Status Catalog::State::HandleLend(Event& event, Node& node, const Lend& lend) {
  KVSTORE_RETURN_IF_ERROR(CheckLent(lend.segments, /*least=*/0));
  size_t added = 0;
  for (const LentSegment& lent : lend.segments) {
    const Segment* const known = node.FindSegment(lent.index);
    const std::string name = "segment " + std::to_string(lent.index);
    if (known && known->granule() != lent.granule) {
      return InvalidArgumentError(name + ": its granule is " + std::to_string(known->granule()) +
                                  ", not " + std::to_string(lent.granule));
    }
    if (!known) ++added;
  }
  if (node.segments.size() + added > limits.segments_per_node) {
    return ResourceExhaustedError("a node lends at most " +
                                  std::to_string(limits.segments_per_node) + " segments, not " +
                                  std::to_string(node.segments.size() + added));
  }
  for (const LentSegment& lent : lend.segments) {
    if (Segment* const known = node.FindSegment(lent.index)) {
      Resize(event, *known, lent);
    } else {
      nodes.AddSegment(&node, lent);
    }
  }
  RankYoung(event.now);
  for (const auto& segment : node.segments) {
    if (segment->TakesNew()) KeepReady(event, *segment);
  }
  RetryParked(event);
  return Status::Ok();
}

void Catalog::State::Resize(Event& event, Segment& segment, const LentSegment& lent) {
  if (segment.release) {
    // Its node may be giving those pages away right now: nothing there is granted before it says
    // so.
    segment.wished = lent;
    return;
  }
  segment.Limit(lent.size);
  if (lent.size > segment.size()) segment.Grow(lent.size, lent.ready);
  segment.Ready(lent.ready, /*ends=*/false);
  nodes.NoteSpace(&segment);
  if (!segment.IsShrinking()) return;
  CallBack(event, segment, UINT64_MAX);
  ReplanQueue(event, segment);
  ReviewAll(event, segment);
}

void Catalog::State::ReviewAll(Event& event, const Segment& segment) {
  for (size_t i = 0; i < kStandings; ++i) {
    if (!IsCommitted(static_cast<Standing>(i))) continue;
    for (const HeldReplica* each = segment.First(static_cast<Standing>(i)); each;
         each = each->next) {
      Review(event, each->object());
    }
  }
}

bool Catalog::State::HandleReleased(Event& event, const Node& node, const ReleaseAck& ack) {
  Segment* const segment = node.FindSegment(ack.segment);
  if (!segment || !segment->release || ack.number != segment->release->number) return false;
  segment->release.reset();
  segment->End();
  nodes.NoteSpace(segment);
  if (segment->wished) {
    LentSegment wished = *std::exchange(segment->wished, std::nullopt);
    // Pages that were there when it wished may be gone by now. Nothing beyond the limit is granted
    // before they have been asked for again: an order said twice may still be on its way.
    wished.ready = std::min(wished.ready, ack.limit);
    Resize(event, *segment, wished);
  }
  return true;
}

Status Catalog::State::Drain(Event& event, std::string_view name, bool drain) {
  std::vector<Node*> meant;
  if (const std::vector<Node*>* const named = nodes.Named(name)) {
    std::copy_if(named->begin(), named->end(), std::back_inserter(meant),
                 [](const Node* node) { return !node->striking; });
  }
  if (meant.empty()) return NotFoundError("no node has the name '" + std::string(name) + "'");
  std::erase_if(meant, [](const Node* node) { return !node->Lends(); });
  if (meant.empty())
    return FailedPreconditionError("the node lends nothing: it can just be stopped");
  const bool others = std::any_of(nodes.all().begin(), nodes.all().end(), [&](const auto& member) {
    const Node& node = *member.second;
    return node.Lends() && !node.draining && !node.striking && node.peer.name != name;
  });
  if (drain && !others) {
    return FailedPreconditionError(
        "no other node lends memory that its objects could move to; add one, or stop this one");
  }
  if (!drain && std::any_of(meant.begin(), meant.end(),
                            [](const Node* node) { return node->leave_sent.has_value(); })) {
    return FailedPreconditionError(
        "the node is drained and has been told to leave; start it again when it has left");
  }
  for (Node* node : meant) {
    if (node->draining == drain) continue;
    node->draining = drain;
    node->leave_sent.reset();
    for (const auto& segment : node->segments) nodes.NoteSpace(segment.get());
    if (!drain) continue;
    event.out.Add(AboutNode(NodeEvent::What::kDraining, *node));
    AbandonCopies(event, *node, /*as_source_too=*/false);
    for (const auto& segment : node->segments) {
      CallBackUnlessPlaced(event, *segment);
      ReplanQueue(event, *segment);
      ReviewAll(event, *segment);
    }
  }
  RetryParked(event);
  return Status::Ok();
}

void Catalog::State::Vacate(Event& event, Node& node) {
  const auto is_due = [&](const std::optional<TimePoint>& sent) {
    return !sent || event.now - *sent >= limits.order_resend_after;
  };
  for (const auto& segment : node.segments) {
    auto& release = segment->release;
    if (!release) {
      if (!segment->IsShrinking() || !segment->IsEmptied()) continue;
      release = Segment::OpenRelease{next_release++, segment->limit(), event.now};
      ++counters.orders_sent;
    } else if (is_due(release->sent)) {
      release->sent = event.now;
      ++counters.orders_resent;
    } else {
      continue;
    }
    event.out.Add(node.peer.incarnation,
                  ReleaseOrder{segment->id().index, release->limit, release->number});
  }
  if (!node.draining) return;
  if (!node.Lends()) {
    node.draining = false;  // it went on as a mere client: what it lends later counts again
    for (const auto& segment : node.segments) nodes.NoteSpace(segment.get());
  } else if (IsEmpty(node) && is_due(node.leave_sent)) {
    if (!node.leave_sent) event.out.Add(AboutNode(NodeEvent::What::kDrained, node));
    ++(node.leave_sent ? counters.orders_resent : counters.orders_sent);
    node.leave_sent = event.now;
    event.out.Add(node.peer.incarnation, LeaveOrder{});
  }
}

}  // namespace kvstore::master
