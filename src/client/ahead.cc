#include "client/ahead.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/grant.h"
#include "client/parts.h"

namespace kvstore::client {
namespace {

// Puts that come more seldom than this don't hold memory.
constexpr Duration kSeldom = std::chrono::seconds(1);
// A master that does not answer for so long is asked again later; so is one that refuses, later
// each time.
constexpr Duration kLongestQuestion = std::chrono::milliseconds(250);
constexpr Duration kAfterManyRefusals = std::chrono::seconds(32);
constexpr uint64_t kFirstBytes = 64u << 10;
constexpr uint64_t kMostBytes = 64u << 20;
// Who uses up a grant faster is given a longer one; so no more is held than is put in this time,
// and a grant besides.
constexpr Duration kSoon = std::chrono::seconds(1);
// What a master gives even of a small segment's share.
constexpr uint64_t kMuch = 1u << 20;
constexpr Duration kAfterTaken = std::chrono::seconds(1);

// What an object takes; so does an empty one.
uint64_t Footprint(uint64_t size, uint64_t granule) {
  return (std::max<uint64_t>(size, 1) - 1) / granule * granule + granule;
}

uint64_t Footprint(std::span<const uint64_t> sizes, uint64_t granule) {
  uint64_t sum = 0;
  for (const uint64_t size : sizes) sum += Footprint(size, granule);
  return sum;
}

uint64_t EndOf(const Range& range) { return range.offset + range.length; }

}  // namespace

bool Ahead::Fits(const Grant& grant, uint64_t bytes) {
  return bytes <= EndOf(grant.memory.ranges.front()) - grant.next;
}

std::vector<Ahead::Piece> Ahead::Take(std::span<const uint64_t> sizes, const Incarnation& self,
                                      const Clock& clock, TimePoint deadline) {
  const TimePoint now = clock.Now();
  std::optional<Question> question;
  {
    MutexLock lock(mu_);
    const bool seldom = last_put_ == TimePoint::min() || now - last_put_ > kSeldom;
    last_put_ = now;
    last_bytes_ = Footprint(sizes, granule_);
    RetireIfOver(self, now);
    if (last_bytes_ > kMuch && now < much_again_) return {};
    if (cut_ && Fits(*cut_, Footprint(sizes, cut_->granule))) return Cut(sizes);
    if (seldom) return {};
    // Who has less time than a question may take does not wait for one: that it was not answered in
    // so little says nothing of the master.
    if (After(open_ ? open_->asked_at : now, kLongestQuestion) > deadline) return {};
    question = open_ ? std::exchange(open_, std::nullopt) : Want(last_bytes_, self, now);
  }
  if (!question) return {};
  if (!question->answer) Ask(&*question);
  const StartPutAnswer answer = question->answer->Wait().at(0);
  MutexLock lock(mu_);
  Answered(*question, answer, clock.Now());
  RetireIfOver(self, clock.Now());
  return cut_ && Fits(*cut_, Footprint(sizes, cut_->granule)) ? Cut(sizes) : std::vector<Piece>();
}

void Ahead::LookAhead(const Incarnation& self, const Clock& clock) {
  std::optional<Question> question;
  {
    MutexLock lock(mu_);
    if (!cut_ || Fits(*cut_, last_bytes_)) return;
    question = Want(last_bytes_, self, clock.Now());
  }
  if (!question) return;
  Ask(&*question);
  MutexLock lock(mu_);
  open_ = std::move(question);
}

void Ahead::Ask(Question* question) {
  question->answer =
      master_.BeginAhead(question->request, After(question->asked_at, kLongestQuestion));
}

void Ahead::RetireIfOver(const Incarnation& self, TimePoint now) {
  if (!cut_) return;
  if (cut_->writer == self && now <= cut_->end - (cut_->end - cut_->begun) / 4) return;
  bytes_ = kFirstBytes;
  Retire();
}

std::vector<Ahead::Piece> Ahead::Cut(std::span<const uint64_t> sizes) {
  Grant& grant = *cut_;
  ++grant.users;
  std::vector<Piece> pieces;
  pieces.reserve(sizes.size());
  for (const uint64_t size : sizes) {
    const Range range{grant.next, Footprint(size, grant.granule)};
    grant.next += range.length;
    pieces.push_back({{grant.sequence, grant.term, range.offset, range.length},
                      {grant.memory.segment, grant.memory.birth, {range}},
                      grant.end});
  }
  return pieces;
}

Ahead::Peace& Ahead::PeaceOf(uint64_t least) { return peace_[least > kMuch ? 1 : 0]; }

std::optional<Ahead::Question> Ahead::Want(uint64_t least, const Incarnation& self, TimePoint now) {
  if (asking_ || now < PeaceOf(least).until) return std::nullopt;
  // The last one was too short for these: so is the next one soon, if it is no longer.
  if (cut_ && now - cut_->begun < kSoon) bytes_ = std::min(2 * bytes_, kMostBytes);
  bytes_ = std::max({bytes_, kFirstBytes, least});
  asking_ = true;
  ++asked_;
  return Question{
      {master_.NewSequences(1), bytes_, least, std::exchange(done_, {})}, self, now, {}};
}

void Ahead::Answered(const Question& question, const StartPutAnswer& answer, TimePoint now) {
  asking_ = false;
  Peace& peace = PeaceOf(question.request.least);
  const bool whole = answer.status.ok() && answer.replicas.size() == 1 &&
                     answer.replicas.front().ranges.size() == 1 && answer.granule > 0;
  if (!whole) {
    peace.until = After(now, peace.next);
    peace.next = std::min(2 * peace.next, kAfterManyRefusals);
    return;
  }
  peace.next = kFirstPause;
  if (cut_) Retire();
  granule_ = answer.granule;
  Grant grant;
  grant.sequence = question.request.sequence;
  grant.term = answer.term;
  grant.writer = question.writer;
  grant.memory = answer.replicas.front();
  grant.granule = answer.granule;
  grant.next = grant.memory.ranges.front().offset;
  grant.begun = question.asked_at;
  grant.end = GrantEnd(answer, question.asked_at);
  cut_ = std::move(grant);
}

void Ahead::Retire() {
  const bool is_used_up = cut_->next == EndOf(cut_->memory.ranges.front());
  if (cut_->users > 0) {
    users_[cut_->sequence] = cut_->users;
  } else if (!is_used_up) {
    done_.push_back(cut_->sequence);
  }
  cut_.reset();
}

void Ahead::FoundTaken(const Clock& clock) {
  MutexLock lock(mu_);
  much_again_ = After(clock.Now(), kAfterTaken);
}

void Ahead::Left(const std::vector<Piece>& pieces, End end) {
  if (pieces.empty()) return;
  const uint64_t sequence = pieces.front().name.grant;
  MutexLock lock(mu_);
  if (cut_ && cut_->sequence == sequence) {
    --cut_->users;
    if (end == End::kRefused) Retire();
    if (end == End::kInDoubt) cut_.reset();
    return;
  }
  const auto retired = users_.find(sequence);
  if (retired == users_.end()) return;
  const bool last = --retired->second == 0;
  if (last && end != End::kInDoubt) done_.push_back(sequence);
  if (last || end == End::kInDoubt) users_.erase(retired);
}

}  // namespace kvstore::client
