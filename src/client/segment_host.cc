#include "client/segment_host.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <utility>

namespace kvstore::client {
namespace {

// So that the master hears of new room early, and closing need not wait for much.
constexpr uint64_t kTouchStep = 32u << 20;

// Acks that wait for a stream that takes none. The master repeats the orders of those left out.
constexpr size_t kMostUnsaid = 16 * SegmentHost::kMaxAcks;

constexpr uint64_t kGranule = kDefaultGranule;

// Takes up to `limit` from the front.
template <typename T>
std::vector<T> TakeSome(std::vector<T>* from, size_t limit) {
  if (from->size() <= limit) return std::exchange(*from, {});
  std::vector<T> taken(from->begin(), from->begin() + static_cast<ptrdiff_t>(limit));
  from->erase(from->begin(), from->begin() + static_cast<ptrdiff_t>(limit));
  return taken;
}

}  // namespace

struct SegmentHost::Segment {
  LentMemory memory;
  Extent extent;
  std::unique_ptr<Door> door;
  uint32_t index = 0;  // the region's
  Release release{};   // the last
};

class SegmentHost::Door final : public transfer::RegionGuard {
 public:
  explicit Door(SegmentHost& host) : host_(host) {}

  // Nobody knows of the region before it has been registered.
  void Open(uint32_t index) { index_ = index; }

  bool Enter(transfer::Access access, uint64_t first, uint64_t offset, uint64_t length,
             uint64_t birth) override {
    return host_.Enter(index_, access, first, offset, length, birth);
  }
  bool Stands(uint64_t first, uint64_t birth) override {
    return host_.Stands(index_, first, birth);
  }
  void Leave(transfer::Access access, uint64_t first, uint64_t offset, uint64_t length,
             uint64_t birth) override {
    host_.Leave(index_, access, first, offset, length, birth);
  }
  void OthersLeft() override { host_.OthersLeft(index_); }

