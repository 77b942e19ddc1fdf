#include "client/segment_host.h"

#include <algorithm>
#include <limits>
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

Result<std::unique_ptr<SegmentHost>> SegmentHost::Create(transfer::Engine& engine,
                                                         uint64_t lend_bytes,
                                                         std::function<uint64_t()> available) {
  std::optional<LentMemory> memory;
  if (lend_bytes > 0) {
    if (lend_bytes > std::numeric_limits<uint64_t>::max() - kGranule) {
      return InvalidArgumentError("lend_bytes is " + std::to_string(lend_bytes) +
                                  ", more than any machine has");
    }
    const uint64_t size = (lend_bytes + kGranule - 1) / kGranule * kGranule;
    KVSTORE_ASSIGN_OR_RETURN(memory, LentMemory::Map(size, kGranule));
  }
  std::unique_ptr<SegmentHost> host(
      new SegmentHost(engine, std::move(memory), std::move(available)));
  KVSTORE_RETURN_IF_ERROR(host->Register());
  return host;
}

SegmentHost::SegmentHost(transfer::Engine& engine, std::optional<LentMemory> memory,
                         std::function<uint64_t()> available)
    : engine_(engine), available_(std::move(available)), memory_(std::move(memory)) {}

Status SegmentHost::Register() {
  if (!memory_) return Status::Ok();
  transfer::RegionOptions options;
  options.remote = true;
  options.guard = this;
  options.shared = &memory_->shared();
  KVSTORE_ASSIGN_OR_RETURN(const transfer::RegionId region,
                           engine_.Register(memory_->base(), memory_->size(), options));
  {
    MutexLock lock(mu_);
    holder_.AddSegment(region, memory_->size(), memory_->granule(), memory_->words(), ready_);
    index_ = region;
  }
  preparer_ = std::thread([this] { PreparePages(); });
  return Status::Ok();
}

SegmentHost::~SegmentHost() {
  std::optional<uint32_t> index;
  {
    MutexLock lock(mu_);
    closing_ = true;
    saying_ = false;
    index = index_;
    pages_due_.NotifyAll();
    acks_due_.NotifyAll();
  }
  if (preparer_.joinable()) preparer_.join();
  if (index) (void)engine_.Unregister(*index);  // known to the engine: it can only succeed
}

std::vector<LentSegment> SegmentHost::Segments() const {
  MutexLock lock(mu_);
  return LentNow();
}

std::vector<LentSegment> SegmentHost::LentNow() const {
  if (!index_) return {};
  LentSegment segment;
  segment.index = *index_;
  segment.granule = memory_->granule();
  segment.ready = ready_;
  segment.size = problem_.empty() ? memory_->size() : ready_;
  if (segment.size == 0) return {};
  return {segment};
}

uint64_t SegmentHost::counter() const {
  MutexLock lock(mu_);
  return holder_.counter();
}

void SegmentHost::EnterTerm(uint64_t term) {
  MutexLock lock(mu_);
  holder_.EnterTerm(term);
}

std::optional<Report> SegmentHost::EnterReign(uint64_t term) {
  MutexLock lock(mu_);
  std::optional<Report> report =
      holder_.EnterReign(engine_.incarnation(), term, BootClock::now(), ready_);
  if (!report) return report;
  report->segments = LentNow();
  retired_.clear();
  noted_.clear();
  return report;
}

void SegmentHost::Execute(const Orders& orders) {
  MutexLock lock(mu_);
  std::vector<RetireAck> retired;
  holder_.Retire(orders, &retired);
  SayRetired(&retired);
  std::vector<NoteAck> noted;
  holder_.Note(orders, BootClock::now(), &noted);
  SayNoted(&noted);
  for (const Order& order : orders.orders) {
    if (const auto* prepare = std::get_if<PrepareOrder>(&order)) OrderPages(*prepare);
  }
}

void SegmentHost::OrderPages(const PrepareOrder& order) {
  if (!index_ || order.segment != *index_) return;
  const uint64_t limit = std::min(order.limit, memory_->size());
  wanted_ = std::max(wanted_, (limit + kGranule - 1) / kGranule * kGranule);
  if (order.limit <= ready_ || ready_ == memory_->size() || !problem_.empty()) {
    SayReady();
  } else {
    pages_due_.NotifyAll();
  }
}

