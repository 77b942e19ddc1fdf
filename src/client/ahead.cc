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
constexpr uint64_t kMostBytes = 1u << 20;

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

bool Ahead::Fits(const Grant& grant, std::span<const uint64_t> sizes) {
  return Footprint(sizes, grant.granule) <= EndOf(grant.memory.ranges.front()) - grant.next;
}

std::vector<Ahead::Piece> Ahead::Take(std::span<const uint64_t> sizes, const Incarnation& self,
                                      const Clock& clock, TimePoint deadline) {
  const TimePoint now = clock.Now();
  std::optional<GrantAhead> request;
  {
    MutexLock lock(mu_);
    const bool seldom = last_put_ == TimePoint::min() || now - last_put_ > kSeldom;
    last_put_ = now;
    // In the last quarter of its time a grant is left alone, so that what is begun can be ended.
    if (cut_ && (cut_->writer != self || now > cut_->end - (cut_->end - cut_->begun) / 4)) {
      bytes_ = kFirstBytes;
      Retire();
    }
    if (cut_ && Fits(*cut_, sizes)) return Cut(sizes);
    if (seldom) return {};
    request = Want(sizes, now);
    if (!request) return {};
  }
  const StartPutAnswer answer =
      master_.Ahead(*request, std::min(deadline, After(now, kLongestQuestion)));
  MutexLock lock(mu_);
  Answered(*request, answer, self, now, clock.Now());
  return cut_ && Fits(*cut_, sizes) ? Cut(sizes) : std::vector<Piece>();
}

std::vector<Ahead::Piece> Ahead::Cut(std::span<const uint64_t> sizes) {
  Grant& grant = *cut_;
  ++grant.users;
  std::vector<Piece> pieces;
  for (const uint64_t size : sizes) {
    const Range range{grant.next, Footprint(size, grant.granule)};
    grant.next += range.length;
    pieces.push_back({{grant.sequence, grant.term, range.offset, range.length},
                      {grant.memory.segment, grant.memory.birth, {range}},
                      grant.end});
  }
  return pieces;
}

std::optional<GrantAhead> Ahead::Want(std::span<const uint64_t> sizes, TimePoint now) {
  if (asking_ || now < ask_again_) return std::nullopt;
  const uint64_t least = Footprint(sizes, granule_);
  if (cut_) {  // it was too short for these: the next one is longer
    bytes_ = std::min(2 * bytes_, kMostBytes);
    Retire();
  }
  bytes_ = std::max({bytes_, kFirstBytes, least});
  asking_ = true;
  ++asked_;
  return GrantAhead{master_.NewSequences(1), bytes_, least, std::exchange(done_, {})};
}

void Ahead::Answered(const GrantAhead& asked, const StartPutAnswer& answer, const Incarnation& self,
                     TimePoint asked_at, TimePoint now) {
  asking_ = false;
  const bool whole = answer.status.ok() && answer.replicas.size() == 1 &&
                     answer.replicas.front().ranges.size() == 1 && answer.granule > 0;
  if (!whole) {
    ask_again_ = After(now, pause_);
    pause_ = std::min(2 * pause_, kAfterManyRefusals);
    return;
  }
  pause_ = kFirstPause;
  granule_ = answer.granule;
  Grant grant;
  grant.sequence = asked.sequence;
  grant.term = answer.term;
  grant.writer = self;
  grant.memory = answer.replicas.front();
  grant.granule = answer.granule;
  grant.next = grant.memory.ranges.front().offset;
  grant.begun = asked_at;
  grant.end = GrantEnd(answer, asked_at);
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
