#ifndef KVSTORE_SRC_TRANSFER_SHM_LEDGER_H_
#define KVSTORE_SRC_TRANSFER_SHM_LEDGER_H_

// Where a process announces, to one holder, what it is about to touch of the holder's memory: some
// pages that the two share (docs/decisions/0004-shared-memory.md). Neither end trusts what the
// other has written there. Pure: no file, no socket.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"

namespace kvstore::transfer {

inline constexpr size_t kCopySlots = 64;
inline constexpr size_t kMappingSlots = 4096;

// Mappings may last, copies end soon: they don't take each other's room.
enum class SlotKind : uint8_t { kCopy, kMapping };

// On a cache line of its own: threads of one process announce without disturbing each other.
struct alignas(64) LedgerSlot {
  std::atomic<uint64_t> use;  // the number of this use, never given twice; 0: empty
  std::atomic<uint64_t> region;
  std::atomic<uint64_t> offset;
  std::atomic<uint64_t> length;
};

// All zero at first, which is how a new file begins.
struct LedgerPages {
  alignas(64) std::atomic<uint32_t> waiting;  // the holder wants a byte when something is withdrawn
  alignas(64) std::atomic<uint32_t> ended;    // the holder takes no further announcements
  alignas(64) std::atomic<uint32_t> copies_used;  // no slot from here on was ever used; only grows
  std::atomic<uint32_t> mappings_used;
  std::array<LedgerSlot, kCopySlots> copies;
  std::array<LedgerSlot, kMappingSlots> mappings;
};
static_assert(std::atomic<uint64_t>::is_always_lock_free &&
              std::atomic<uint32_t>::is_always_lock_free);

struct LedgerEntry {
  RegionId region = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

class LedgerWriter;

// What one copy or mapping has announced; withdrawn when this is destroyed. Movable; its writer
// outlives it.
class Announcement {
 public:
  Announcement(Announcement&& other) noexcept;
  Announcement& operator=(Announcement&& other) noexcept;
  ~Announcement();

 private:
  friend class LedgerWriter;
  Announcement(LedgerWriter* writer, SlotKind kind, uint32_t index)
      : writer_(writer), kind_(kind), index_(index) {}

  LedgerWriter* writer_;  // null: moved from
  SlotKind kind_;
  uint32_t index_;
};

// The end that announces. Thread-safe.
class LedgerWriter {
 public:
  // `tell` sends the holder the byte that it waits for; called by whoever withdraws. `pages`
  // outlives the writer.
  LedgerWriter(LedgerPages& pages, std::function<void()> tell);

  // Announces it, sequentially consistently: what is read after that, words and ended(), is read
  // after the holder can see it. Nothing: all slots of that kind are taken.
  std::optional<Announcement> Announce(SlotKind kind, const LedgerEntry& entry);
  // Waits until a copy may find a slot; false: `until` has passed.
  bool WaitForCopySlot(TimePoint until);

  // Whether the holder looks at this ledger no more for what is announced from now on.
  bool ended() const { return pages_.ended.load(std::memory_order_seq_cst) != 0; }

 private:
  friend class Announcement;
  struct Slots {
    std::span<LedgerSlot> all;
    std::atomic<uint32_t>* used = nullptr;
    uint32_t highest = 0;        // what `used` says
    std::vector<uint32_t> free;  // a heap, the lowest first: the holder reads no more than it must
  };

  Slots& SlotsOf(SlotKind kind) REQUIRES(mu_) {
    return kind == SlotKind::kCopy ? copies_ : mappings_;
  }
  void Withdraw(SlotKind kind, uint32_t index);

  LedgerPages& pages_;
  const std::function<void()> tell_;
  Mutex mu_;
  CondVar copy_withdrawn_;
  uint64_t next_use_ GUARDED_BY(mu_) = 1;
  Slots copies_ GUARDED_BY(mu_);
  Slots mappings_ GUARDED_BY(mu_);
};

// The holder's end. Thread-compatible.
class LedgerReader {
 public:
  explicit LedgerReader(LedgerPages& pages) : pages_(pages) {}

  // Appends what is announced of that region and that kind, whatever numbers stand there.
  void Append(SlotKind kind, RegionId region, std::vector<Stretch>* announced) const;
  // Slots of both kinds that aren't empty.
  size_t CountActive() const;

  // From now on whoever withdraws sends a byte; once, then it has to be asked again.
  void AskToBeTold() { pages_.waiting.store(1, std::memory_order_seq_cst); }
  // No announcement that comes later counts: whoever makes it finds out, and touches nothing.
  void End() { pages_.ended.store(1, std::memory_order_seq_cst); }

 private:
  std::span<LedgerSlot> UsedSlots(SlotKind kind) const;

  LedgerPages& pages_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_LEDGER_H_
