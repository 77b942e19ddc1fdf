#include "tools/kvbench/soak.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <utility>
#include <vector>

#include "kvstore/result.h"
#include "tools/demo/child.h"
#include "tools/text/units.h"

namespace kvstore::bench {
namespace {

using demo::Child;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kTimeToStart = seconds(60);
constexpr Duration kTimeToEnd = seconds(60);
constexpr Duration kProgress = seconds(5);
// Of each of two nodes: half of what all soakers' keys would take, in whole granules.
constexpr const char* kLend = "1536KiB";
constexpr uint32_t kKeys = 256;  // of each soaker
constexpr const char* kReady = " ready on ";

struct Role {
  const char* ways;
  bool slow;
};
constexpr Role kSoakers[] = {{"shm", false}, {"tcp", false}, {"shm", true}, {"tcp", true}};

using Counts = std::map<std::string, uint64_t>;

class Soak {
 public:
  explicit Soak(const SoakOptions& options) : options_(options) {}

  // Errors: a process could not be started or has ended, or time was not enough to begin or to end.
  Status Run();
  bool Report() const;  // true: all is as it should be

 private:
  struct Soaker {
    std::unique_ptr<Child> process;
    uint64_t right = 0;
    bool wrong = false;
    Counts counts;
  };

  Status Start();
  Status Disturb();
  Status End();
  // Reads what all have said; waits for it until then.
  void Listen(TimePoint until);
  void TakeLines(Soaker* soaker);
  Status AwaitLine(const Child& child, const std::string& text);
  Status CheckAllRun();
  std::vector<Child*> All();
  uint64_t Right() const;
  uint64_t Wrong() const;
  uint64_t Sum(const std::string& name, const std::string& ways = "") const;

  const SoakOptions options_;
  const TimePoint began_ = BootClock::now();
  std::unique_ptr<Child> master_;
  std::vector<std::unique_ptr<Child>> nodes_;
  std::vector<Soaker> soakers_;
  uint64_t pauses_ = 0;
  Duration took_{};
};

std::vector<Child*> Soak::All() {
  std::vector<Child*> all;
  if (master_) all.push_back(master_.get());
  for (const auto& node : nodes_) all.push_back(node.get());
  for (const Soaker& soaker : soakers_) all.push_back(soaker.process.get());
  return all;
}

void Soak::TakeLines(Soaker* soaker) {
  while (const std::optional<std::string> line = soaker->process->TakeLine()) {
    std::istringstream words(*line);
    std::string word;
    words >> word;
    if (word == "right") words >> soaker->right;
    if (word == "WRONG:") {
      soaker->wrong = true;
      std::printf("%s: %s\n", soaker->process->name().c_str(), line->c_str());
    }
    if (word != "counts") continue;
    while (words >> word) {
      const size_t equals = word.find('=');
      soaker->counts[word.substr(0, equals)] = std::stoull(word.substr(equals + 1));
    }
  }
}

void Soak::Listen(TimePoint until) {
  std::vector<pollfd> waiting;
  for (const Child* child : All()) {
    // A negative descriptor is skipped by poll.
    waiting.push_back({.fd = child->output_fd(), .events = POLLIN, .revents = 0});
    waiting.push_back({.fd = child->error_fd(), .events = POLLIN, .revents = 0});
  }
  const auto left = std::chrono::duration_cast<milliseconds>(until - BootClock::now()).count();
  poll(waiting.data(), waiting.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 1000)));
  for (Child* child : All()) child->ReadPipes();
}

Status Soak::AwaitLine(const Child& child, const std::string& text) {
  while (!child.FindLine(text)) {
    KVSTORE_RETURN_IF_ERROR(CheckAllRun());
    if (BootClock::now() > began_ + kTimeToStart) {
      return DeadlineExceededError(child.name() + " did not start in time; it said:\n" +
                                   child.ErrorTail());
    }
    Listen(BootClock::now() + seconds(1));
  }
  return Status::Ok();
}

Status Soak::CheckAllRun() {
  for (Child* child : All()) {
    const std::optional<int> exit = child->TakeExit();
    if (!exit) continue;
    child->ReadPipes();
    return UnavailableError(child->name() + " has ended with status " + std::to_string(*exit) +
                            "; its last words:\n" + child->ErrorTail());
  }
  return Status::Ok();
}

Status Soak::Start() {
  const std::string& folder = options_.programs;
  KVSTORE_ASSIGN_OR_RETURN(
      master_, Child::Start("master", {folder + "/kvstore_master", "--port=0", "--metrics_port=0",
                                       "--lease_ms=300", "--free_share_wanted=0",
                                       "--heartbeat_ms=100", "--suspect_after_ms=400",
                                       "--gone_after_ms=1500", "--abort_writer_after_ms=100"}));
  KVSTORE_RETURN_IF_ERROR(AwaitLine(*master_, kReady));
  const std::string line = *master_->FindLine(kReady);
  const size_t at = line.find(kReady) + std::string(kReady).size();
  const std::string address = line.substr(at, line.find_first_of(", \n", at) - at);
  for (const char* const name : {"node-1", "node-2"}) {
    KVSTORE_ASSIGN_OR_RETURN(
        std::unique_ptr<Child> node,
        Child::Start(name, {folder + "/kvstore_node", "--master=" + address,
                            std::string("--name=") + name, std::string("--lend=") + kLend}));
    nodes_.push_back(std::move(node));
    KVSTORE_RETURN_IF_ERROR(AwaitLine(*nodes_.back(), " ready"));
  }
  for (const Role& role : kSoakers) {
    const std::string who = std::to_string(soakers_.size());
    KVSTORE_ASSIGN_OR_RETURN(
        std::unique_ptr<Child> process,
        Child::Start("soaker " + who,
                     {folder + "/kvbench", "soaker", "--master=" + address, "--who=" + who,
                      "--soakers=" + std::to_string(std::size(kSoakers)),
                      "--keys=" + std::to_string(kKeys), "--least=256", "--most=8k", "--batch=64",
                      std::string("--ways=") + role.ways, role.slow ? "--slow" : "--life=0"}));
    soakers_.emplace_back().process = std::move(process);
  }
  for (const Soaker& soaker : soakers_) {
    KVSTORE_RETURN_IF_ERROR(AwaitLine(*soaker.process, "soaking"));
  }
  return Status::Ok();
}

