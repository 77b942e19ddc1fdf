#ifndef KVSTORE_SRC_CLIENT_EXTENT_H_
#define KVSTORE_SRC_CLIENT_EXTENT_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace kvstore::client {

// How much of one segment is lent, and which of its pages are there. This node has a wish, and the
// master decides: it asks for pages within the wish, and where it is to have less it empties what
// is beyond, and then says where the segment ends. Bytes, whole granules. Pure; thread-compatible.
class Extent {
 public:
  // Lends all of `capacity`.
  Extent(uint64_t capacity, uint64_t granule);

  uint64_t capacity() const { return capacity_; }
  uint64_t wish() const { return wish_; }
  uint64_t end() const { return end_; }  // lent up to there
  // The pages below are there and stay, and may be granted. What is still to be given back is not:
  // whoever reigns next would grant it, and never asks for it again.
  uint64_t ready() const { return std::min(ready_, release_.value_or(ready_)); }
  const std::string& problem() const { return problem_; }
  // For a hello: all that may hold something, or is to.
  uint64_t told() const { return WithoutProblem(std::max(end_, wish_)); }
  // For a wish that is told.
  uint64_t told_wish() const { return WithoutProblem(wish_); }

  // At most the capacity. What was a problem is tried again.
  void Wish(uint64_t bytes);
  // The wish is being told, or was with a hello: the master may take all of it for lent, until it
  // says where the segment ends.
  void Tell() { end_ = std::max(end_, told_wish()); }

  // The master asks for pages. Whether it can be answered at once, with ready() and problem().
  bool Prepare(uint64_t limit);
  // The master says that all beyond the limit is free, and not granted before it has asked for
  // pages there again.
  void Release(uint64_t limit);
  // Another incarnation begins with the pages that are there.
  void Restart();

  // Work for whoever touches pages and gives them back, one at a time.
  enum class What : uint8_t { kNothing, kTouch, kGiveBack };
  struct Work {
    What what = What::kNothing;
    uint64_t begin = 0;
    uint64_t end = 0;  // kGiveBack: nothing may touch anything from `begin` on
  };
  Work Next(uint64_t step) const;
  // The pages below `end` are there; or no more can be had.
  void Touched(uint64_t end) { ready_ = end; }
  void Failed(std::string problem) { problem_ = std::move(problem); }
  // From here on the pages beyond the limit count as gone. The limit, for the ack.
  uint64_t BeginGivingBack();

 private:
  // The segment ends where the machine has no more pages.
  uint64_t WithoutProblem(uint64_t bytes) const {
    return problem_.empty() ? bytes : std::min(bytes, ready());
  }
  uint64_t RoundUp(uint64_t bytes) const { return (bytes + granule_ - 1) / granule_ * granule_; }

  const uint64_t capacity_;
  const uint64_t granule_;
  uint64_t wish_;
  uint64_t end_;
  uint64_t ready_ = 0;
  uint64_t asked_ = 0;               // pages below it are wanted
  std::string problem_;              // why there are no more pages
  std::optional<uint64_t> release_;  // pages beyond it are to be given back
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_EXTENT_H_
