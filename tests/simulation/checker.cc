#include "simulation/checker.h"

#include <algorithm>

#include "simulation/value.h"

namespace kvstore::simulation {

namespace {

// Codes after which the put has certainly not been committed, nor ever will be.
bool SaysNotCommitted(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kAlreadyExists:
    case StatusCode::kResourceExhausted:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kAborted:
    case StatusCode::kUnavailable:
      return true;
    default:
      return false;
  }
}

// A share of any duration that is more than clocks differ by.
constexpr int64_t kClocksDiffer = 50;

// So long may a note be on its way, for those who stand to lose by it.
constexpr Duration kLongestNote = std::chrono::seconds(3);

std::string Name(uint64_t number) { return "value " + std::to_string(number); }

}  // namespace

Checker::Mark Checker::Next() {
  times_.push_back(true_now_());
  return ++now_;
}

uint64_t Checker::BeginPut(const std::string& key, uint64_t size, const Asked& asked) {
  const uint64_t number = values_.size();
  Value& value = values_.emplace_back();
  value.key = key;
  value.size = size;
  value.asked = asked;
  value.put_began = Next();
  value.began = true_now_();
  value.forgotten_before = forgotten_(key);
  keys_[key].values.push_back(number);
  return number;
}

void Checker::EndPut(uint64_t number, const Status& status) {
  Next();
  Value& value = values_[number];
  value.ended = now_;
  if (status.ok()) {
    BecomesKnown(number, value.put_began);
    if (value.asked.ttl > Duration::zero()) {
      value.expired = true_now_() + value.asked.ttl + value.asked.ttl / kClocksDiffer + ttl_slack_;
    }
  } else if (SaysNotCommitted(status.code())) {
    value.refused = now_;
    if (value.known != kNever) {
      Fail("I3: " + Name(number) + " had been returned when its put ended " + status.ToString());
    }
  }
}

void Checker::EndGet(Mark begun, const std::string& key, const Status& status,
                     std::span<const std::byte> bytes) {
  Next();
  if (status.code() == StatusCode::kNotFound) CheckMiss(begun, key);
  if (status.code() == StatusCode::kDataLoss && !data_loss_allowed_) {
    Fail("I1: a holder vouches for bytes that are not the object's: " + status.ToString());
  }
  if (!status.ok()) return;
  const uint64_t number = bytes.empty() ? FindEmpty(begun, key) : FindReturned(key, 0, bytes, true);
  EndRead(begun, key, number);
  // An empty value does not say whose it is, where there are several.
  if (number != 0 && !bytes.empty()) BecomesKnown(number, begun);
}

void Checker::EndGetOfPart(Mark begun, const std::string& key, uint64_t offset,
                           std::span<const std::byte> bytes) {
  Next();
  // No cell, or less than one, does not say whose it is.
  if (bytes.size() < kCellBytes) return;
  const uint64_t number = FindReturned(key, offset, bytes, false);
  EndRead(begun, key, number);
  if (number != 0) BecomesKnown(number, begun);
}

void Checker::EndRead(Mark begun, const std::string& key, uint64_t number) {
  if (number == 0) return;
  Value& value = values_[number];
  const std::string why = WhyNotFindable(value, begun);
  if (!why.empty()) return Fail(why + ": a Get of '" + key + "' returned " + Name(number));
  if (value.over >= begun) return;
  ++came_back_;
  value.over = kNever;
}

uint64_t Checker::FindReturned(const std::string& key, uint64_t offset,
                               std::span<const std::byte> bytes, bool is_whole) {
  const std::string what = "I1: a Get of '" + key + "' returned ";
  const Seen seen = ReadValue(bytes, offset / kCellBytes);
  if (!seen.problem.empty()) {
    Fail(what + "wrong bytes: " + seen.problem);
    return 0;
  }
  if (seen.number == 0 || seen.number >= values_.size()) {
    Fail(what + "bytes that were never put");
    return 0;
  }
  const Value& value = values_[seen.number];
  const uint64_t end = offset + bytes.size();
  if (value.key != key || (is_whole ? value.size != end : value.size < end)) {
    Fail(what + std::to_string(bytes.size()) + " bytes of " + Name(seen.number) + ", which is " +
         std::to_string(value.size) + " bytes under '" + value.key + "'");
    return 0;
  }
  return seen.number;
}

uint64_t Checker::FindEmpty(Mark begun, const std::string& key) {
  uint64_t found = 0;
  for (const uint64_t number : keys_[key].values) {
    if (values_[number].size > 0) continue;
    found = number;
    if (WhyNotFindable(values_[number], begun).empty()) return number;
  }
  if (found == 0) Fail("I1: a Get of '" + key + "' returned an empty object that was never put");
  return found;
}

