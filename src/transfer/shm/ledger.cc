#include "transfer/shm/ledger.h"

#include <algorithm>
#include <utility>

namespace kvstore::transfer {

Announcement::Announcement(Announcement&& other) noexcept
    : writer_(std::exchange(other.writer_, nullptr)), kind_(other.kind_), index_(other.index_) {}

Announcement& Announcement::operator=(Announcement&& other) noexcept {
  std::swap(writer_, other.writer_);
  std::swap(kind_, other.kind_);
  std::swap(index_, other.index_);
  return *this;
}

Announcement::~Announcement() {
  if (writer_ != nullptr) writer_->Withdraw(kind_, index_);
}

LedgerWriter::LedgerWriter(LedgerPages& pages, std::function<void()> tell)
    : pages_(pages), tell_(std::move(tell)) {
  MutexLock lock(mu_);
  copies_.all = pages.copies;
  copies_.used = &pages.copies_used;
  mappings_.all = pages.mappings;
  mappings_.used = &pages.mappings_used;
  for (Slots* slots : {&copies_, &mappings_}) {
    for (uint32_t i = 0; i < slots->all.size(); ++i) slots->free.push_back(i);  // is a heap
  }
}

std::optional<Announcement> LedgerWriter::Announce(SlotKind kind, const LedgerEntry& entry) {
  uint64_t use = 0;
  uint32_t index = 0;
  LedgerSlot* slot = nullptr;
  {
    MutexLock lock(mu_);
    Slots& slots = SlotsOf(kind);
    if (slots.free.empty()) return std::nullopt;
    std::pop_heap(slots.free.begin(), slots.free.end(), std::greater<>());
    index = slots.free.back();
    slots.free.pop_back();
    if (index >= slots.highest) {
      slots.highest = index + 1;
      slots.used->store(slots.highest, std::memory_order_seq_cst);
    }
    use = next_use_++;
    slot = &slots.all[index];
  }
  // Release: who reads one of these has also seen that the use before was withdrawn.
  slot->region.store(entry.region, std::memory_order_release);
  slot->offset.store(entry.offset, std::memory_order_release);
  slot->length.store(entry.length, std::memory_order_release);
  slot->use.store(use, std::memory_order_seq_cst);
  return Announcement(this, kind, index);
}

void LedgerWriter::Withdraw(SlotKind kind, uint32_t index) {
  LedgerSlot& slot = kind == SlotKind::kCopy ? pages_.copies[index] : pages_.mappings[index];
  slot.use.store(0, std::memory_order_seq_cst);
  // The holder asks before it looks at the slots: it sees this one empty, or we see that it asked.
  if (pages_.waiting.load(std::memory_order_seq_cst) != 0 &&
      pages_.waiting.exchange(0, std::memory_order_seq_cst) != 0) {
    tell_();
  }
  MutexLock lock(mu_);
  Slots& slots = SlotsOf(kind);
  slots.free.push_back(index);
  std::push_heap(slots.free.begin(), slots.free.end(), std::greater<>());
  if (kind == SlotKind::kCopy) copy_withdrawn_.NotifyOne();
}

bool LedgerWriter::WaitForCopySlot(TimePoint until) {
  MutexLock lock(mu_);
  while (copies_.free.empty()) {
    if (BootClock::now() >= until) return false;
    copy_withdrawn_.WaitUntil(mu_, until);
  }
  return true;
}

std::span<LedgerSlot> LedgerReader::UsedSlots(SlotKind kind) const {
  const bool copies = kind == SlotKind::kCopy;
  const std::span<LedgerSlot> all =
      copies ? std::span<LedgerSlot>(pages_.copies) : std::span<LedgerSlot>(pages_.mappings);
  const std::atomic<uint32_t>& used = copies ? pages_.copies_used : pages_.mappings_used;
  return all.first(std::min<size_t>(used.load(std::memory_order_seq_cst), all.size()));
}

void LedgerReader::Append(SlotKind kind, RegionId region, std::vector<Stretch>* announced) const {
  for (const LedgerSlot& slot : UsedSlots(kind)) {
    const uint64_t use = slot.use.load(std::memory_order_seq_cst);
    if (use == 0) continue;
    const uint64_t named = slot.region.load(std::memory_order_acquire);
    const Stretch stretch{.offset = slot.offset.load(std::memory_order_acquire),
                          .length = slot.length.load(std::memory_order_acquire)};
    // A use that ended meanwhile touches nothing; the one after it was announced after the words
    // were stored that the holder asks about, and finds them.
    if (slot.use.load(std::memory_order_seq_cst) != use || named != region) continue;
    announced->push_back(stretch);
  }
}

size_t LedgerReader::CountActive() const {
  size_t active = 0;
  for (const SlotKind kind : {SlotKind::kCopy, SlotKind::kMapping}) {
    for (const LedgerSlot& slot : UsedSlots(kind)) {
      if (slot.use.load(std::memory_order_seq_cst) != 0) ++active;
    }
  }
  return active;
}

}  // namespace kvstore::transfer