// Until time is over, or enough was read.
Status Soak::Disturb() {
  std::mt19937 random(1);
  const TimePoint began = BootClock::now();
  const TimePoint until = began + options_.time;
  TimePoint tell = began + kProgress;
  TimePoint change = began;
  Child* paused = nullptr;
  Status status;
  while (status.ok() && BootClock::now() < until &&
         (options_.reads == 0 || Right() < options_.reads)) {
    if (BootClock::now() >= change) {
      if (paused != nullptr) paused->Signal(SIGCONT);
      paused = paused != nullptr ? nullptr : soakers_[random() % soakers_.size()].process.get();
      if (paused != nullptr) paused->Signal(SIGSTOP);
      pauses_ += paused != nullptr ? 1 : 0;
      change = BootClock::now() + milliseconds(20 + random() % 300);
    }
    Listen(std::min(until, change));
    for (Soaker& soaker : soakers_) TakeLines(&soaker);
    status = CheckAllRun();
    if (BootClock::now() < tell) continue;
    std::printf("  %s: %lu reads, %lu of wrong bytes\n",
                text::FormatDuration(BootClock::now() - began).c_str(), Right(), Wrong());
    std::fflush(stdout);
    tell += kProgress;
  }
  if (paused != nullptr) paused->Signal(SIGCONT);
  took_ = BootClock::now() - began;
  return status;
}

Status Soak::End() {
  for (const Soaker& soaker : soakers_) soaker.process->CloseInput();
  const TimePoint until = BootClock::now() + kTimeToEnd;
  Status first;
  for (Soaker& soaker : soakers_) {
    const Child& process = *soaker.process;
    while (!soaker.process->TakeExit() && BootClock::now() < until) {
      Listen(std::min(until, BootClock::now() + milliseconds(100)));
    }
    soaker.process->ReadPipes();
    TakeLines(&soaker);
    const std::optional<int> exit = soaker.process->TakeExit();
    if (exit == 0 || !first.ok()) continue;
    const std::string how = exit ? "ended with status " + std::to_string(*exit) : "did not end";
    first =
        UnavailableError(process.name() + " " + how + "; its last words:\n" + process.ErrorTail());
  }
  return first;
}

Status Soak::Run() {
  KVSTORE_RETURN_IF_ERROR(Start());
  const Status disturbed = Disturb();
  const Status ended = End();
  return disturbed.ok() ? ended : disturbed;
}

uint64_t Soak::Right() const {
  uint64_t sum = 0;
  for (const Soaker& soaker : soakers_) sum += soaker.right;
  return sum;
}

uint64_t Soak::Wrong() const {
  return static_cast<uint64_t>(
      std::count_if(soakers_.begin(), soakers_.end(), [](const Soaker& s) { return s.wrong; }));
}

uint64_t Soak::Sum(const std::string& name, const std::string& ways) const {
  uint64_t sum = 0;
  for (size_t i = 0; i < soakers_.size(); ++i) {
    const auto found = soakers_[i].counts.find(name);
    if (found == soakers_[i].counts.end()) continue;
    if (ways.empty() || ways == kSoakers[i].ways) sum += found->second;
  }
  return sum;
}

bool Soak::Report() const {
  const uint64_t reads = Sum("right") + Sum("views") + Sum("parts");
  std::printf("verified reads      %lu in %s\n", reads, text::FormatDuration(took_).c_str());
  std::printf("  whole, by shm     %lu\n", Sum("right", "shm"));
  std::printf("  whole, by tcp     %lu\n", Sum("right", "tcp"));
  std::printf("  views, parts      %lu, %lu\n", Sum("views"), Sum("parts"));
  std::printf("put, made, removed  %lu, %lu, %lu\n", Sum("puts"), Sum("made"), Sum("removed"));
  std::printf("missed, failed      %lu, %lu\n", Sum("missed"), Sum("failed"));
  std::printf("pauses              %lu\n", pauses_);
  const std::pair<const char*, uint64_t> guards[] = {
      {"word, by the reader (shm)", Sum("refused", "shm")},
      {"word, by the holder (tcp)", Sum("refused", "tcp")},
      {"part of another put", Sum("parts_refused")},
  };
  bool all_refused = true;
  std::printf("reads refused by\n");
  for (const auto& [guard, refused] : guards) {
    std::printf("  %-26s%lu\n", guard, refused);
    all_refused = all_refused && refused > 0;
  }
  std::printf("wrong bytes         %lu\n", Wrong());
  if (!all_refused && Wrong() == 0)
    std::printf("a guard has refused nothing: the run shows little\n");
  const bool enough = reads >= options_.reads;
  if (!enough) std::printf("fewer reads than the %lu asked for\n", options_.reads);
  return all_refused && enough && Wrong() == 0;
}

}  // namespace

int RunSoak(const SoakOptions& options) {
  Soak soak(options);
  const Status ran = soak.Run();
  const bool good = soak.Report();
  if (!ran.ok()) std::fprintf(stderr, "kvbench: %s\n", ran.message().c_str());
  return good && ran.ok() ? 0 : 1;
}

}  // namespace kvstore::bench
