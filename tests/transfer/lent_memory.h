#ifndef KVSTORE_TESTS_TRANSFER_LENT_MEMORY_H_
#define KVSTORE_TESTS_TRANSFER_LENT_MEMORY_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "kvstore/shared_memory.h"
#include "kvstore/transfer.h"

namespace kvstore::transfer {

using Bytes = std::vector<unsigned char>;

// What a test lends: whole granules of ordinary memory, or of shared memory where the way asks its
// words.
// Thread-compatible; not moved while it is registered.
class LentMemory {
 public:
  static constexpr uint64_t kGranule = 4096;

  // Begins with `bytes`; zeros fill it up.
  LentMemory(Way way, const Bytes& bytes)
      : size_((bytes.size() + kGranule - 1) / kGranule * kGranule) {
    if (way == Way::kShm || way == Way::kRdma) {
      shared_.emplace(SharedMemory::Create(size_, kGranule).value());
    } else {
      own_.resize(size_);
    }
    std::copy(bytes.begin(), bytes.end(), begin());
  }

  unsigned char* data() {
    return shared_ ? reinterpret_cast<unsigned char*>(shared_->base()) : own_.data();
  }
  size_t size() const { return size_; }
  unsigned char* begin() { return data(); }
  unsigned char* end() { return data() + size_; }
  Bytes bytes() { return Bytes(begin(), end()); }
  const SharedMemory* shared() const { return shared_ ? &*shared_ : nullptr; }

  // What all words say from now on; ordinary memory has none.
  void Stamp(uint64_t word) {
    if (!shared_) return;
    for (Word& each : shared_->words()) each.store(word);
  }

 private:
  uint64_t size_;
  std::optional<SharedMemory> shared_;
  Bytes own_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_LENT_MEMORY_H_
