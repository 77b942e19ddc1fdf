#include "client/exchange.h"

#include <algorithm>
#include <array>
#include <utility>

#include "client/parts.h"

namespace kvstore::client {
namespace {

constexpr Duration kFirstResend = std::chrono::seconds(1);
constexpr uint32_t kMostDoublings = 4;  // then every 16 s
constexpr Duration kLeastHeadStart = std::chrono::milliseconds(20);
constexpr std::string_view kNothing = "; nothing happened";

// Which alternative of VerbReply::answers answers which alternative of VerbRequest::verb. NoteReads
// and ReportFailures have no answer, and no exchange.
size_t AnswersFor(const Verb& verb) {
  constexpr size_t kNone = SIZE_MAX;
  constexpr std::array<size_t, std::variant_size_v<Verb>> kAnswers = {0, 1,     1, 2, 1,     1, 1,
                                                                      3, kNone, 1, 4, kNone, 0};
  return kAnswers[verb.index()];
}

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

}  // namespace

Exchange::Exchange(VerbChannel& channel, std::shared_ptr<ReplyRouter> router,
                   std::vector<Message> messages, const ExchangeRules& rules, TimePoint deadline,
                   std::atomic<uint64_t>* sent)
    : channel_(channel),
      router_(std::move(router)),
      inbox_(std::make_shared<Inbox>(channel.NewWakeup())),
      rules_(rules),
      started_at_(channel.clock().Now()),
      deadline_(deadline),
      incarnation_(channel.incarnation()),
      sent_(*sent) {
  for (Message& message : messages) {
    Sending sending;
    sending.answered.resize(message.count);
    sending.missing = message.count;
    sending.asked_at = started_at_;
    sending.message = std::move(message);
    sendings_.push_back(std::move(sending));
  }
}

Exchange::~Exchange() {
  for (const Sending& sending : sendings_) router_->Forget(sending.message.request.id);
}

void Exchange::Begin() {
  term_ = channel_.term();
  if (channel_.clock().Now() < deadline_) SendDue();
}

std::vector<VerbReply> Exchange::Receive() {
  const auto answered = [](const Sending& s) { return s.missing == 0; };
  while (true) {
    // Before replies are read: one that answers a sending as another incarnation is not about these
    // puts.
    if (rules_.of_one_incarnation && channel_.incarnation() != incarnation_) end_ = End::kRejoined;
    if (end_ != End::kNone) return {};
    term_ = channel_.term();
    std::vector<VerbReply> replies = TakeNew();
    if (!replies.empty() || std::all_of(sendings_.begin(), sendings_.end(), answered)) {
      return replies;
    }
    const bool late = channel_.clock().Now() >= deadline_;
    const bool untold = rules_.tell_even_late && sendings_.front().times == 0;
    if (late && !untold) {
      end_ = End::kDeadline;
      return {};
    }
    if (IsGivenUp()) {
      end_ = End::kGivenUp;
      return {};
    }
    SendDue();
    const TimePoint gives_up_at = channel_.gives_up_at().value_or(TimePoint::max());
    inbox_->WaitUntil(std::min({deadline_, NextSending(), gives_up_at}));
  }
}

std::vector<VerbReply> Exchange::ReceiveReady() {
  // Receive says what became of the others.
  if (rules_.of_one_incarnation && channel_.incarnation() != incarnation_) return {};
  term_ = channel_.term();
  return TakeNew();
}

std::vector<VerbReply> Exchange::TakeNew() {
  std::vector<VerbReply> replies = inbox_->TakeAll();
  std::erase_if(replies, [&](VerbReply& reply) { return !KeepNew(&reply); });
  return replies;
}

bool Exchange::KeepNew(VerbReply* reply) {
  const uint64_t place = reply->id - sendings_.front().message.request.id;
  if (place >= sendings_.size()) return false;
  Sending& sending = sendings_[place];
  if (reply->answers.index() != AnswersFor(sending.message.request.verb)) return false;
  sending.reached = true;
  const Duration before_asking = sending.asked_at - started_at_;
  return std::visit(
      [&](auto& answers) {
        std::erase_if(answers, [&](auto& answer) {
          if (answer.index >= sending.answered.size() || sending.answered[answer.index]) {
            return true;
          }
          sending.answered[answer.index] = true;
          --sending.missing;
          answer.index += sending.message.first;
          if constexpr (requires { answer.parked; }) answer.parked += before_asking;
          const bool gone = answer.status.code() == StatusCode::kNotFound;
          if (gone && sending.over_terms && rules_.gone_is_done_over_terms) {
            answer.status = Status::Ok();
          }
          return false;
        });
        return !answers.empty();
      },
      reply->answers);
}

void Exchange::SendDue() {
  size_t in_flight = 0;
  for (Sending& sending : sendings_) {
    if (sending.missing == 0) continue;
    if (in_flight++ == rules_.in_flight) return;
    const bool lost = sending.epoch != channel_.epoch();
    if (sending.times == 0 || lost || channel_.clock().Now() >= sending.again_at) Send(&sending);
  }
}

void Exchange::Send(Sending* sending) {
  VerbRequest& request = sending->message.request;
  if (sending->times == 0) router_->Expect(request.id, inbox_);
  const TimePoint now = channel_.clock().Now();
  request.patience = Patience(now);
  sending->epoch = channel_.epoch();
  if (const std::optional<uint64_t> term = channel_.Send(request, deadline_)) {
    ++sent_;
    // Another master's answer counts from when that one was asked; not so where it reigns only
    // since replies were taken, some of which may be its predecessor's.
    if (!sending->reached || (*term != sending->term && *term == term_)) sending->asked_at = now;
    sending->over_terms = sending->over_terms || (sending->reached && *term != sending->term);
    sending->reached = true;
    sending->term = *term;
  }
  sending->again_at = After(now, kFirstResend * (1 << std::min(sending->times, kMostDoublings)));
  ++sending->times;
}

bool Exchange::IsGivenUp() const {
  const std::optional<TimePoint> at = channel_.gives_up_at();
  return at && channel_.clock().Now() >= *at;
}

TimePoint Exchange::NextSending() const {
  TimePoint next = TimePoint::max();
  for (const Sending& sending : sendings_) {
    if (sending.missing > 0 && sending.times > 0) next = std::min(next, sending.again_at);
  }
  return next;
}

// A little less than what is left, so that the master's reason arrives before the deadline.
Duration Exchange::Patience(TimePoint now) const {
  const Duration left = deadline_ - now;
  if (!ExchangeGuards().patience_ends_first) return std::max(Duration::zero(), left);
  return std::max(Duration::zero(), left - std::max(left / 10, kLeastHeadStart));
}

std::vector<ItemAnswer> Exchange::Unanswered() const {
  std::vector<ItemAnswer> answers;
  for (const Sending& sending : sendings_) {
    if (sending.missing == 0) continue;
    const Status why = WhyUnanswered(sending);
    for (uint32_t i = 0; i < sending.answered.size(); ++i) {
      if (!sending.answered[i]) answers.push_back({sending.message.first + i, why});
    }
  }
  return answers;
}

Status Exchange::WhyUnanswered(const Sending& sending) const {
  const std::string effect = rules_.effect.empty() || !sending.reached
                                 ? std::string(kNothing)
                                 : "; " + std::string(rules_.effect);
  if (end_ == End::kRejoined) {
    const std::string cause = "this node lost its place in the pool and joined it anew";
    if (sending.reached && !rules_.effect.empty()) return DeadlineExceededError(cause + effect);
    return AbortedError(cause + "; begin again with a new put");
  }
  const std::string waited = end_ == End::kGivenUp
                                 ? ", which is away for longer than calls wait for it"
                                 : " within " + Milliseconds(deadline_ - started_at_);
  const Status health = channel_.health();
  const std::string why = health.ok() ? "" : " (" + health.message() + ")";
  // Of what changes something it is worth knowing that nothing has changed.
  const bool unreached = !sending.reached && (!health.ok() || !rules_.effect.empty());
  if (unreached || (end_ == End::kGivenUp && effect == kNothing)) {
    return UnavailableError("master not reached" + waited + why + effect);
  }
  return DeadlineExceededError("no answer from the master" + waited + why + effect);
}

}  // namespace kvstore::client
