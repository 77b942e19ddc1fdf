#ifndef KVSTORE_TESTS_MODEL_SEARCH_H_
#define KVSTORE_TESTS_MODEL_SEARCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/happening.h"

namespace kvstore::model {

struct Finding {
  std::string violation;           // empty: none
  std::vector<std::string> steps;  // a shortest way to it
  size_t states = 0;               // that were reached
  bool exhausted = false;          // every reachable state was looked at
};

// The states that were reached, in the order of their first reaching. A state is a struct of bytes
// without padding.
template <typename State>
class Reached {
 public:
  // False: it was there before.
  bool Add(const State& state, uint32_t from) {
    states_.push_back(state);
    const auto index = static_cast<uint32_t>(states_.size() - 1);
    if (!index_.insert(index).second) {
      states_.pop_back();
      return false;
    }
    from_.push_back(from);
    return true;
  }

  const State& operator[](size_t i) const { return states_[i]; }
  uint32_t From(size_t i) const { return from_[i]; }
  size_t size() const { return states_.size(); }

 private:
  struct Hash {
    const std::vector<State>* states;
    size_t operator()(uint32_t i) const {
      const auto* bytes = reinterpret_cast<const char*>(&(*states)[i]);
      return std::hash<std::string_view>()(std::string_view(bytes, sizeof(State)));
    }
  };
  struct Equal {
    const std::vector<State>* states;
    bool operator()(uint32_t a, uint32_t b) const {
      return std::memcmp(&(*states)[a], &(*states)[b], sizeof(State)) == 0;
    }
  };

  std::vector<State> states_;
  std::vector<uint32_t> from_;
  std::unordered_set<uint32_t, Hash, Equal> index_{64, Hash{&states_}, Equal{&states_}};
};

// What led to each state on the way to the last one.
template <typename Rules, typename State>
std::vector<std::string> WayTo(const Rules& rules, const Reached<State>& reached, uint32_t last) {
  std::vector<std::string> steps;
  for (uint32_t i = last; i != 0; i = reached.From(i)) {
    std::string text;
    ForEachNext(rules, reached[reached.From(i)], [&](const Happening<State>& happening) {
      const bool same = std::memcmp(&happening.next, &reached[i], sizeof(State)) == 0;
      if (same && text.empty()) text = happening.text;
    });
    steps.push_back(text);
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

// Walks the states of a model breadth first until a violation, or up to `most_states`. A model is
// its rules, with FirstState(rules) and ForEachNext(rules, state, visit).
template <typename Rules, typename State = decltype(FirstState(std::declval<const Rules&>()))>
Finding Search(const Rules& rules, size_t most_states) {
  Finding finding;
  Reached<State> reached;
  reached.Add(FirstState(rules), 0);
  for (uint32_t i = 0; i < reached.size() && reached.size() < most_states; ++i) {
    const State state = reached[i];  // the vector may move
    std::string last;
    ForEachNext(rules, state, [&](const Happening<State>& happening) {
      if (!finding.violation.empty()) return;
      if (happening.violation.empty()) {
        reached.Add(happening.next, i);
      } else {
        finding.violation = happening.violation;
        last = happening.text;
      }
    });
    if (!finding.violation.empty()) {
      finding.steps = WayTo(rules, reached, i);
      finding.steps.push_back(last);
      break;
    }
    finding.exhausted = i + 1 == reached.size();
  }
  finding.states = reached.size();
  return finding;
}

}  // namespace kvstore::model

#endif  // KVSTORE_TESTS_MODEL_SEARCH_H_
