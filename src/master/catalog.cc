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
size_t ItemCount(const GrantAhead&) { return 1; }
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
struct Answering<GrantAhead> {
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

size_t ItemCount(const VerbRequest& request) {
  return std::visit([](const auto& verb) { return ItemCount(verb); }, request.verb);
}

Catalog::Catalog(TimePoint now, const Limits& limits, const Reign& reign, const Guards& guards)
    : state_(std::make_unique<State>(limits, reign, guards)) {
  state_->BeginReign(now, reign);
}

Catalog::~Catalog() = default;

Incarnation Catalog::pool() const { return state_->pool; }
uint64_t Catalog::term() const { return state_->term; }
const Counters& Catalog::counters() const { return state_->counters; }

Effects Catalog::Handle(TimePoint now, Incarnation caller, const VerbRequest& request) {
  Event event{now, Outbox(state_->term)};
  const RequestName name{caller, request.id};
  Node* const node = state_->FindMember(caller);
  std::visit(
      [&](const auto& verb) {
        if (!node) {
          RefuseAll(event, name, verb,
                    FailedPreconditionError(
                        "the caller is not a member of this pool: open a session first"));
          return;
        }
        const Duration patience = std::clamp(request.patience, Duration::zero(), kLongestPatience);
        const Asking asking{*node, name, patience, now};
        if (state_->Gathering() && state_->guards.misses_wait_for_reports) {
          state_->DoWhileGathering(event, asking, request);
        } else {
          state_->Do(event, asking, verb);
        }
      },
      request.verb);
  state_->OrderByPosition(event);
  return event.out.Take(state_->nodes);
}

Effects Catalog::HandleAcks(TimePoint now, Incarnation node, const Acks& acks) {
  Event event{now, Outbox(state_->term)};
  if (Node* const member = state_->FindMember(node)) {
    state_->HandleAcks(event, *member, acks);
    state_->OrderByPosition(event);
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
    state_->Strike(event, *member, NodeEvent::What::kLeft);
  }
  return event.out.Take(state_->nodes);
}

Effects Catalog::Struck(TimePoint now, Incarnation node) {
  Event event{now, Outbox(state_->term)};
  Node* const member = state_->nodes.Find(node);
  if (member && member->striking) state_->Drop(event, *member);
  return event.out.Take(state_->nodes);
}

bool Catalog::MustAdmit(const Hello& hello) const {
  const Node* const node = state_->nodes.Find(hello.self.incarnation);
  return !hello.segments.empty() && !(node && node->kept) && state_->CheckHello(hello).ok();
}

std::optional<Reign::Member> Catalog::MustAdmit(Incarnation node, const Lend& lend) const {
  const Node* const member = state_->FindMember(node);
  if (!member || member->kept || lend.segments.empty()) return std::nullopt;
  return Reign::Member{node, member->peer.name};
}

bool Catalog::IsKept(Incarnation node) const {
  const Node* const member = state_->nodes.Find(node);
  return member && member->kept;
}

Effects Catalog::Heard(TimePoint when, Incarnation node) {
  Event event{when, Outbox(state_->term)};
  Node* const member = state_->FindMember(node);
  if (!member || when <= member->heard) return {};
  member->heard = when;
  if (member->has_session && when > member->suspected_since) state_->Trust(event, *member);
  return event.out.Take(state_->nodes);
}

void Catalog::Excuse(TimePoint now, Duration unheard) { state_->Excuse(now, unheard); }

bool Catalog::IsMember(Incarnation node) const { return state_->FindMember(node) != nullptr; }

Effects Catalog::Tick(TimePoint now) {
  Event event{now, Outbox(state_->term)};
  state_->Tick(event);
  return event.out.Take(state_->nodes);
}

Status Catalog::HandleReport(TimePoint now, Incarnation node, const Report& report,
                             Effects* effects) {
  Event event{now, Outbox(state_->term)};
  Status status;
  if (Node* const member = state_->FindMember(node)) {
    status = state_->HandleReport(event, *member, report);
  }
  *effects = event.out.Take(state_->nodes);
  return status;
}

Result<Effects> Catalog::HandleLend(TimePoint now, Incarnation node, const Lend& lend) {
  Event event{now, Outbox(state_->term)};
  Node* const member = state_->FindMember(node);
  if (!member) return FailedPreconditionError("who lends is no member of this pool any more");
  KVSTORE_RETURN_IF_ERROR(state_->HandleLend(event, *member, lend));
  member->kept = member->kept || !lend.segments.empty();
  return event.out.Take(state_->nodes);
}

void Catalog::HandleTally(Incarnation node, const ClientTally& tally) {
  if (Node* const member = state_->nodes.Find(node)) state_->HandleTally(*member, tally);
}

Result<Effects> Catalog::Drain(TimePoint now, std::string_view node, bool drain) {
  Event event{now, Outbox(state_->term)};
  KVSTORE_RETURN_IF_ERROR(state_->OrNotKnown(state_->Drain(event, node, drain)));
  return event.out.Take(state_->nodes);
}

Result<uint64_t> Catalog::StartTask(TimePoint now, const TaskRequest& request, Effects* effects) {
  Event event{now, Outbox(state_->term)};
  Result<uint64_t> id = state_->StartTask(event, request);
  *effects = event.out.Take(state_->nodes);
  if (!id.ok()) return state_->OrNotKnown(id.status());
  return id;
}

std::vector<TaskLine> Catalog::ListTasks(TimePoint now) const { return state_->ListTasks(now); }

EvictOutcome Catalog::Evict(TimePoint now, const EvictRequest& request, Effects* effects) {
  Event event{now, Outbox(state_->term)};
  EvictOutcome outcome = state_->EvictOnRequest(event, request);
  *effects = event.out.Take(state_->nodes);
  return outcome;
}

Result<ObjectDetail> Catalog::Describe(TimePoint now, std::string_view key) const {
  Result<ObjectDetail> detail = state_->Describe(now, key);
  if (!detail.ok()) return state_->OrNotKnown(detail.status());
  return detail;
}

Status Catalog::AllIsKnown() const { return state_->AllIsKnown(); }

void Catalog::WatchObjects(bool on) { state_->watched = on; }

Census Catalog::TakeCensus(TimePoint now) const { return state_->TakeCensus(now); }

std::string Catalog::CheckInvariants() const { return state_->CheckInvariants(); }

}  // namespace kvstore::master
