#include "system/stop_points.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace kvstore::cluster {
namespace {

// Touched by the thread that arms, and by the one that meets the armed page; the kernel's fault
// comes between.
std::vector<StopPoint> armed;
std::atomic<size_t> next_point{0};

size_t PageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

void Protect(void* page, int protection) {
  if (mprotect(page, PageBytes(), protection) != 0) std::abort();
}

void ArmNext() {
  const size_t next = next_point;
  if (next < armed.size() && armed[next].page != nullptr) Protect(armed[next].page, PROT_NONE);
}

// Only calls that a signal handler may make: it interrupts the library in the midst of a copy.
void WaitForLine() {
  char byte = 0;
  while (byte != '\n') {
    if (read(STDIN_FILENO, &byte, 1) == 0) _exit(0);  // the parent is gone
  }
}

void Stop(const std::string& said) {
  if (said.empty()) return;
  (void)!write(STDOUT_FILENO, said.data(), said.size());
  WaitForLine();
}

void OnChecksum() {
  const size_t next = next_point;
  if (next >= armed.size() || armed[next].page != nullptr) return;
  Stop(armed[next].said);
  next_point = next + 1;
  ArmNext();
}

void OnFault(int signal, siginfo_t* fault, void* /*context*/) {
  const auto at = reinterpret_cast<uintptr_t>(fault->si_addr);
  const size_t next = next_point;
  const auto page = next < armed.size() ? reinterpret_cast<uintptr_t>(armed[next].page) : 0;
  if (page == 0 || at < page || at >= page + PageBytes()) {
    ::signal(signal, SIG_DFL);  // a fault of its own kind: it comes again, and ends the process
    return;
  }
  Stop(armed[next].said);
  next_point = next + 1;
  Protect(reinterpret_cast<void*>(page), PROT_READ | PROT_WRITE);
  ArmNext();
}

}  // namespace

void ArmStopPoints(std::vector<StopPoint> points) {
  struct sigaction action {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGSEGV, &action, nullptr) != 0) std::abort();
  armed = std::move(points);
  for (StopPoint& point : armed) {
    if (!point.said.empty()) point.said += '\n';
  }
  next_point = 0;
  ArmNext();
}

bool DisarmStopPoints() {
  const size_t next = next_point;
  const bool all_met = next == armed.size();
  if (!all_met && armed[next].page != nullptr) Protect(armed[next].page, PROT_READ | PROT_WRITE);
  armed.clear();
  next_point = 0;
  return all_met;
}

bool ReadLine(std::string* line) {
  line->clear();
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) == 1) {
    if (byte == '\n') return true;
    line->push_back(byte);
  }
  return false;
}

void SayLine(const std::string& line) {
  const std::string whole = line + '\n';
  (void)!write(STDOUT_FILENO, whole.data(), whole.size());
}

}  // namespace kvstore::cluster

// In place of libxxhash's own, which it calls: a program's functions come before a library's.
extern "C" uint64_t XXH3_64bits_digest(const void* state) {
  using Digest = uint64_t (*)(const void*);
  static const auto digest = reinterpret_cast<Digest>(dlsym(RTLD_NEXT, "XXH3_64bits_digest"));
  kvstore::cluster::OnChecksum();
  return digest(state);
}
