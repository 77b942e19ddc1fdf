#include "client/master_stub.h"

#include <utility>

namespace kvstore::client {
namespace {

constexpr ExchangeRules kReading{};
// Its answers come late by nature, and must not keep the master from hearing of the other keys.
constexpr ExchangeRules kAwaiting{.in_flight = 64};
constexpr ExchangeRules kStarting{.in_flight = 1, .of_one_incarnation = true};
constexpr ExchangeRules kCommitting{.of_one_incarnation = true,
                                    .effect = "it may have been committed"};
constexpr ExchangeRules kAborting{
    .of_one_incarnation = true, .tell_even_late = true, .effect = "it may have been aborted"};
constexpr ExchangeRules kRemoving{.gone_is_done_over_terms = true,
                                  .effect = "it may have been removed"};
constexpr ExchangeRules kPinning{.effect = "it may have been pinned or unpinned"};
constexpr ExchangeRules kSweeping{.effect = "some or all may have been removed"};

// The new answers of these replies, one after the other.
template <typename Answer>
void AppendAnswers(std::vector<VerbReply> replies, std::vector<Answer>* answers) {
  for (VerbReply& reply : replies) {
    for (Answer& answer : std::get<std::vector<Answer>>(reply.answers)) {
      answers->push_back(std::move(answer));
    }
  }
}

template <typename Answer>
void AppendUnanswered(const Exchange& exchange, std::vector<Answer>* answers) {
  for (ItemAnswer& missing : exchange.Unanswered()) {
    Answer answer;
    answer.index = missing.index;
    answer.status = std::move(missing.status);
    answers->push_back(std::move(answer));
  }
}

// All answers of an exchange of `items` items, in order, of which these have come. Null: there are
// none.
template <typename Answer>
std::vector<Answer> ReceiveAll(Exchange* exchange, size_t items, std::vector<Answer> answers = {}) {
  std::vector<Answer> in_order(items);
  if (exchange == nullptr) return in_order;
  while (true) {
    std::vector<VerbReply> replies = exchange->Receive();
    if (replies.empty()) break;
    AppendAnswers(std::move(replies), &answers);
  }
  AppendUnanswered(*exchange, &answers);
  for (Answer& answer : answers) in_order[answer.index] = std::move(answer);
  return in_order;
}

template <typename Answer>
class AskedAll final : public Asked<Answer> {
 public:
  AskedAll(std::unique_ptr<Exchange> exchange, size_t items)
      : exchange_(std::move(exchange)), items_(items) {
    if (exchange_) exchange_->Begin();
  }

  bool HaveCome() override {
    if (exchange_) AppendAnswers(exchange_->ReceiveReady(), &come_);
    return come_.size() == items_;
  }
  std::vector<Answer> Wait() override {
    return ReceiveAll(exchange_.get(), items_, std::move(come_));
  }

