#ifndef KVSTORE_SRC_TRANSFER_SHM_WINDOWS_H_
#define KVSTORE_SRC_TRANSFER_SHM_WINDOWS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "thread_annotations.h"
#include "transfer/shm/mapped_file.h"

namespace kvstore::transfer {

// Windows begin and end at multiples of this, or at the end of the file.
inline constexpr uint64_t kWindowBytes = 16 << 20;

// A part of a peer's region, mapped to be written. Thread-safe.
class Window {
 public:
  Window(MappedFile mapped, uint64_t begin);

  // Of the region.
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return begin_ + mapped_.size(); }
  std::byte* At(uint64_t offset) const { return mapped_.data() + (offset - begin_); }

  // Before a long write to [offset, offset + length): maps its pages at once, which is cheaper than
  // a fault for each. Only these, since the holder has made them present, and maybe no others.
  void Prepare(uint64_t offset, uint64_t length);

 private:
  const MappedFile mapped_;
  const uint64_t begin_;
  std::vector<std::atomic<bool>> prepared_;  // one per kPrepareBytes
};

// The windows of one region: mapped when needed, kept while used, since mapping for each copy costs
// most of the speed. Thread-safe.
class Windows {
 public:
  // `file`: the region's data, `size` bytes of it.
  Windows(FileDescriptor file, uint64_t size);

  // One that covers [offset, offset + length), which is within the file; it stays mapped while the
  // caller holds it. An error: it can't be mapped.
  Result<std::shared_ptr<Window>> Get(uint64_t offset, uint64_t length);

  // Unmaps those that nobody holds and nobody asked for since then.
  void DropIdle(TimePoint since);

 private:
  struct Entry {
    std::shared_ptr<Window> window;
    bool used = true;     // since DropIdle looked last
    TimePoint last_used;  // as DropIdle saw it
  };

  const FileDescriptor file_;
  const uint64_t size_;
  Mutex mu_;
  // By where they begin; references to a window are made under the mutex only.
  std::map<uint64_t, Entry> entries_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_WINDOWS_H_
