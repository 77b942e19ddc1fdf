#include "histories/check.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace kvstore::history {
namespace {

// Operations that saw or made one state of a key, which it was in for one stretch of time.
struct Zone {
  bool holds_value = false;
  const Operation* first = nullptr;
  const Operation* last = nullptr;
  TimePoint first_end = TimePoint::max();
  TimePoint last_begin = TimePoint::min();

  void Add(TimePoint begin, TimePoint end, const Operation& operation) {
    if (first == nullptr || end < first_end) {
      first_end = end;
      first = &operation;
    }
    if (last == nullptr || begin > last_begin) {
      last_begin = begin;
      last = &operation;
    }
  }
  // Whether the key was surely in that state all the time from first_end to last_begin.
  bool lasts() const { return first_end < last_begin; }
};

struct Value {
  const Operation* put = nullptr;
  bool was_found = false;
  Zone zone{.holds_value = true};
};

// The operations of one key.
class KeyCheck {
 public:
  KeyCheck(const Rules& rules, std::vector<const Operation*> operations)
      : rules_(rules), operations_(std::move(operations)) {}

  std::vector<std::string> Run() {
    for (const Operation* operation : operations_) NotePut(*operation);
    for (const Operation* operation : operations_) NoteOther(*operation);
    for (auto& [version, value] : values_) {
      value.zone.Add(value.put->begin, EndOf(*value.put), *value.put);
      // Else it may never have taken effect.
      if (value.put->outcome == Outcome::kOk || value.was_found) zones_.push_back(&value.zone);
    }
    for (const Zone& zone : singles_) zones_.push_back(&zone);
    CheckZones();
    CheckExists();
    if (!rules_.may_forget) CheckMisses();
    return violations_;
  }

 private:
  static TimePoint EndOf(const Operation& operation) {
    return operation.outcome == Outcome::kUnknown ? TimePoint::max() : operation.end;
  }

  void Violated(const std::string& why, const Operation& operation, const Operation* other) {
    violations_.push_back(why + ": " + ToString(operation) +
                          (other != nullptr ? " and " + ToString(*other) : ""));
  }

  void NotePut(const Operation& operation) {
    if (operation.verb != Verb::kPut) return;
    Value& value = values_[operation.version];
    if (value.put != nullptr) Violated("put twice", operation, value.put);
    value.put = &operation;
  }

  void NoteOther(const Operation& operation) {
    if (operation.verb == Verb::kPut || operation.outcome != Outcome::kOk) return;
    if (operation.verb == Verb::kGet && operation.found) return NoteFound(operation);
    const bool is_empty = operation.verb == Verb::kRemove ||
                          (rules_.may_forget && rules_.misses_bind && SawNothing(operation));
    if (is_empty) singles_.emplace_back().Add(operation.begin, operation.end, operation);
  }

  bool SawNothing(const Operation& look) const {
    return !look.found && (look.verb == Verb::kGet || rules_.noes_bind);
  }

  void NoteFound(const Operation& get) {
    const auto at = values_.find(get.version);
    if (at == values_.end()) return Violated("found what nobody put", get, nullptr);
    Value& value = at->second;
    const Operation& put = *value.put;
    if (put.outcome == Outcome::kFailed) return Violated("found what was not put", get, &put);
    if (get.end < put.begin) return Violated("found before it was put", get, &put);
    if (rules_.puts_may_recur && get.begin <= put.end) {
      // Perhaps another time that the put took effect than the last.
      singles_.push_back({.holds_value = true});
      singles_.back().Add(std::max(get.begin, put.begin), std::min(get.end, put.end), get);
    } else {
      value.zone.Add(get.begin, get.end, get);
      value.was_found = true;
    }
  }

  void CheckZones() {
    std::vector<const Zone*> lasting;
    for (const Zone* zone : zones_) {
      if (zone->lasts()) lasting.push_back(zone);
    }
    const auto earlier = [](const Zone* a, const Zone* b) { return a->first_end < b->first_end; };
    std::sort(lasting.begin(), lasting.end(), earlier);
    for (size_t i = 1; i < lasting.size(); ++i) {
      if (lasting[i]->first_end < lasting[i - 1]->last_begin) {
        Violated("came back, or two at once", *lasting[i - 1]->last, lasting[i]->first);
      }
    }
    for (const Zone* zone : zones_) {
      if (zone->lasts()) continue;
      const auto after = std::partition_point(
          lasting.begin(), lasting.end(),
          [&](const Zone* other) { return other->first_end < zone->last_begin; });
      if (after == lasting.begin()) continue;
      const Zone& around = **std::prev(after);
      if (zone->first_end < around.last_begin) Violated("came back", *around.last, zone->first);
    }
  }

  // When the state of `zone` is surely over: the end of what surely comes after it. A state in
  // which nothing is held is over when a value is.
  TimePoint OverBy(const Zone& zone) const {
    TimePoint over = TimePoint::max();
    for (const Zone* other : zones_) {
      if (other == &zone || (!zone.holds_value && !other->holds_value)) continue;
      if (zone.first_end < other->last_begin) over = std::min(over, other->first_end);
    }
    return over;
  }

  // Operations that tell no more than which kind of state they saw.
  void CheckSeen(bool found, const std::vector<std::pair<TimePoint, TimePoint>>& stretches) {
    for (const Operation* operation : operations_) {
      const bool asks =
          operation->verb == Verb::kExists || (operation->verb == Verb::kGet && !found);
      if (!asks || operation->outcome != Outcome::kOk || operation->found != found) continue;
      if (!found && !SawNothing(*operation)) continue;
      const auto can_be = [&](const auto& stretch) {
        return stretch.first <= operation->end && stretch.second >= operation->begin;
      };
      if (std::any_of(stretches.begin(), stretches.end(), can_be)) continue;
      Violated(found ? "nothing can have been there" : "lost", *operation, nullptr);
    }
  }

  void CheckExists() {
    std::vector<std::pair<TimePoint, TimePoint>> stretches;
    for (const auto& [version, value] : values_) {
      const Operation& put = *value.put;
      if (put.outcome == Outcome::kFailed) continue;
      const TimePoint over = OverBy(value.zone);
      stretches.emplace_back(put.begin, rules_.puts_may_recur ? std::max(over, put.end) : over);
    }
    CheckSeen(true, stretches);
  }

  void CheckMisses() {
    Zone never_put;
    never_put.first_end = TimePoint::min();
    std::vector<std::pair<TimePoint, TimePoint>> stretches = {
        {TimePoint::min(), OverBy(never_put)}};
    for (const Operation* operation : operations_) {
      if (operation->verb != Verb::kRemove) continue;
      Zone removed;
      removed.Add(operation->begin, EndOf(*operation), *operation);
      stretches.emplace_back(operation->begin, OverBy(removed));
    }
    CheckSeen(false, stretches);
  }

  const Rules rules_;
  const std::vector<const Operation*> operations_;
  std::map<uint32_t, Value> values_;
  std::deque<Zone> singles_;  // of removals and misses, and of values while they are being put
  std::vector<const Zone*> zones_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> Violations(const History& history, const Rules& rules) {
  std::map<std::string, std::vector<const Operation*>> keys;
  for (const Operation& operation : history) keys[operation.key].push_back(&operation);
  std::vector<std::string> violations;
  for (const auto& [key, operations] : keys) {
    const std::vector<std::string> found = KeyCheck(rules, operations).Run();
    violations.insert(violations.end(), found.begin(), found.end());
  }
  return violations;
}

}  // namespace kvstore::history
