#ifndef KVSTORE_SRC_TRANSFER_RDMA_MEMORY_H_
#define KVSTORE_SRC_TRANSFER_RDMA_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kvstore/result.h"
#include "transfer/rdma/device.h"

namespace kvstore::transfer {

// Who may touch registered memory.
enum class MemoryUse : uint8_t {
  kLocal,        // this process's own requests
  kRemoteRead,   // and peers, to read
  kRemoteWrite,  // and peers, to read and, over queue pairs that may, to write
};

// In which part of its registration that byte is. Most have one, and a division takes as long as
// all the rest.
inline uint64_t PartOf(uint64_t offset, uint64_t part_bytes) {
  return offset < part_bytes ? 0 : offset / part_bytes;
}

// How many bytes lie in that part from there on.
inline uint64_t LeftInPart(uint64_t offset, uint64_t part_bytes) {
  return (PartOf(offset, part_bytes) + 1) * part_bytes - offset;
}

// A stretch of memory at one device, in parts of equal size (but the last), since devices limit
// how much one registration may cover. Peers name a byte by `origin` plus its offset, never by its
// address. Confined to one thread at a time, but for what is const.
class RegisteredMemory {
 public:
  // `part_bytes` 0: as large as the device takes. resource_exhausted: it could not be registered,
  // and what to do about it. unavailable: the device has failed.
  static Result<std::unique_ptr<RegisteredMemory>> Create(std::shared_ptr<RdmaDevice> device,
                                                          std::byte* base, uint64_t size,
                                                          MemoryUse use, uint64_t part_bytes = 0);
  // Unregisters it, if the device will.
  ~RegisteredMemory();

  // OK: nothing reaches it through that device any more. Else something may still, and the device,
  // which tells so as its trouble, is to be asked again.
  Status Close();

  const RdmaDevice& device() const { return *device_; }
  uint64_t origin() const { return origin_; }
  uint64_t part_bytes() const { return part_bytes_; }
  // For the byte at `offset`, and those behind it in the same part.
  uint32_t local_key(uint64_t offset) const { return parts_[PartOf(offset, part_bytes_)]->lkey; }
  std::vector<uint32_t> remote_keys() const;

 private:
  RegisteredMemory(std::shared_ptr<RdmaDevice> device, uint64_t origin, uint64_t part_bytes);

  const std::shared_ptr<RdmaDevice> device_;
  const uint64_t origin_;
  const uint64_t part_bytes_;
  std::vector<ibv_mr*> parts_;
  bool troubled_ = false;  // its device was told
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_MEMORY_H_
