#include "master/sequence_set.h"

#include <iterator>

namespace kvstore::master {

void SequenceSet::Add(uint64_t sequence) {
  const auto after = runs_.upper_bound(sequence);
  const auto before = after == runs_.begin() ? runs_.end() : std::prev(after);
  if (before != runs_.end() && before->second >= sequence) return;
  const bool extends = before != runs_.end() && before->second + 1 == sequence;
  const bool meets_next = after != runs_.end() && after->first == sequence + 1;
  const uint64_t last = meets_next ? after->second : sequence;
  if (meets_next) runs_.erase(after);
  if (extends) {
    before->second = last;
  } else {
    runs_.emplace(sequence, last);
  }
}

bool SequenceSet::Contains(uint64_t sequence) const {
  const auto after = runs_.upper_bound(sequence);
  return after != runs_.begin() && std::prev(after)->second >= sequence;
}

void SequenceSet::FillLowestGap() {
  const auto second = std::next(runs_.begin());
  runs_.begin()->second = second->second;
  runs_.erase(second);
}

}  // namespace kvstore::master