void SegmentHost::PreparePages() {
  for (;;) {
    uint64_t begin = 0;
    uint64_t end = 0;
    {
      MutexLock lock(mu_);
      while (!closing_ && (wanted_ <= ready_ || !problem_.empty())) pages_due_.Wait(mu_);
      if (closing_) return;
      begin = ready_;
      end = std::min(wanted_, begin + kTouchStep);
    }
    const Status touched = memory_->Touch(begin, end, available_());
    MutexLock lock(mu_);
    if (touched.ok()) {
      ready_ = end;
    } else {
      problem_ = touched.message();
    }
    SayReady();
  }
}

void SegmentHost::SayRetired(std::vector<RetireAck>* acks) {
  if (!saying_ || acks->empty() || retired_.size() >= kMostUnsaid) return;
  retired_.insert(retired_.end(), acks->begin(), acks->end());
  acks_due_.NotifyAll();
}

void SegmentHost::SayNoted(std::vector<NoteAck>* acks) {
  if (!saying_ || acks->empty() || noted_.size() >= kMostUnsaid) return;
  noted_.insert(noted_.end(), acks->begin(), acks->end());
  acks_due_.NotifyAll();
}

void SegmentHost::SayReady() {
  if (!saying_) return;
  ready_acks_.push_back({*index_, ready_, problem_});
  acks_due_.NotifyAll();
}

void SegmentHost::StartAcks() {
  MutexLock lock(mu_);
  retired_.clear();
  noted_.clear();
  ready_acks_.clear();
  saying_ = true;
}

std::optional<Acks> SegmentHost::NextAcks() {
  MutexLock lock(mu_);
  while (saying_ && retired_.empty() && noted_.empty() && ready_acks_.empty()) acks_due_.Wait(mu_);
  if (!saying_) return std::nullopt;
  Acks acks;
  acks.counter = holder_.counter();
  acks.retired = TakeSome(&retired_, kMaxAcks);
  acks.ready = TakeSome(&ready_acks_, kMaxAcks);
  acks.noted = TakeSome(&noted_, kMaxAcks);
  return acks;
}

void SegmentHost::StopAcks() {
  MutexLock lock(mu_);
  saying_ = false;
  acks_due_.NotifyAll();
}

void SegmentHost::Empty() {
  MutexLock lock(mu_);
  holder_.Empty(ready_);
  retired_.clear();
  noted_.clear();
  ready_acks_.clear();
  wanted_ = ready_;
  problem_.clear();  // another incarnation may find more memory
}

bool SegmentHost::WaitIdle(TimePoint until) {
  MutexLock lock(mu_);
  ++waiting_;
  while (!holder_.idle() && BootClock::now() < until) left_.WaitUntil(mu_, until);
  --waiting_;
  return holder_.idle();
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

bool SegmentHost::Enter(transfer::Access access, uint64_t first, uint64_t offset, uint64_t length,
                        uint64_t birth) {
  MutexLock lock(mu_);
  return index_ && holder_.Enter(*index_, access, first, offset, length, birth);
}

bool SegmentHost::Stands(uint64_t first, uint64_t birth) {
  MutexLock lock(mu_);
  return index_ && holder_.Stands(*index_, first, birth);
}

void SegmentHost::Leave(transfer::Access access, uint64_t first, uint64_t offset, uint64_t length,
                        uint64_t birth) {
  MutexLock lock(mu_);
  if (!index_) return;
  std::vector<RetireAck> acks;
  holder_.Leave(*index_, access, first, offset, length, birth, &acks);
  SayRetired(&acks);
  SayLeft();
}

void SegmentHost::OthersLeft() {
  MutexLock lock(mu_);
  if (!index_) return;
  std::vector<RetireAck> acks;
  holder_.OthersLeft(*index_, &acks);
  SayRetired(&acks);
  SayLeft();
}

// Only where somebody waits: to find out whether the memory is idle may take looking at what many
// processes have announced, and copies end all the time.
void SegmentHost::SayLeft() {
  if (waiting_ > 0) left_.NotifyAll();
}

std::vector<Range> SegmentHost::Touched(uint32_t segment) {
  std::vector<Range> touched;
  for (const transfer::Stretch& stretch : engine_.TouchedByOthers(segment)) {
    touched.push_back({stretch.offset, stretch.length});
  }
  return touched;
}

}  // namespace kvstore::client
