// What placement goes by beside free memory: segments that peers can't reach, nodes that joined
// lately.

#include <algorithm>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr double kLendersOneMayLose = 0.5;  // of all

size_t HoldersIn(const std::map<SegmentId, TimePoint>& failures) {
  std::set<Incarnation> holders;
  for (const auto& [segment, when] : failures) holders.insert(segment.holder);
  return holders.size();
}

// How many eighths of its free memory a lender counts with that joined so long ago. Where all are
// new none is held back.
uint32_t StartEighths(Duration joined, Duration oldest, Duration slow_start) {
  if (oldest < slow_start || joined >= slow_start) return 8;
  return 1 + static_cast<uint32_t>(8 * joined / slow_start);
}

}  // namespace

void Catalog::State::Do(Event& event, const Asking& asking, const ReportFailures& verb) {
  Node& reporter = asking.caller;
  for (const SegmentId& id : verb.segments) {
    const Node* const holder = FindMember(id.holder);
    if (holder && holder != &reporter && holder->FindSegment(id.index)) {
      reporter.failures[id] = event.now;
      complainers.insert(reporter.peer.incarnation);
    }
  }
  JudgeSegments(event);
}

void Catalog::State::JudgeSegments(Event& event) {
  if (complainers.empty() && sick.empty()) return;
  const auto lenders =
      static_cast<double>(std::count_if(nodes.all().begin(), nodes.all().end(),
                                        [](const auto& member) { return member.second->Lends(); }));
  std::set<SegmentId> unreachable;
  for (auto it = complainers.begin(); it != complainers.end();) {
    Node* const reporter = nodes.Find(*it);
    if (reporter) {
      std::erase_if(reporter->failures, [&](const auto& failure) {
        return event.now - failure.second >= limits.sick_for;
      });
    }
    if (!reporter || reporter->failures.empty()) {
      it = complainers.erase(it);
      continue;
    }
    ++it;
    if (static_cast<double>(HoldersIn(reporter->failures)) > kLendersOneMayLose * lenders) {
      continue;  // it is the one that is ill
    }
    for (const auto& [segment, when] : reporter->failures) unreachable.insert(segment);
  }
  for (auto it = sick.begin(); it != sick.end();) {
    const auto [id, since] = *it;
    if (unreachable.contains(id)) {
      ++it;
      continue;
    }
    it = sick.erase(it);
    Node* const holder = nodes.Find(id.holder);
    if (holder) SetSick(event, *holder->FindSegment(id.index), false, since);
  }
  for (const SegmentId& id : unreachable) {
    Node* const holder = nodes.Find(id.holder);
    if (holder && sick.emplace(id, event.now).second) {
      SetSick(event, *holder->FindSegment(id.index), true, event.now);
    }
  }
}

void Catalog::State::SetSick(Event& event, Segment& segment, bool is_sick, TimePoint since) {
  const Node& node = segment.node();
  const auto any_sick = [&node] {
    return std::any_of(node.segments.begin(), node.segments.end(),
                       [](const auto& each) { return each->sick(); });
  };
  const bool before = any_sick();
  segment.set_sick(is_sick);
  nodes.NoteSpace(&segment);
  if (any_sick() != before) {
    NodeEvent changed = AboutNode(is_sick ? NodeEvent::What::kSick : NodeEvent::What::kWell, node);
    changed.lasted = event.now - since;
    event.out.Add(std::move(changed));
  }
  CallBackUnlessPlaced(event, segment);
  if (is_sick) ReplanQueue(event, segment);
}

void Catalog::State::RankYoung(TimePoint now) {
  Duration oldest{};
  for (const auto& [incarnation, node] : nodes.all()) {
    if (node->Lends()) oldest = std::max(oldest, now - node->joined);
  }
  for (const auto& [incarnation, node] : nodes.all()) {
    const uint32_t eighths = StartEighths(now - node->joined, oldest, limits.slow_start);
    if (eighths == node->start_eighths) continue;
    node->start_eighths = eighths;
    for (const auto& segment : node->segments) nodes.NoteSpace(segment.get());
  }
}

}  // namespace kvstore::master
