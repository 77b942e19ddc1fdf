#ifndef KVSTORE_PYTHON_NATIVE_BUFFER_POOL_H_
#define KVSTORE_PYTHON_NATIVE_BUFFER_POOL_H_

#include <pybind11/pybind11.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace kvstore::python {

// Memory that is used again. Fresh pages cost more than what is read into them, and malloc gives
// large blocks back to the kernel each time. Confined to threads that hold the interpreter's lock.
class BufferPool {
 public:
  // Keeps at most `limit` bytes that nobody uses.
  explicit BufferPool(uint64_t limit) : limit_(limit) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // At least `size` bytes of undefined contents. Null: there are none.
  void* Take(uint64_t size);
  // What Take(size) returned.
  void GiveBack(void* block, uint64_t size);
  uint64_t kept() const { return kept_; }

 private:
  // Blocks of one class have 2^class bytes.
  static size_t ClassOf(uint64_t size);

  const uint64_t limit_;
  uint64_t kept_ = 0;                        // the sum of free_'s
  std::array<std::vector<void*>, 64> free_;  // by class; those given back last are at the end
};

// A block of a pool, as Python holds it.
class Buffer {
 public:
  // Raises MemoryError.
  Buffer(std::shared_ptr<BufferPool> pool, uint64_t size);
  ~Buffer() { pool_->GiveBack(data_, size_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  const std::shared_ptr<BufferPool> pool_;
  const uint64_t size_;
  void* const data_;
};

void BindBufferPool(pybind11::module_& module);

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_BUFFER_POOL_H_
