#ifndef KVSTORE_SHARED_MEMORY_H_
#define KVSTORE_SHARED_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kvstore/result.h"
#include "kvstore/status.h"

namespace kvstore::transfer {

// Says of one granule when its memory last changed hands; only grows. See RegionGuard.
using Word = std::atomic<uint64_t>;

// Memory that processes of one host can share: an anonymous file (memfd) of `size` bytes and, in a
// file of their own, one word per granule. Neither file can change its size. Nobody but this
// process, through this object, can write the words, whatever file descriptors it hands out. On
// huge pages of the kernel's reserve where there are enough of them, else on ordinary pages (huge()
// says which). Not inherited by children, not in core files. No page is there before it is touched,
// all hold zeros then. Pages live until the last process that maps them has ended or let go.
//
// Thread-compatible; movable. Registered with an engine (RegionOptions::shared) it may neither be
// moved nor destroyed until it is unregistered.
class SharedMemory {
 public:
  // `size`: whole granules, not 0; `granule`: a power of two, whole pages. invalid_argument;
  // resource_exhausted: the kernel won't map so much, or makes no such memory at all (the message
  // says which).
  static Result<SharedMemory> Create(uint64_t size, uint64_t granule);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  std::byte* base() const { return base_; }
  uint64_t size() const { return size_; }
  uint64_t granule() const { return granule_; }
  bool huge() const { return huge_; }
  std::span<Word> words() const;  // size() / granule() of them

  // Makes the pages of [begin, end), and of their words, present, so that touching them can't fail.
  // resource_exhausted: there are no pages for them.
  Status Touch(uint64_t begin, uint64_t end);
  // Gives the pages of [begin, end) back to the machine, which nobody may be touching any more;
  // they hold zeros when they are touched again. The words stay: what they refuse is refused for
  // good. Huge pages of the reserve stay too, since another process that still reads there by an
  // outdated location would be killed if the reserve had none left. So do the pages of memory that
  // was registered with an engine that has RDMA devices.
  void GiveBack(uint64_t begin, uint64_t end);

 private:
  friend class SharedFiles;  // the engine's access to the files, src/transfer/shm/
  SharedMemory() = default;

  uint64_t size_ = 0;
  uint64_t granule_ = 0;
  bool huge_ = false;
  std::byte* base_ = nullptr;
  uint64_t mapped_ = 0;  // bytes, whole pages of their kind
  void* words_ = nullptr;
  uint64_t words_mapped_ = 0;
  int data_fd_ = -1;
  int words_fd_ = -1;
  mutable bool keeps_pages_ = false;  // devices know them
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SHARED_MEMORY_H_
