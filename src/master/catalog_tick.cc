// What time alone brings about.

#include <algorithm>

#include "master/catalog_state.h"

namespace kvstore::master {

void Catalog::State::Tick(Event& event) {
  JudgeNodes(event);
  ForgetStruck(event);
  JudgeSegments(event);
  RankYoung(event.now);
  EndGrants(event);
  EndPatience(event);
  Expire(event);
  EndSoftPins(event.now);
  for (const auto& [incarnation, node] : nodes.all()) {
    for (const auto& segment : node->segments) ExpireLeases(*segment, event.now);
    if (node->suspected || !node->reported) continue;
    for (const auto& segment : node->segments) {
      if (!segment->TakesNew()) continue;
      ServeQueue(event, *segment);
      MakeRoom(event, *segment);
      KeepReady(event, *segment);
    }
    ResendOrders(event, *node, event.now - limits.order_resend_after);
    Vacate(event, *node);
  }
  RetryParked(event);
  RunCopies(event);
}

void Catalog::State::Excuse(TimePoint now, Duration unheard) {
  // Never beyond `now`: a beat that is still to come must be later than both.
  for (const auto& [incarnation, node] : nodes.all()) {
    if (node->heard < now) node->heard = std::min(node->heard + unheard, now);
    if (node->suspected && node->suspected_since < now) {
      node->suspected_since = std::min(node->suspected_since + unheard, now);
    }
    if (node->report_heard) node->report_heard = std::min(*node->report_heard + unheard, now);
  }
}

void Catalog::State::JudgeNodes(Event& event) {
  const Duration gone_after = guards.gone_after_longest_lease
                                  ? std::max(limits.gone_after, limits.lease)
                                  : limits.gone_after;
  const bool leases_run = guards.gone_after_longest_lease && event.now - began < longest_lease;
  for (Node* node : nodes.Snapshot()) {
    if (event.now - node->heard > limits.suspect_after) Suspect(event, *node);
    if (!node->suspected) {
      if (!leases_run) JudgeReport(event, *node, gone_after);
      continue;
    }
    const Duration suspected = event.now - node->suspected_since;
    if (suspected >= gone_after && !leases_run) {
      Strike(event, *node, NodeEvent::What::kGone);
    } else if (suspected >= limits.abort_writer_after) {
      AbortPutsOf(event, *node, /*committing=*/false);
    }
  }
}

// No reader holds a lease of this reign on what it has reported so far (Lease).
void Catalog::State::JudgeReport(Event& event, Node& node, Duration gone_after) {
  if (!node.report_heard || event.now - *node.report_heard < gone_after) return;
  const auto stalled =
      std::chrono::duration_cast<std::chrono::seconds>(event.now - *node.report_heard);
  Strike(event, node, NodeEvent::What::kGone,
         "it is heard, but no further part of its report has come for " +
             std::to_string(stalled.count()) + " s");
}

void Catalog::State::EndGrants(Event& event) {
  while (!grants_by_end.empty() && grants_by_end.begin()->first <= event.now) {
    Retire(event, *Find(grants_by_end.begin()->second), Cause::kExpired);
  }
  while (!ahead_by_end.empty() && ahead_by_end.begin()->first <= event.now) {
    EndAhead(event, *Find(ahead_by_end.begin()->second), Cause::kExpired);
  }
}

void Catalog::State::EndPatience(Event& event) {
  while (WaitingItem* const item = waiting.FirstDue(event.now)) {
    AnswerOverdue(event, *item);
    KeyEntry* const key = item->key;
    Object* const object = item->object;
    waiting.Remove(item);
    if (key) ForgetIfEmpty(*key);
    // A parked put lives as long as somebody waits for it.
    if (object && object->state == ObjectState::kParked && object->waiting().empty()) {
      EndParked(event, *object, Status::Ok());
    }
  }
}

}  // namespace kvstore::master
