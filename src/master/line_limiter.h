#ifndef KVSTORE_SRC_MASTER_LINE_LIMITER_H_
#define KVSTORE_SRC_MASTER_LINE_LIMITER_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "kvstore/clock.h"

namespace kvstore::master {

// How many lines of each kind a log takes in one second, and how many more there were: a storm of
// one kind hides no other. Pure. Thread-compatible.
class LineLimiter {
 public:
  LineLimiter(size_t kinds, uint64_t lines_per_second)
      : lines_per_second_(lines_per_second), kinds_(kinds) {}

  // Whether a line of that kind may be written now; if not, it is counted as left out.
  bool Admit(TimePoint now, size_t kind) {
    Kind& of = kinds_[kind];
    if (now - of.second >= std::chrono::seconds(1)) {
      of.second = now;
      of.written = 0;
    }
    if (of.written < lines_per_second_) {
      ++of.written;
      return true;
    }
    ++of.left_out;
    return false;
  }

  // By kind, what was left out in seconds that are over; each line is told of once.
  std::vector<std::pair<size_t, uint64_t>> TakeLeftOut(TimePoint now) {
    std::vector<std::pair<size_t, uint64_t>> left_out;
    for (size_t kind = 0; kind < kinds_.size(); ++kind) {
      Kind& of = kinds_[kind];
      if (of.left_out > 0 && now - of.second >= std::chrono::seconds(1)) {
        left_out.emplace_back(kind, std::exchange(of.left_out, 0));
      }
    }
    return left_out;
  }

 private:
  struct Kind {
    TimePoint second{};  // began then
    uint64_t written = 0;
    uint64_t left_out = 0;
  };

  const uint64_t lines_per_second_;
  std::vector<Kind> kinds_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_LINE_LIMITER_H_
