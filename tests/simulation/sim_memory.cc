#include "simulation/sim_memory.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace kvstore::simulation {

using std::chrono::milliseconds;
using transfer::Access;

// What lies between the engine and the holder: names the segment, and sends the acks that an access
// held up.
class SimMemory::SegmentGuard final : public transfer::RegionGuard {
 public:
  SegmentGuard(SimMemory* memory, uint32_t index) : memory_(memory), index_(index) {}

  bool Enter(Access access, uint64_t first, uint64_t offset, uint64_t length,
             uint64_t birth) override {
    return memory_->holder_.Enter(index_, access, first, offset, length, birth);
  }
  bool Stands(uint64_t first, uint64_t birth) override {
    return memory_->holder_.Stands(index_, first, birth);
  }
  void Leave(Access access, uint64_t first, uint64_t offset, uint64_t length,
             uint64_t birth) override {
    Acks acks;
    memory_->holder_.Leave(index_, access, first, offset, length, birth, &acks.retired);
    memory_->say_(std::move(acks));
  }
  void OthersLeft() override {
    Acks acks;
    memory_->holder_.OthersLeft(index_, &acks.retired);
    memory_->say_(std::move(acks));
  }

 private:
  SimMemory* const memory_;
  const uint32_t index_;
};

struct SimMemory::Segment {
  Segment(SimMemory* owner, uint32_t region, uint64_t granules, uint64_t size_of_one)
      : index(region),
        granule(size_of_one),
        memory(granules * granule),
        words(granules),
        guard(owner, region) {}

  const uint32_t index;
  const uint64_t granule;
  std::vector<std::byte> memory;
  std::vector<client::Word> words;
  SegmentGuard guard;
  uint64_t ready = 0;  // bytes whose pages have been touched
};

SimMemory::SimMemory(Scheduler* scheduler, Process* process, SimEngine* engine,
                     const client::HolderGuards& guards, std::function<void(Acks)> say)
    : scheduler_(scheduler),
      process_(process),
      engine_(engine),
      say_(std::move(say)),
      holder_(guards, this) {}

SimMemory::~SimMemory() = default;

void SimMemory::Lend(const std::vector<uint64_t>& granules, uint64_t granule) {
  for (size_t i = 0; i < granules.size(); ++i) {
    const auto index = static_cast<uint32_t>(i);  // the engine numbers regions in the same way
    segments_.push_back(std::make_unique<Segment>(this, index, granules[i], granule));
    Segment& segment = *segments_.back();
    transfer::RegionOptions options;
    options.remote = true;
    options.guard = &segment.guard;
    (void)engine_->Register(segment.memory.data(), segment.memory.size(), options);
    engine_->Share(index, segment.words, granule);
    holder_.AddSegment(index, segment.memory.size(), granule, segment.words);
  }
}

std::vector<Range> SimMemory::Touched(uint32_t segment) {
  std::vector<Range> touched;
  for (const transfer::Stretch& stretch : engine_->TouchedByOthers(segment)) {
    touched.push_back({stretch.offset, stretch.length});
  }
  return touched;
}

std::vector<LentSegment> SimMemory::Lent() const {
  std::vector<LentSegment> lent;
  for (const auto& segment : segments_) {
    lent.push_back({segment->index, segment->memory.size(), segment->granule, segment->ready});
  }
  return lent;
}

void SimMemory::Prepare(const PrepareOrder& order) {
  if (order.segment >= segments_.size()) return;
  const Duration touching = scheduler_->random().Between(milliseconds(1), milliseconds(20));
  scheduler_->After(touching, process_, [this, order] {
    Segment& segment = *segments_[order.segment];
    const uint64_t limit = std::min<uint64_t>(order.limit, segment.memory.size());
    segment.ready = std::max(segment.ready, limit);
    Acks acks;
    acks.ready.push_back({order.segment, segment.ready, ""});
    say_(std::move(acks));
  });
}

}  // namespace kvstore::simulation
