#ifndef KVSTORE_SRC_TRANSFER_RDMA_STAGING_H_
#define KVSTORE_SRC_TRANSFER_RDMA_STAGING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kvstore/result.h"
#include "thread_annotations.h"
#include "transfer/rdma/memory.h"

namespace kvstore::transfer {

// Registered memory between a holder and pieces that aren't registered themselves, and for words.
class StagingBuffer {
 public:
  static constexpr uint64_t kDataBytes = 4 << 20;
  static constexpr size_t kWords = 1024;  // behind the data

  // At all devices but those that have failed.
  static Result<std::unique_ptr<StagingBuffer>> Create(
      const std::vector<std::shared_ptr<RdmaDevice>>& devices);
  ~StagingBuffer();

  std::byte* data() const { return base_; }
  uint64_t* words() const { return reinterpret_cast<uint64_t*>(base_ + kDataBytes); }
  static uint64_t word_offset(size_t index) { return kDataBytes + index * sizeof(uint64_t); }
  bool IsAt(size_t device) const { return memory_[device] != nullptr; }
  const RegisteredMemory& memory(size_t device) const { return *memory_[device]; }

 private:
  StagingBuffer() = default;
  std::byte* base_ = nullptr;
  std::vector<std::unique_ptr<RegisteredMemory>> memory_;  // by device; null: it isn't there
};

// Buffers that nobody uses just now: as many as copies have ever run at once. Thread-safe.
class StagingPool {
 public:
  explicit StagingPool(std::vector<std::shared_ptr<RdmaDevice>> devices);

  // That is at that device. unavailable: the device has failed.
  Result<std::unique_ptr<StagingBuffer>> Take(size_t device);
  // No device touches it any more.
  void GiveBack(std::unique_ptr<StagingBuffer> buffer);

 private:
  const std::vector<std::shared_ptr<RdmaDevice>> devices_;
  Mutex mu_;
  std::vector<std::unique_ptr<StagingBuffer>> free_ GUARDED_BY(mu_);
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_STAGING_H_
