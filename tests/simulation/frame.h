#ifndef KVSTORE_TESTS_SIMULATION_FRAME_H_
#define KVSTORE_TESTS_SIMULATION_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvstore/transfer.h"

namespace kvstore::simulation {

// What the holder of a region is asked for by one frame: a write brings its bytes along, a read
// fetches them.
struct Frame {
  transfer::Access access = transfer::Access::kRead;
  transfer::RegionId region = 0;
  uint64_t offset = 0;
  std::vector<std::byte> bytes;  // as long as the access; a read's are filled in
  std::optional<transfer::Guard> guard;
  uint64_t from = 0;    // where its bytes begin among those of the copy
  bool proven = false;  // a read over RDMA: the word may be looked at before its last byte
};

// Memory of an engine's process that peers may reach, by frames or, if it has words, in place.
struct Region {
  std::byte* base = nullptr;
  uint64_t size = 0;
  transfer::RegionGuard* guard = nullptr;
  std::span<transfer::Word> words{};  // one per granule; none: it is not shared
  uint64_t granule = 0;
  bool waits_for_others = false;  // the flag that tells outsiders to say when they leave

  bool WordStands(const transfer::Guard& granted) const;
};

// Why such a copy can't be; `region` may be null.
Status MisfitOf(const Region* region, uint64_t offset, uint64_t length,
                const std::optional<transfer::Guard>& granted);

// One frame being carried out at the holder, slice by slice, so that anything may happen between
// two slices. As the TCP way does it: Enter; the bytes move; a read asks again whether the memory
// still stands; Leave; answer.
class Serving {
 public:
  // OK: done. aborted: the guard refused; not_found, invalid_argument: no such memory.
  using Answer = std::function<void(const Status& verdict)>;

  Serving(const Region* region, Frame* frame, bool late, Answer answer)
      : region_(region), frame_(frame), late_(late), answer_(std::move(answer)) {}

  // Moves on by one step; true when it has ended (and answered, unless abandoned).
  bool Step(uint64_t slice);
  // Moves no byte any more, says nothing.
  void Abandon();

  bool entered() const { return entered_; }
  bool refused_before() const { return refused_before_; }
  bool refused_after() const { return refused_after_; }
  bool late() const { return late_; }
  const Frame& frame() const { return *frame_; }

 private:
  bool Begin();
  void MoveSlice(uint64_t slice);
  void End();
  void Leave();

  const Region* const region_;  // null: there is none
  Frame* const frame_;
  const bool late_;  // its connection was broken before it began
  const Answer answer_;
  bool entered_ = false;
  bool ended_ = false;
  bool refused_before_ = false;
  bool refused_after_ = false;
  uint64_t moved_ = 0;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_FRAME_H_
