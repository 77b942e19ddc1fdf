#include "master/catalog.h"

#include <algorithm>
#include <variant>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

constexpr Duration kLongestPatience = std::chrono::hours(24);

size_t ItemCount(const StartPut& verb) { return verb.keys.size(); }
size_t ItemCount(const CommitPut& verb) { return verb.sequences.size(); }
size_t ItemCount(const AbortPut& verb) { return verb.sequences.size(); }
size_t ItemCount(const RemoveMatching&) { return 1; }
size_t ItemCount(const NoteReads&) { return 0; }       // never answered
size_t ItemCount(const ReportFailures&) { return 0; }  // never answered
template <typename Keyed>
size_t ItemCount(const Keyed& verb) {
  return verb.keys.size();
}

template <typename Verb>
struct Answering {
  using Answer = ItemAnswer;
};
template <>
struct Answering<StartPut> {
  using Answer = StartPutAnswer;
};
template <>
struct Answering<Locate> {
  using Answer = LocateAnswer;
};
template <>
struct Answering<StatObject> {
  using Answer = StatAnswer;
};
template <>
struct Answering<RemoveMatching> {
  using Answer = CountAnswer;
};

// Every item of the verb is told the same.
template <typename Verb>
void RefuseAll(Event& event, const RequestName& request, const Verb& verb, const Status& status) {
  for (uint32_t i = 0; i < ItemCount(verb); ++i) {
    typename Answering<Verb>::Answer answer;
    answer.index = i;
    answer.status = status;
    event.out.Add(request, std::move(answer));
  }
}

}  // namespace

Catalog::Catalog(const Limits& limits, Incarnation pool, uint64_t term, const Guards& guards)
    : state_(std::make_unique<State>(limits, pool, term, guards)) {}

Catalog::~Catalog() = default;

Incarnation Catalog::pool() const { return state_->pool; }
uint64_t Catalog::term() const { return state_->term; }
const Counters& Catalog::counters() const { return state_->counters; }

Effects Catalog::Handle(TimePoint now, Incarnation caller, const VerbRequest& request) {
  Event event{now, Outbox(state_->term)};
  const RequestName name{caller, request.id};
  Node* const node = state_->nodes.Find(caller);
  std::visit(
      [&](const auto& verb) {
        if (!node) {
          RefuseAll(event, name, verb,
                    FailedPreconditionError(
                        "the caller is not a member of this pool: open a session first"));
          return;
        }
        const Duration patience = std::clamp(request.patience, Duration::zero(), kLongestPatience);
        state_->Do(event, Asking{*node, name, patience}, verb);
      },
      request.verb);
  return event.out.Take(state_->nodes);
}

Effects Catalog::HandleAcks(TimePoint now, Incarnation node, const Acks& acks) {
  Event event{now, Outbox(state_->term)};
  if (Node* const member = state_->nodes.Find(node)) {
    state_->HandleAcks(event, *member, acks);
  } else {
    state_->counters.acks_ignored += acks.retired.size() + acks.ready.size() + acks.noted.size() +
                                     acks.copied.size() + acks.released.size();
  }
  return event.out.Take(state_->nodes);
}

Result<Welcome> Catalog::Join(TimePoint now, const Hello& hello, Effects* effects) {
  Event event{now, Outbox(state_->term)};
  Result<Welcome> welcome = state_->Join(event, hello);
  *effects = event.out.Take(state_->nodes);
  return welcome;
}

Effects Catalog::SessionLost(TimePoint now, Incarnation node) {
  Event event{now, Outbox(state_->term)};
  if (Node* const member = state_->nodes.Find(node)) {
    member->has_session = false;
    state_->Suspect(event, *member);
  }
  return event.out.Take(state_->nodes);
}

Effects Catalog::Leave(TimePoint now, Incarnation node) {
  Event event{now, Outbox(state_->term)};
  if (Node* const member = state_->nodes.Find(node)) {
    ++state_->counters.nodes_left;
    state_->Drop(event, *member, NodeEvent::What::kLeft);
  }
  return event.out.Take(state_->nodes);
}

Effects Catalog::Heard(TimePoint when, Incarnation node) {
  Event event{when, Outbox(state_->term)};
  Node* const member = state_->nodes.Find(node);
  if (!member || when <= member->heard) return {};
  member->heard = when;
  if (member->has_session && when > member->suspected_since) state_->Trust(event, *member);
  return event.out.Take(state_->nodes);
}

void Catalog::Excuse(TimePoint now, Duration unheard) { state_->Excuse(now, unheard); }

bool Catalog::IsMember(Incarnation node) const { return state_->nodes.Find(node) != nullptr; }

Effects Catalog::Tick(TimePoint now) {
  Event event{now, Outbox(state_->term)};
  state_->Tick(event);
  return event.out.Take(state_->nodes);
}

Census Catalog::TakeCensus(TimePoint /*now*/) const { return state_->TakeCensus(); }

std::string Catalog::CheckInvariants() const { return state_->CheckInvariants(); }

}  // namespace kvstore::master
