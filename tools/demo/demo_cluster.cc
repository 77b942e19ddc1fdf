#include "tools/demo/demo_cluster.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace kvstore::demo {
namespace {

constexpr Duration kTimeToEnd = std::chrono::seconds(5);  // of each process
constexpr const char* kReady = " ready on ";

int CatchSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t caught;
  sigemptyset(&caught);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&caught, signal);
  sigprocmask(SIG_BLOCK, &caught, nullptr);
  return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

std::string WordAfter(const std::string& line, const std::string& text) {
  const size_t begin = line.find(text) + text.size();
  return line.substr(begin, line.find_first_of(", \n", begin) - begin);
}

}  // namespace

DemoCluster::DemoCluster() : signals_(CatchSignals()) {}

DemoCluster::~DemoCluster() {
  close(signals_);
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Status DemoCluster::MakeFolder() {
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string parent = runtime != nullptr && *runtime != 0 ? runtime : "/tmp";
  folder_ = parent + "/kvdemo-" + std::to_string(getpid());
  std::error_code error;
  std::filesystem::remove_all(folder_, error);  // of an earlier process with this number
  if (!std::filesystem::create_directory(folder_, error)) {
    const std::string reason = error ? error.message() : "it is there already";
    const std::string name = std::exchange(folder_, {});
    return UnavailableError("can't make the folder " + name + ": " + reason);
  }
  return Status::Ok();
}

Status DemoCluster::TellProcesses() const {
  const std::string path = folder_ + "/processes";
  {
    std::ofstream file(path + ".new");
    for (const Child* child : All()) {
      file << child->name() << ' ' << child->pid() << ' ' << master_address_ << '\n';
    }
    if (!file.flush()) return UnavailableError("can't write " + path + ".new");
  }
  std::error_code error;
  std::filesystem::rename(path + ".new", path, error);
  return error ? UnavailableError("can't write " + path + ": " + error.message()) : Status::Ok();
}

Status DemoCluster::Start(const ClusterOptions& options, TimePoint until) {
  options_ = options;
  KVSTORE_RETURN_IF_ERROR(MakeFolder());
  KVSTORE_RETURN_IF_ERROR(StartMaster(until));
  for (size_t i = 1; i <= kDemoNodes; ++i) {
    KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Child> node, StartNode("node-" + std::to_string(i)));
    nodes_.push_back(std::move(node));
  }
  KVSTORE_ASSIGN_OR_RETURN(prefill_, StartWorker("prefill"));
  KVSTORE_ASSIGN_OR_RETURN(decode_, StartWorker("decode"));
  for (Child* child : All()) KVSTORE_RETURN_IF_ERROR(WaitForLine(child, "ready", until));
  prefill_->TakeLine();
  decode_->TakeLine();
  return TellProcesses();
}

Result<std::unique_ptr<Child>> DemoCluster::StartNode(const std::string& name) const {
  return Child::Start(
      name, {options_.programs + "/kvstore_node", "--master=" + master_address_, "--name=" + name,
             "--lend=" + options_.lend, "--ways=" + options_.ways});
}

Result<std::unique_ptr<Child>> DemoCluster::StartWorker(const std::string& role) const {
  return Child::Start(role, {options_.programs + "/replay_worker", "--master=" + master_address_,
                             "--role=" + role, "--trace=" + options_.trace,
                             "--block=" + options_.block, "--threads=" + options_.threads,
                             "--ways=" + options_.ways, "--replicas=" + options_.replicas});
}

bool DemoCluster::nodes_share_memory() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->FindLine("shared memory on").has_value();
  });
}

Status DemoCluster::ReplacePrefill(TimePoint until) {
  prefill_->Signal(SIGKILL);
  while (!prefill_->TakeExit()) {
    if (!PollOnce(until)) return CancelledError("interrupted");
    if (BootClock::now() >= until) return DeadlineExceededError("the prefill worker did not end");
  }
  KVSTORE_ASSIGN_OR_RETURN(prefill_, StartWorker("prefill"));
  KVSTORE_RETURN_IF_ERROR(WaitForLine(prefill_.get(), "ready", until));
  prefill_->TakeLine();
  return TellProcesses();
}

Status DemoCluster::ReplaceMaster(TimePoint until) {
  master_->Signal(SIGKILL);
  while (!master_->TakeExit()) {
    if (!PollOnce(until)) return CancelledError("interrupted");
    if (BootClock::now() >= until) return DeadlineExceededError("the master did not end");
  }
  KVSTORE_RETURN_IF_ERROR(StartMaster(until));
  return TellProcesses();
}

