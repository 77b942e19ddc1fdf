#include "transfer/shm/windows.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace kvstore::transfer {
namespace {

// Shorter stretches are left to page faults.
constexpr uint64_t kPrepareBytes = 256 << 10;
static_assert(kWindowBytes % kPrepareBytes == 0);

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

Window::Window(MappedFile mapped, uint64_t begin)
    : mapped_(std::move(mapped)), begin_(begin), prepared_(mapped_.size() / kPrepareBytes) {}

void Window::Prepare(uint64_t offset, uint64_t length) {
#ifdef MADV_POPULATE_WRITE
  size_t at = RoundUp(offset - begin_, kPrepareBytes) / kPrepareBytes;
  const size_t end = std::min<size_t>((offset - begin_ + length) / kPrepareBytes, prepared_.size());
  while (at < end) {
    size_t run = at;
    while (run < end && !prepared_[run].exchange(true, std::memory_order_relaxed)) ++run;
    if (run > at) {
      // Nothing depends on it: what isn't mapped by it is by faults.
      (void)madvise(mapped_.data() + at * kPrepareBytes, (run - at) * kPrepareBytes,
                    MADV_POPULATE_WRITE);
    }
    at = run + 1;
  }
#else
  (void)offset;
  (void)length;
#endif
}

Windows::Windows(FileDescriptor file, uint64_t size) : file_(std::move(file)), size_(size) {}

Result<std::shared_ptr<Window>> Windows::Get(uint64_t offset, uint64_t length) {
  const uint64_t begin = offset / kWindowBytes * kWindowBytes;
  const uint64_t end = std::min(size_, RoundUp(std::max(offset + length, begin + 1), kWindowBytes));
  MutexLock lock(mu_);
  Entry& entry = entries_[begin];
  if (entry.window == nullptr || entry.window->end() < end) {
    Result<MappedFile> mapped = MappedFile::Map(file_, begin, end - begin, Access::kWrite);
    if (!mapped.ok()) {
      if (entry.window == nullptr) entries_.erase(begin);
      return mapped.status();
    }
    // A shorter one goes when its last user has left it.
    entry.window = std::make_shared<Window>(*std::move(mapped), begin);
  }
  entry.used = true;
  return entry.window;
}

void Windows::DropIdle(TimePoint since) {
  const TimePoint now = BootClock::now();
  std::vector<std::shared_ptr<Window>> dropped;  // unmapped without the lock
  MutexLock lock(mu_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto next = std::next(it);
    Entry& entry = it->second;
    if (std::exchange(entry.used, false) || entry.window.use_count() > 1) {
      entry.last_used = now;
    } else if (entry.last_used <= since) {
      dropped.push_back(std::move(entry.window));
      entries_.erase(it);
    }
    it = next;
  }
}

}  // namespace kvstore::transfer
