#include "simulation/many_seeds.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <type_traits>

namespace kvstore::simulation {

namespace {

constexpr unsigned kLongestSeed = 120;  // seconds of real time; a usual one takes a hundredth

// What a worker says of one seed, before the text of its violation.
struct Line {
  uint64_t violation_size = 0;
  EventCounts counts;
};
static_assert(std::is_trivially_copyable_v<Line>);

bool WriteAll(int fd, const void* data, size_t size) {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = write(fd, from, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    from += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool ReadAll(int fd, void* data, size_t size) {
  auto* to = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = read(fd, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// A process that runs every `step`th seed from `next` on.
class Worker {
 public:
  Worker(const ManySeeds* many, size_t first) : many_(*many), next_(first) { Begin(); }
  ~Worker() { End(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  int fd() const { return fd_; }
  bool done() const { return next_ >= many_.seeds.size(); }
  uint64_t seed() const { return many_.seeds[next_]; }

  // What it says next, of seed(): its violation, empty if none. Then it is at another seed.
  std::string Hear(Totals* totals) {
    Line line;
    std::string violation;
    if (ReadAll(fd_, &line, sizeof line)) {
      violation.resize(line.violation_size);
      if (!ReadAll(fd_, violation.data(), violation.size())) violation = "the worker has ended";
      totals->counts += line.counts;
      next_ += many_.processes;
      if (done()) End();
      return violation;
    }
    violation = End();
    next_ += many_.processes;
    if (!done()) Begin();
    return violation;
  }

 private:
  void Begin() {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    process_ = fork();
    if (process_ < 0) std::abort();
    if (process_ == 0) {
      close(ends[0]);
      Work(ends[1]);
      _exit(0);
    }
    close(ends[1]);
    fd_ = ends[0];
  }

  void Work(int out) {
    for (size_t i = next_; i < many_.seeds.size(); i += many_.processes) {
      alarm(kLongestSeed);
      const RunResult result =
          Simulate({.seed = many_.seeds[i], .guards = many_.guards, .trace = false});
      const Line line{result.violation.size(), result.counts};
      if (!WriteAll(out, &line, sizeof line)) return;
      if (!WriteAll(out, result.violation.data(), result.violation.size())) return;
    }
  }

  // Why it ended before it had said all.
  std::string End() {
    if (fd_ < 0) return "";
    close(fd_);
    fd_ = -1;
    // It may be in the midst of a seed that nobody wants to know of any more.
    if (!done()) kill(process_, SIGTERM);
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFSIGNALED(status)) return "I8: the process ended, " + std::to_string(status);
    if (WTERMSIG(status) == SIGALRM) {
      return "I8: it did not end within " + std::to_string(kLongestSeed) + " s of real time";
    }
    return std::string("I8: the process crashed: ") + strsignal(WTERMSIG(status));
  }

  const ManySeeds& many_;
  size_t next_;
  pid_t process_ = -1;
  int fd_ = -1;
};

}  // namespace

Totals RunSeeds(const ManySeeds& many,
                const std::function<void(uint64_t seed, const std::string& violation)>& failed) {
  Totals totals;
  std::vector<std::unique_ptr<Worker>> workers;
  for (size_t i = 0; i < std::min(many.processes, many.seeds.size()); ++i) {
    workers.push_back(std::make_unique<Worker>(&many, i));
  }
  while (!workers.empty() && !(many.stop_at_first && totals.failed > 0)) {
    std::vector<pollfd> fds;
    for (const auto& worker : workers) fds.push_back({worker->fd(), POLLIN, 0});
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) std::abort();
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      const uint64_t seed = workers[i]->seed();
      const std::string violation = workers[i]->Hear(&totals);
      ++(violation.empty() ? totals.passed : totals.failed);
      if (!violation.empty()) failed(seed, violation);
    }
    std::erase_if(workers, [](const auto& worker) { return worker->done(); });
  }
  return totals;
}

std::vector<uint64_t> ReadKeptSeeds(const std::string& path) {
  std::vector<uint64_t> seeds;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    uint64_t seed = 0;
    if (words >> seed) seeds.push_back(seed);
  }
  return seeds;
}

std::vector<std::string> NeverHappened(const EventCounts& counts, uint64_t seeds) {
  std::vector<std::string> never;
  for (size_t kind = 0; kind < kEventKinds; ++kind) {
    const bool certain = seeds >= SeedsUntil(static_cast<Event>(kind));
    if (certain && counts[kind] == 0) never.emplace_back(kEventNames[kind]);
  }
  return never;
}

}  // namespace kvstore::simulation
