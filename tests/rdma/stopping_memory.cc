#include "rdma/stopping_memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace kvstore::rdma_tests {
namespace {

constexpr size_t kPage = 4096;
constexpr long kSecond = 1'000'000'000;
std::byte* last_page = nullptr;
std::atomic<long> stopped_for = 0;
std::atomic<long> stopped_since = 0;  // 0: it isn't

// The kernel's, whatever clock the program makes of it.
long Now() {
  timespec t{};
  syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

void StopHere(int) {
  constexpr char kWords[] = "stopping\n";
  const long since = Now();
  stopped_since = since;
  (void)!write(STDOUT_FILENO, kWords, sizeof(kWords) - 1);
  char told = 0;
  (void)!read(STDIN_FILENO, &told, 1);
  mprotect(last_page, kPage, PROT_READ | PROT_WRITE);
  stopped_for += Now() - since;
  stopped_since = 0;
}

}  // namespace

std::byte* StoppingMemory(size_t size) {
  void* const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  std::memset(memory, 2, size);
  last_page = static_cast<std::byte*>(memory) + size - kPage;
  signal(SIGSEGV, StopHere);
  mprotect(last_page, kPage, PROT_NONE);
  return static_cast<std::byte*>(memory);
}

long StoppedFor() {
  const long since = stopped_since;
  return stopped_for + (since == 0 ? 0 : Now() - since);
}

}  // namespace kvstore::rdma_tests
