#ifndef KVSTORE_SRC_MASTER_TABLE_MEMORY_H_
#define KVSTORE_SRC_MASTER_TABLE_MEMORY_H_

#include <bit>
#include <cstddef>
#include <memory>
#include <new>

namespace kvstore::master {

// Memory for the catalog's tables, nearly all that a master has: outside of malloc, where what
// messages leave behind would lie in between, and in huge pages where the kernel has them, so that
// a processor remembers where millions of objects lie. What is given back is kept for the tables of
// this process that grow next. Thread-safe.
inline constexpr size_t kLeastTableMemory = size_t{32} << 10;
inline constexpr size_t kMostTableMemory = size_t{2} << 20;

// `bytes`, a power of two from the least to the most, aligned to as many; their values are any.
// Throws std::bad_alloc, as new does.
void* TakeTableMemory(size_t bytes);
void GiveTableMemory(void* memory, size_t bytes);

// What a table grows by. As large as the power of two above it.
template <typename T>
struct TablePartBytes {
  static constexpr size_t kBytes = std::bit_ceil(sizeof(T));
  static_assert(kBytes >= kLeastTableMemory && kBytes <= kMostTableMemory);
};
template <typename T>
struct GiveTablePart {
  void operator()(T* part) const {
    part->~T();
    GiveTableMemory(part, TablePartBytes<T>::kBytes);
  }
};
template <typename T>
using TablePart = std::unique_ptr<T, GiveTablePart<T>>;

// Its fields are as T leaves them where it is not initialised.
template <typename T>
TablePart<T> NewTablePart() {
  return TablePart<T>(new (TakeTableMemory(TablePartBytes<T>::kBytes)) T);
}

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_TABLE_MEMORY_H_
