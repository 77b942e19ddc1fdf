#include "simulation/sim_memory.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace kvstore::simulation {

using std::chrono::milliseconds;
using transfer::Access;

namespace {
constexpr std::byte kGone{0xdd};  // what a page holds that the machine has got back
}  // namespace

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
        extent(memory.size(), granule),
        guard(owner, region) {}

  const uint32_t index;
  const uint64_t granule;
  std::vector<std::byte> memory;
  std::vector<client::Word> words;
  client::Extent extent;
  ReleaseOrder release{};  // the last, of
  uint64_t release_term = 0;
  SegmentGuard guard;
};

SimMemory::SimMemory(Scheduler* scheduler, Process* process, SimEngine* engine,
                     const client::HolderGuards& guards, std::function<void(Acks)> say)
    : scheduler_(scheduler),
      process_(process),
      engine_(engine),
      say_(std::move(say)),
      holder_(guards, this) {}

SimMemory::~SimMemory() = default;

void SimMemory::AddSegment(uint64_t granules, uint64_t granule) {
  // The engine numbers regions in the same way.
  const auto index = static_cast<uint32_t>(segments_.size());
  segments_.push_back(std::make_unique<Segment>(this, index, granules, granule));
  Segment& segment = *segments_.back();
  transfer::RegionOptions options;
  options.remote = true;
  options.guard = &segment.guard;
  (void)engine_->Register(segment.memory.data(), segment.memory.size(), options);
  engine_->Share(index, segment.words, granule);
  holder_.AddSegment(index, segment.memory.size(), granule, segment.words, 0);
}

void SimMemory::Lend(uint64_t granules, uint64_t granule) {
  uint64_t bytes = granules * granule;
  const uint64_t there = capacity();
  if (bytes > there) AddSegment((bytes - there) / granule, granule);
  for (const auto& segment : segments_) {
    const uint64_t part = std::min(bytes, segment->extent.capacity());
    segment->extent.Wish(part);
    bytes -= part;
  }
  lend_due_ = !leaving_;
}

uint64_t SimMemory::capacity() const {
  uint64_t capacity = 0;
  for (const auto& segment : segments_) capacity += segment->extent.capacity();
  return capacity;
}

uint64_t SimMemory::wished() const {
  uint64_t wished = 0;
  for (const auto& segment : segments_) wished += segment->extent.wish();
  return wished;
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
    const client::Extent& extent = segment->extent;
    if (extent.told() == 0) continue;
    lent.push_back(
        {segment->index, extent.told(), segment->granule, std::min(extent.ready(), extent.told())});
  }
  return lent;
}

std::optional<kvstore::Lend> SimMemory::TakeLend() {
  if (!std::exchange(lend_due_, false)) return std::nullopt;
  kvstore::Lend lend;
  for (const auto& segment : segments_) {
    client::Extent& extent = segment->extent;
    if (extent.told() == 0) continue;
    extent.Tell();
    const uint64_t size = extent.told_wish();
    lend.segments.push_back(
        {segment->index, size, segment->granule, std::min(extent.ready(), size)});
  }
  return lend;
}

void SimMemory::Welcomed() {
  for (const auto& segment : segments_) segment->extent.Tell();
  lend_due_ = std::any_of(segments_.begin(), segments_.end(), [](const auto& segment) {
    return segment->extent.wish() < segment->extent.end();
  });
}

SimMemory::Segment* SimMemory::Find(uint32_t index) const {
  return index < segments_.size() ? segments_[index].get() : nullptr;
}

void SimMemory::Execute(const PrepareOrder& order) {
  Segment* const segment = Find(order.segment);
  if (segment == nullptr) return;
  if (segment->extent.Prepare(order.limit)) {
    SayReady(*segment);
  } else {
    WorkOnPages();
  }
}

void SimMemory::Execute(const ReleaseOrder& order) {
  Segment* const segment = Find(order.segment);
  if (segment == nullptr) return;
  segment->extent.Release(order.limit);
  segment->release = order;
  segment->release_term = holder_.term();
  WorkOnPages();
}

void SimMemory::BeginToLeave() {
  for (const auto& segment : segments_) segment->extent.Wish(0);
  leaving_ = true;
}

void SimMemory::Empty() {
  holder_.Empty();
  for (const auto& segment : segments_) {
    segment->extent.Restart();
    if (leaving_ && segment->extent.wish() == 0) Execute(ReleaseOrder{segment->index, 0});
  }
  leaving_ = false;
}

void SimMemory::WorkOnPages() {
  if (std::exchange(working_, true)) return;
  Random& random = scheduler_->random();
  for (const auto& segment : segments_) {
    using What = client::Extent::What;
    const uint64_t step = segment->granule * random.Between(1, 8);
    const client::Extent::Work work = segment->extent.Next(step);
    const Duration time = random.Between(milliseconds(1), milliseconds(20));
    if (work.what == What::kTouch) {
      scheduler_->After(time, process_, [this, to = segment.get(), work] {
        to->extent.Touched(work.end);
        holder_.RaiseGranted(to->index, work.end);
        SayReady(*to);
        working_ = false;
        WorkOnPages();
      });
      return;
    }
    // Who touches it is waited for; others work meanwhile.
    if (work.what == What::kGiveBack && !holder_.TouchedFrom(segment->index, work.begin)) {
      (void)segment->extent.BeginGivingBack();
      scheduler_->After(
          time, process_,
          [this, to = segment.get(), work, order = segment->release, term = segment->release_term] {
            GiveBack(to, work, order, term);
            working_ = false;
            WorkOnPages();
          });
      return;
    }
    if (work.what == What::kGiveBack) {
      scheduler_->After(time, process_, [this] { WorkOnPages(); });
    }
  }
  working_ = false;
}

void SimMemory::SayReady(const Segment& segment) {
  Acks acks;
  acks.ready.push_back({segment.index, segment.extent.ready(), segment.extent.problem()});
  say_(std::move(acks));
}

void SimMemory::GiveBack(Segment* segment, const client::Extent::Work& work,
                         const ReleaseOrder& order, uint64_t term) {
  std::fill(segment->memory.begin() + static_cast<ptrdiff_t>(work.begin),
            segment->memory.begin() + static_cast<ptrdiff_t>(work.end), kGone);
  ++times_released_;
  Acks acks;
  const uint64_t number = term == holder_.term() ? order.number : 0;
  acks.released.push_back({segment->index, work.begin, number});
  say_(std::move(acks));
}

}  // namespace kvstore::simulation
