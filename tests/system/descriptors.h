#ifndef KVSTORE_TESTS_SYSTEM_DESCRIPTORS_H_
#define KVSTORE_TESTS_SYSTEM_DESCRIPTORS_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "kvstore/clock.h"

namespace kvstore::cluster {

// The descriptors that a process has open.
inline std::set<int> Descriptors(pid_t pid) {
  std::set<int> open;
  std::error_code gone;
  const std::filesystem::path fds = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& fd : std::filesystem::directory_iterator(fds, gone)) {
    open.insert(std::atoi(fd.path().filename().c_str()));
  }
  // Not the one by which this was read.
  std::erase_if(open,
                [&](int fd) { return !std::filesystem::is_symlink(fds / std::to_string(fd)); });
  return open;
}

// What each of them is, for people: "3 socket:[4711]", a line each.
inline std::string DescriptorsText(pid_t pid) {
  std::string text;
  for (const int fd : Descriptors(pid)) {
    const std::string number = std::to_string(fd);
    std::error_code gone;
    const auto what = std::filesystem::read_symlink(
        std::filesystem::path("/proc") / std::to_string(pid) / "fd" / number, gone);
    text += number + " " + what.string() + "\n";
  }
  return text;
}

// The descriptors, once they have stayed so for a while: what has just been served may yet be
// closed.
inline std::set<int> SettledDescriptors(pid_t pid) {
  constexpr Duration kAWhile = std::chrono::milliseconds(300);
  const TimePoint until = BootClock::now() + std::chrono::seconds(10);
  std::set<int> open = Descriptors(pid);
  TimePoint since = BootClock::now();
  while (BootClock::now() - since < kAWhile && BootClock::now() < until) {
    std::set<int> now = Descriptors(pid);
    if (now == open) continue;
    open = std::move(now);
    since = BootClock::now();
  }
  return open;
}

// While it lives a process, which may be the test's own, can have only so many descriptors more.
class FewDescriptors {
 public:
  explicit FewDescriptors(pid_t pid, size_t more = 0) : pid_(pid) {
    const std::set<int> open = SettledDescriptors(pid);
    rlim_t limit = 0;
    for (size_t free = 0; free <= more; ++limit) {
      if (!open.contains(static_cast<int>(limit))) ++free;
    }
    prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_);
    const rlimit few{limit - 1, before_.rlim_max};
    prlimit(pid_, RLIMIT_NOFILE, &few, nullptr);
  }
  ~FewDescriptors() { prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  const pid_t pid_;
  rlimit before_{};
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_DESCRIPTORS_H_