 private:
  SegmentHost& host_;
  std::atomic<uint32_t> index_ = 0;  // of no region yet: the holder lets nothing in
};

Result<std::unique_ptr<SegmentHost>> SegmentHost::Create(transfer::Engine& engine,
                                                         uint64_t lend_bytes,
                                                         std::function<uint64_t()> available) {
  std::unique_ptr<SegmentHost> host(new SegmentHost(engine, std::move(available)));
  KVSTORE_RETURN_IF_ERROR(host->Lend(lend_bytes));
  return host;
}

SegmentHost::SegmentHost(transfer::Engine& engine, std::function<uint64_t()> available)
    : engine_(engine), available_(std::move(available)) {}

Status SegmentHost::Lend(uint64_t bytes) {
  MutexLock lending(lending_);
  uint64_t there = 0;  // what the segments that there are can lend
  size_t segments = 0;
  {
    MutexLock lock(mu_);
    segments = segments_.size();
    for (const auto& segment : segments_) there += segment->extent.capacity();
  }
  if (bytes > there) {
    if (segments == kMostSegments) {
      return ResourceExhaustedError("this node has lent memory in " + std::to_string(segments) +
                                    " segments, as many as it may; lend at most " +
                                    std::to_string(there) + " bytes, or start it anew");
    }
    KVSTORE_RETURN_IF_ERROR(AddSegment(bytes - there));
  }
  // From the first segment on, so that the last ones are emptied first.
  MutexLock lock(mu_);
  for (const auto& segment : segments_) {
    const uint64_t part = std::min(bytes, segment->extent.capacity());
    segment->extent.Wish(part);
    bytes -= part;
  }
  drained_ = false;
  lend_due_ = saying_ && !leaving_;  // what is to be forgotten need not be changed before
  acks_due_.NotifyAll();
  return Status::Ok();
}

Status SegmentHost::AddSegment(uint64_t bytes) {
  if (bytes > std::numeric_limits<uint64_t>::max() - kGranule) {
    return InvalidArgumentError(std::to_string(bytes) + " bytes are more than any machine has");
  }
  const uint64_t size = (bytes + kGranule - 1) / kGranule * kGranule;
  KVSTORE_ASSIGN_OR_RETURN(LentMemory memory, LentMemory::Map(size, kGranule));
  auto segment = std::make_unique<Segment>(
      Segment{std::move(memory), Extent(size, kGranule), std::make_unique<Door>(*this), 0});
  transfer::RegionOptions options;
  options.remote = true;
  options.guard = segment->door.get();
  options.shared = &segment->memory.shared();
  KVSTORE_ASSIGN_OR_RETURN(segment->index, engine_.Register(segment->memory.base(), size, options));
  segment->door->Open(segment->index);
  MutexLock lock(mu_);
  holder_.AddSegment(segment->index, size, kGranule, segment->memory.words(), 0);
  segments_.push_back(std::move(segment));
  if (segments_.size() == 1) preparer_ = std::thread([this] { WorkOnPages(); });
  return Status::Ok();
}

SegmentHost::~SegmentHost() {
  {
    MutexLock lock(mu_);
    closing_ = true;
    saying_ = false;
    pages_due_.NotifyAll();
    acks_due_.NotifyAll();
  }
  if (preparer_.joinable()) preparer_.join();
  std::vector<Segment*> segments;
  {
    MutexLock lock(mu_);
    for (const auto& segment : segments_) segments.push_back(segment.get());
  }
  for (Segment* const segment : segments) {
    if (engine_.Unregister(segment->index).ok()) continue;
    // A device that refuses to let go may touch it still: it is nobody else's while we live.
    static Mutex mu;
    static auto* const kept = new std::vector<LentMemory>();
    MutexLock lock(mu);
    kept->push_back(std::move(segment->memory));
  }
}

SegmentHost::Lent SegmentHost::lent() const {
  MutexLock lock(mu_);
  Lent lent;
  lent.drained = drained_ && !leaving_;
  lent.huge_pages = !segments_.empty();
  for (const auto& segment : segments_) {
    lent.wished += segment->extent.wish();
    lent.bytes += segment->extent.end();
    lent.huge_pages = lent.huge_pages && segment->memory.huge();
  }
  return lent;
}

bool SegmentHost::WaitDrained(TimePoint until) {
  MutexLock lock(mu_);
  while ((!drained_ || leaving_) && BootClock::now() < until) drained_now_.WaitUntil(mu_, until);
  return drained_ && !leaving_;
}

std::vector<LentSegment> SegmentHost::Segments() const {
  MutexLock lock(mu_);
  return LentNow();
}

std::vector<LentSegment> SegmentHost::LentNow() const {
  std::vector<LentSegment> lent;
  for (const auto& segment : segments_) {
    const Extent& extent = segment->extent;
    if (extent.told() == 0) continue;
    lent.push_back(
        {segment->index, extent.told(), kGranule, std::min(extent.ready(), extent.told())});
  }
  return lent;
}

uint64_t SegmentHost::counter() const {
  MutexLock lock(mu_);
  return holder_.counter();
}

void SegmentHost::EnterTerm(uint64_t term) {
  MutexLock lock(mu_);
  holder_.EnterTerm(term);
}

std::optional<ReignReport> SegmentHost::EnterReign(uint64_t term) {
  MutexLock lock(mu_);
  std::optional<ReignReport> report =
      holder_.EnterReign(engine_.incarnation(), term, BootClock::now(), LentNow());
  if (!report) return report;
  unsaid_.retired.clear();
  unsaid_.noted.clear();
  for (ReleaseAck& ack : unsaid_.released) ack.number = 0;
  return report;
}

void SegmentHost::Execute(const Orders& orders) {
  {
    MutexLock lock(mu_);
    std::vector<RetireAck> retired;
    holder_.Retire(orders, &retired);
    SayRetired(&retired);
    std::vector<NoteAck> noted;
    holder_.Note(orders, BootClock::now(), &noted);
    SayNoted(&noted);
    if (orders.term < holder_.term()) return;
    for (const Order& order : orders.orders) {
      if (const auto* prepare = std::get_if<PrepareOrder>(&order)) OrderPages(*prepare);
      if (const auto* release = std::get_if<ReleaseOrder>(&order)) {
        OrderRelease(*release, orders.term);
      }
      if (std::holds_alternative<LeaveOrder>(order)) BeginToLeave();
    }
  }
  if (copier_) copier_(orders);
}

void SegmentHost::SayCopied(CopyAck ack) {
  MutexLock lock(mu_);
  if (!saying_) return;
  unsaid_.copied.push_back(std::move(ack));
  acks_due_.NotifyAll();
}

SegmentHost::Segment* SegmentHost::Find(uint32_t index) const {
  const auto found = std::find_if(segments_.begin(), segments_.end(),
                                  [index](const auto& s) { return s->index == index; });
  return found == segments_.end() ? nullptr : found->get();
}

void SegmentHost::OrderPages(const PrepareOrder& order) {
  Segment* const segment = Find(order.segment);
  if (segment == nullptr) return;
  if (segment->extent.Prepare(order.limit)) {
    SayReady(*segment);
  } else {
    pages_due_.NotifyAll();
  }
}

void SegmentHost::OrderRelease(const ReleaseOrder& order, uint64_t term) {
  Segment* const segment = Find(order.segment);
  if (segment == nullptr) return;
  segment->extent.Release(order.limit);
  segment->release = {term, order.number};
  giving_back_ = true;
  pages_due_.NotifyAll();
}

// Pages stay, and are told, until the master has forgotten them: it may yet grant them.
void SegmentHost::BeginToLeave() {
  if (leaving_) return;
  for (const auto& segment : segments_) segment->extent.Wish(0);
  leaving_ = true;
  drained_ = true;
}

void SegmentHost::WorkOnPages() {
  while (true) {
    Segment* segment = nullptr;
    Extent::Work work;
    Release release;
    {
      MutexLock lock(mu_);
      while (!closing_ && (segment = FindWork(&work)) == nullptr) pages_due_.Wait(mu_);
      if (closing_) return;
      release = segment->release;
    }
    if (work.what == Extent::What::kTouch) {
      TouchPages(segment, work);
    } else {
      GiveBackPages(segment, work, release);
    }
  }
}

SegmentHost::Segment* SegmentHost::FindWork(Extent::Work* work) {
  bool held_up = false;
  for (const auto& segment : segments_) {
    *work = segment->extent.Next(kTouchStep);
    if (work->what == Extent::What::kNothing) continue;
    if (work->what == Extent::What::kTouch) return segment.get();
    if (!holder_.TouchedFrom(segment->index, work->begin)) {
      (void)segment->extent.BeginGivingBack();
      return segment.get();
    }
    held_up = true;
  }
  giving_back_ = held_up;
  return nullptr;
}

void SegmentHost::TouchPages(Segment* segment, const Extent::Work& work) {
  const Status touched = segment->memory.Touch(work.begin, work.end, available_());
  MutexLock lock(mu_);
  if (touched.ok()) {
    segment->extent.Touched(work.end);
    holder_.RaiseGranted(segment->index, work.end);
  } else {
    segment->extent.Failed(touched.message());
  }
  SayReady(*segment);
}

void SegmentHost::GiveBackPages(Segment* segment, const Extent::Work& work,
                                const Release& release) {
  segment->memory.GiveBack(work.begin, work.end);
  MutexLock lock(mu_);
  if (!saying_) return;
  // The master of another term has ordered nothing under that number, or something else.
  const uint64_t number = release.term == holder_.term() ? release.number : 0;
  unsaid_.released.push_back({segment->index, work.begin, number});
  acks_due_.NotifyAll();
}

void SegmentHost::SayRetired(std::vector<RetireAck>* acks) {
  if (!saying_ || acks->empty() || unsaid_.retired.size() >= kMostUnsaid) return;
  unsaid_.retired.insert(unsaid_.retired.end(), acks->begin(), acks->end());
  acks_due_.NotifyAll();
}

void SegmentHost::SayNoted(std::vector<NoteAck>* acks) {
  if (!saying_ || acks->empty() || unsaid_.noted.size() >= kMostUnsaid) return;
  unsaid_.noted.insert(unsaid_.noted.end(), acks->begin(), acks->end());
  acks_due_.NotifyAll();
}

void SegmentHost::SayReady(const Segment& segment) {
  if (!saying_) return;
  const Extent& extent = segment.extent;
  unsaid_.ready.push_back({segment.index, extent.ready(), extent.problem()});
  acks_due_.NotifyAll();
}

void SegmentHost::StartAcks() {
  MutexLock lock(mu_);
  unsaid_ = {};
  saying_ = true;
  for (const auto& segment : segments_) segment->extent.Tell();
  lend_due_ = std::any_of(segments_.begin(), segments_.end(), [](const auto& segment) {
    return segment->extent.wish() < segment->extent.end();
  });
}

std::optional<Acks> SegmentHost::NextAcks(TimePoint until) {
  MutexLock lock(mu_);
  while (saying_ && !lend_due_ && unsaid_.IsEmpty() && BootClock::now() < until) {
    acks_due_.WaitUntil(mu_, until);
  }
  if (!saying_) return std::nullopt;
  Acks acks;
  acks.counter = holder_.counter();
  acks.retired = TakeSome(&unsaid_.retired, kMaxAcks);
  acks.ready = TakeSome(&unsaid_.ready, kMaxAcks);
  acks.noted = TakeSome(&unsaid_.noted, kMaxAcks);
  acks.copied = TakeSome(&unsaid_.copied, kMaxAcks);
  acks.released = TakeSome(&unsaid_.released, kMaxAcks);
  return acks;
}

std::optional<kvstore::Lend> SegmentHost::TakeLend() {
  MutexLock lock(mu_);
  if (!std::exchange(lend_due_, false)) return std::nullopt;
  kvstore::Lend lend;
  for (const auto& segment : segments_) {
    Extent& extent = segment->extent;
    if (extent.told() == 0) continue;  // the master knows of none
    extent.Tell();
    const uint64_t size = extent.told_wish();
    lend.segments.push_back({segment->index, size, kGranule, std::min(extent.ready(), size)});
  }
  return lend;
}

void SegmentHost::StopAcks() {
  MutexLock lock(mu_);
  saying_ = false;
  acks_due_.NotifyAll();
}

bool SegmentHost::leaving() const {
  MutexLock lock(mu_);
  return leaving_;
}

void SegmentHost::Empty() {
  MutexLock lock(mu_);
  holder_.Empty();
  unsaid_ = {};
  for (const auto& segment : segments_) {
    segment->extent.Restart();
    if (leaving_ && segment->extent.wish() == 0) OrderRelease({segment->index, 0}, holder_.term());
  }
  if (!std::exchange(leaving_, false)) return;
  drained_now_.NotifyAll();
}

bool SegmentHost::WaitServed(TimePoint until) {
  MutexLock lock(mu_);
  ++waiting_;
  while (holder_.touched().inside > 0 && BootClock::now() < until) left_.WaitUntil(mu_, until);
  --waiting_;
  return holder_.touched().inside == 0;
}

Holder::Touched SegmentHost::touched() const {
  MutexLock lock(mu_);
  return holder_.touched();
}

HolderCounters SegmentHost::counters() const {
  MutexLock lock(mu_);
  return holder_.counters();
}

uint64_t SegmentHost::notes() const {
  MutexLock lock(mu_);
  return holder_.notes();
}

bool SegmentHost::Enter(uint32_t segment, transfer::Access access, uint64_t first, uint64_t offset,
                        uint64_t length, uint64_t birth) {
  MutexLock lock(mu_);
  return holder_.Enter(segment, access, first, offset, length, birth);
}

bool SegmentHost::Stands(uint32_t segment, uint64_t first, uint64_t birth) {
  MutexLock lock(mu_);
  return holder_.Stands(segment, first, birth);
}

void SegmentHost::Leave(uint32_t segment, transfer::Access access, uint64_t first, uint64_t offset,
                        uint64_t length, uint64_t birth) {
  MutexLock lock(mu_);
  std::vector<RetireAck> acks;
  holder_.Leave(segment, access, first, offset, length, birth, &acks);
  SayRetired(&acks);
  SayLeft();
}

void SegmentHost::OthersLeft(uint32_t segment) {
  MutexLock lock(mu_);
  std::vector<RetireAck> acks;
  holder_.OthersLeft(segment, &acks);
  SayRetired(&acks);
  SayLeft();
}

// Only where somebody waits: to find out whether the memory is idle may take looking at what many
// processes have announced, and copies end all the time.
void SegmentHost::SayLeft() {
  if (waiting_ > 0) left_.NotifyAll();
  if (giving_back_) pages_due_.NotifyAll();
}

std::vector<Range> SegmentHost::Touched(uint32_t segment) {
  std::vector<Range> touched;
  for (const transfer::Stretch& stretch : engine_.TouchedByOthers(segment)) {
    touched.push_back({stretch.offset, stretch.length});
  }
  return touched;
}

}  // namespace kvstore::client