std::string Checker::WhyNotFindable(const Value& value, Mark begun) const {
  if (value.over < begun && !MayComeBack(value))
    return "I2 (removed or replaced before the call began)";
  if (value.refused != kNever) return "I3 (its put was answered as not committed)";
  // What its holder told the next master was left when its note had arrived.
  const Duration under_way = MayBeBegunAgain(value) ? kLongestNote : Duration::zero();
  if (value.expired > Duration::zero() && value.expired + under_way < times_[begun]) {
    return "I6 (its time had run out before the call began)";
  }
  return "";
}

bool Checker::MayBeBegunAgain(const Value& value) const {
  return forgotten_(value.key).masters != value.forgotten_before.masters;
}

bool Checker::MayComeBack(const Value& value) const {
  return value.ended > value.over && MayBeBegunAgain(value);
}

void Checker::BecomesKnown(uint64_t number, Mark begun) {
  Value& value = values_[number];
  if (value.known == kNever) value.known = now_;
  for (const uint64_t other : keys_[value.key].values) {
    Value& older = values_[other];
    if (other != number && older.known < begun && older.over == kNever) older.over = now_;
  }
}

void Checker::EndLook(Mark begun, const std::string& key, bool found) {
  Next();
  if (!found) {
    CheckMiss(begun, key);
    return;
  }
  const auto& values = keys_[key].values;
  const bool findable = std::any_of(values.begin(), values.end(), [&](uint64_t number) {
    const Value& value = values_[number];
    return (value.over >= begun || MayComeBack(value)) && value.refused >= begun;
  });
  if (!findable) Fail("I2: '" + key + "' was said to exist after all its values were over");
}

void Checker::CheckMiss(Mark begun, const std::string& key) {
  const Key& history = keys_[key];
  for (const uint64_t number : history.values) {
    const Value& value = values_[number];
    if (value.known >= begun || value.over != kNever) continue;
    ++forgotten_misses_;
    if (!MayBeMissing(number, history)) {
      Fail("I5: '" + key + "' was not found although " + Name(number) + " was put" +
           (value.asked.durable ? " durably" : "") + (value.asked.hard_pin ? " and pinned" : "") +
           " and nothing was removed, evicted or lost since");
    }
  }
}

bool Checker::MayBeMissing(uint64_t number, const Key& history) {
  const Value& value = values_[number];
  if (history.removes_open > 0 || history.last_remove_ended > value.put_began) return true;
  const bool others = std::any_of(
      history.values.begin(), history.values.end(),
      [&](uint64_t other) { return other != number && MayHaveTakenAlong(values_[other], value); });
  if (others) return true;
  // What a report takes on its way to the next master counts against the time.
  const Duration ttl = value.asked.ttl;
  const bool over = true_now_() > value.began + ttl - ttl / kClocksDiffer;
  if (ttl > Duration::zero() && (over || MayBeBegunAgain(value))) {
    ++expired_misses_;
    return true;
  }
  const Forgotten now = forgotten_(value.key);
  const Forgotten& before = value.forgotten_before;
  if (now.lost != before.lost) return true;
  if (now.evicted != before.evicted && !value.asked.hard_pin) return true;
  if (now.unconfirmed == before.unconfirmed || value.asked.durable) return false;
  ++unconfirmed_misses_;
  return true;
}

// Whether another put of its key may have replaced it, and be missing itself; or been lost with the
// master that it had asked to commit it. Not if both are durable: then one of them is there, unless
// its holder was lost.
bool Checker::MayHaveTakenAlong(const Value& rival, const Value& value) const {
  const bool again = rival.ended > value.put_began && MayBeBegunAgain(rival);
  const bool later =
      rival.known > value.put_began &&
      (rival.refused == kNever || (rival.asked.replace && rival.refused > value.put_began));
  if (!again && !later) return false;
  if (forgotten_(value.key).holders != value.forgotten_before.holders) return true;
  return !value.asked.durable || !rival.asked.durable || rival.asked.ttl > Duration::zero() ||
         (value.asked.hard_pin && !rival.asked.hard_pin);
}

Checker::Mark Checker::BeginRemove(const std::string& key) {
  ++keys_[key].removes_open;
  return Next();
}

void Checker::EndRemove(Mark begun, const std::string& key, const Status& status) {
  Next();
  Key& history = keys_[key];
  if (!status.ok() && status.code() != StatusCode::kNotFound) return;
  --history.removes_open;
  history.last_remove_ended = now_;
  for (const uint64_t number : history.values) {
    Value& value = values_[number];
    if (value.known < begun && value.over == kNever) value.over = now_;
  }
}

void Checker::MayUnpin(const std::string& key) {
  for (const uint64_t number : keys_[key].values) values_[number].asked.hard_pin = false;
}

void Checker::Fail(const std::string& violation) {
  if (violation_.empty()) violation_ = violation;
}

}  // namespace kvstore::simulation