// On any port the first time, on the same one from then on.
Status DemoCluster::BeginMaster() {
  const std::string port =
      master_address_.empty() ? "0" : master_address_.substr(master_address_.rfind(':') + 1);
  KVSTORE_ASSIGN_OR_RETURN(
      master_,
      Child::Start("master", {options_.programs + "/kvstore_master", "--port=" + port,
                              "--metrics_port=0", "--state_file=" + folder_ + "/master.state"}));
  return Status::Ok();
}

Status DemoCluster::StartMaster(TimePoint until) {
  KVSTORE_RETURN_IF_ERROR(BeginMaster());
  KVSTORE_RETURN_IF_ERROR(WaitForLine(master_.get(), kReady, until));
  master_address_ = WordAfter(*master_->FindLine(kReady), kReady);
  return Status::Ok();
}

Result<bool> DemoCluster::StartAgain(const Child* ended) {
  if (!options_.supervise) return false;
  if (ended == master_.get()) {
    KVSTORE_RETURN_IF_ERROR(BeginMaster());
  } else {
    const auto node = std::find_if(nodes_.begin(), nodes_.end(),
                                   [ended](const auto& one) { return one.get() == ended; });
    if (node == nodes_.end()) return false;
    KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Child> started, StartNode(ended->name()));
    *node = std::move(started);
  }
  ++started_again_;
  KVSTORE_RETURN_IF_ERROR(TellProcesses());
  return true;
}

Status DemoCluster::WaitForLine(Child* child, const std::string& text, TimePoint until) {
  while (!child->FindLine(text)) {
    KVSTORE_RETURN_IF_ERROR(Watch(until));
    if (BootClock::now() >= until) {
      return DeadlineExceededError(child->name() + " was not ready in time; it said:\n" +
                                   child->ErrorTail());
    }
  }
  return Status::Ok();
}

std::vector<Child*> DemoCluster::All() const {
  std::vector<Child*> all;
  for (const auto& child : {&prefill_, &decode_}) {
    if (*child) all.push_back(child->get());
  }
  for (const auto& node : nodes_) all.push_back(node.get());
  if (master_) all.push_back(master_.get());
  return all;
}

bool DemoCluster::PollOnce(TimePoint until) {
  std::vector<pollfd> waiting = {{.fd = signals_, .events = POLLIN, .revents = 0}};
  for (Child* child : All()) {
    // A negative descriptor is skipped by poll.
    waiting.push_back({.fd = child->output_fd(), .events = POLLIN, .revents = 0});
    waiting.push_back({.fd = child->error_fd(), .events = POLLIN, .revents = 0});
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - BootClock::now()).count();
  poll(waiting.data(), waiting.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
  for (Child* child : All()) child->ReadPipes();
  bool told_to_stop = false;
  signalfd_siginfo info{};
  while (read(signals_, &info, sizeof(info)) == sizeof(info)) {
    told_to_stop = told_to_stop || info.ssi_signo != SIGCHLD;
  }
  return !told_to_stop;
}

Status DemoCluster::Watch(TimePoint until) {
  if (!PollOnce(until)) return CancelledError("interrupted");
  for (Child* child : All()) {
    const std::optional<int> exit = child->TakeExit();
    const bool is_worker = child == prefill_.get() || child == decode_.get();
    if (!exit || (may_end_ && is_worker && *exit == 0)) continue;
    KVSTORE_ASSIGN_OR_RETURN(const bool again, StartAgain(child));
    if (again) continue;
    child->ReadPipes();
    return UnavailableError(child->name() + " (process " + std::to_string(child->pid()) +
                            ") has ended with status " + std::to_string(*exit) +
                            "; its last words:\n" + child->ErrorTail());
  }
  return Status::Ok();
}

void DemoCluster::CloseInputs() {
  may_end_ = true;
  prefill_->CloseInput();
  decode_->CloseInput();
}

void DemoCluster::WaitForExit(Child* child, TimePoint until) {
  while (!in_a_hurry_ && !child->TakeExit() && BootClock::now() < until) {
    in_a_hurry_ = !PollOnce(until);
  }
}

size_t DemoCluster::Stop() {
  const std::vector<Child*> all = All();
  const auto end_together = [&](const std::vector<Child*>& children) {
    for (Child* child : children) child->Signal(SIGTERM);
    const TimePoint until = BootClock::now() + kTimeToEnd;
    for (Child* child : children) WaitForExit(child, until);
  };
  std::vector<Child*> workers, nodes;
  for (const auto& worker : {&prefill_, &decode_}) {
    if (*worker) workers.push_back(worker->get());
  }
  for (const auto& node : nodes_) nodes.push_back(node.get());
  end_together(workers);
  end_together(nodes);
  if (master_) end_together({master_.get()});
  prefill_.reset();
  decode_.reset();
  nodes_.clear();
  master_.reset();
  return all.size();
}

}  // namespace kvstore::demo