 private:
  const std::unique_ptr<Exchange> exchange_;
  const size_t items_;
  std::vector<Answer> come_;
};

class Waves final : public StartedPuts {
 public:
  explicit Waves(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  std::vector<StartPutAnswer> NextWave() override {
    std::vector<StartPutAnswer> wave;
    if (!exchange_) return wave;
    AppendAnswers(exchange_->Receive(), &wave);
    if (!wave.empty()) return wave;
    AppendUnanswered(*exchange_, &wave);
    exchange_.reset();
    return wave;
  }

 private:
  std::unique_ptr<Exchange> exchange_;  // null: the last wave has been handed out
};

}  // namespace

MasterStub::MasterStub(VerbChannel& channel)
    : channel_(channel), router_(std::make_shared<ReplyRouter>()) {
  channel_.OnReply([router = router_](VerbReply reply) { router->Deliver(std::move(reply)); });
}

uint64_t MasterStub::NewSequences(size_t count) { return next_sequence_.fetch_add(count); }

std::unique_ptr<Exchange> MasterStub::Begin(Verb batch, const ExchangeRules& rules,
                                            TimePoint deadline) {
  std::vector<Message> messages = CutBatch(std::move(batch));
  if (messages.empty()) return nullptr;
  uint64_t id = next_request_.fetch_add(messages.size());
  for (Message& message : messages) message.request.id = id++;
  return std::make_unique<Exchange>(channel_, router_, std::move(messages), rules, deadline,
                                    &sent_);
}

template <typename Answer>
std::vector<Answer> MasterStub::AskAll(Verb batch, const ExchangeRules& rules, TimePoint deadline) {
  const size_t items = ItemCount(batch);
  return ReceiveAll<Answer>(Begin(std::move(batch), rules, deadline).get(), items);
}

std::unique_ptr<StartedPuts> MasterStub::Start(StartPut request, TimePoint deadline) {
  return std::make_unique<Waves>(Begin(std::move(request), kStarting, deadline));
}

std::unique_ptr<Asked<StartPutAnswer>> MasterStub::BeginAhead(GrantAhead request,
                                                              TimePoint deadline) {
  return std::make_unique<AskedAll<StartPutAnswer>>(Begin(std::move(request), kStarting, deadline),
                                                    1);
}

std::unique_ptr<Asked<ItemAnswer>> MasterStub::BeginCommit(CommitPut request, TimePoint deadline) {
  const size_t items = request.sequences.size();
  return std::make_unique<AskedAll<ItemAnswer>>(Begin(std::move(request), kCommitting, deadline),
                                                items);
}

std::vector<ItemAnswer> MasterStub::Abort(AbortPut request, TimePoint deadline) {
  return AskAll<ItemAnswer>(std::move(request), kAborting, deadline);
}

std::vector<LocateAnswer> MasterStub::Find(Locate request, TimePoint deadline) {
  const ExchangeRules& rules = request.await.at_most > Duration::zero() ? kAwaiting : kReading;
  return AskAll<LocateAnswer>(std::move(request), rules, deadline);
}

std::vector<ItemAnswer> MasterStub::Ask(Exists request, TimePoint deadline) {
  return AskAll<ItemAnswer>(std::move(request), kReading, deadline);
}

std::vector<ItemAnswer> MasterStub::Await(WaitExists request, TimePoint deadline) {
  return AskAll<ItemAnswer>(std::move(request), kAwaiting, deadline);
}

std::vector<ItemAnswer> MasterStub::Drop(Remove request, TimePoint deadline) {
  return AskAll<ItemAnswer>(std::move(request), kRemoving, deadline);
}

std::vector<StatAnswer> MasterStub::Describe(StatObject request, TimePoint deadline) {
  return AskAll<StatAnswer>(std::move(request), kReading, deadline);
}

std::vector<ItemAnswer> MasterStub::Keep(Pin request, TimePoint deadline) {
  return AskAll<ItemAnswer>(std::move(request), kPinning, deadline);
}

CountAnswer MasterStub::Sweep(RemoveMatching request, TimePoint deadline) {
  return AskAll<CountAnswer>(std::move(request), kSweeping, deadline).at(0);
}

void MasterStub::Note(NoteReads request) { Tell(std::move(request)); }

void MasterStub::Complain(ReportFailures request) { Tell(std::move(request)); }

void MasterStub::Tell(Verb batch) {
  for (Message& message : CutBatch(std::move(batch))) {
    message.request.id = next_request_.fetch_add(1);
    // What doesn't go out at once isn't worth a wait.
    (void)channel_.Send(message.request, channel_.clock().Now());  // lost, if it is
  }
}

void MasterStub::Pause(TimePoint until) {
  const std::unique_ptr<Wakeup> wakeup = channel_.NewWakeup();
  while (channel_.clock().Now() < until) wakeup->WaitUntil(until);
}

std::optional<Peer> MasterStub::FindPeer(Incarnation holder) const {
  return router_->FindPeer(holder);
}

}  // namespace kvstore::client
