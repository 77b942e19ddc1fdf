// Lends memory to a pool, and does nothing else: a client of which nobody asks anything.

#include <glog/logging.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <future>
#include <iostream>
#include <thread>
#include <utility>

#include "kvstore/client.h"
#include "text/key_text.h"
#include "tools/node_config.h"
#include "tools/text/units.h"

namespace kvstore {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitBadFlag = 2;
constexpr uint64_t kFewBytes = 1 << 20;

// After the first signal; a client leaves its pool in 5 s.
constexpr Duration kLeaveTime = std::chrono::seconds(8);
// Signals within this time of the first mean the same: timeout(1) sends two at once.
constexpr Duration kSameSignal = std::chrono::milliseconds(500);
// How often it looks whether the master has had it drained.
constexpr Duration kLook = std::chrono::milliseconds(250);

// Turns SIGTERM, SIGINT and SIGHUP into a word to the main thread. Made before any other thread,
// since those inherit that they don't take these signals.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    struct sigaction hangup {};  // nohup has it ignored, and it stays so
    sigaction(SIGHUP, nullptr, &hangup);
    if (hangup.sa_handler != SIG_IGN) sigaddset(&set_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGXFSZ, SIG_IGN);  // a log at its limit (ulimit -f) is no reason to end
    std::thread([this] { Watch(); }).detach();
  }

  // Until then there is nothing to be left behind, and a signal ends the process at once.
  void HoldForCleanUp() { joined_ = true; }
  // Whether the first has come, now or within the time.
  bool AwaitFirst(Duration time) { return came_.wait_for(time) == std::future_status::ready; }

 private:
  void Watch() {
    int signal = 0;
    sigwait(&set_, &signal);
    if (!joined_) _exit(0);
    first_.set_value();
    const TimePoint first = BootClock::now();
    bool second = false;
    do {
      second = WaitUntil(first + kLeaveTime);
    } while (second && BootClock::now() - first < kSameSignal);
    std::cerr << "kvstore_node: " << (second ? "a second signal" : "out of time")
              << " while leaving the pool; the master will find this node missing" << std::endl;
    _exit(kExitFailed);
  }

  // Whether a signal came before then.
  bool WaitUntil(TimePoint end) {
    constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
    while (true) {
      const int64_t left = std::max((end - BootClock::now()).count(), Duration::rep{0});
      const timespec patience{left / kNanosecondsPerSecond, left % kNanosecondsPerSecond};
      if (sigtimedwait(&set_, nullptr, &patience) > 0) return true;
      if (errno != EINTR || left == 0) return false;  // a debugger's stop interrupts it as well
    }
  }

  sigset_t set_;
  std::atomic<bool> joined_{false};
  std::promise<void> first_;
  const std::future<void> came_ = first_.get_future();
};

ClientOptions OptionsFor(const NodeConfig& config) {
  ClientOptions options;
  options.master = config.master;
  options.name = config.name;
  options.lend_bytes = config.lend_bytes;
  options.listen = config.listen;
  options.advertise = config.advertise;
  options.allow_remote = config.insecure_allow_remote;
  options.ways = config.ways;
  options.rdma_devices = config.rdma_devices;
  options.rdma_gid_index = config.rdma_gid_index;
  options.connect_timeout = config.connect_timeout;
  return options;
}

// With --wait: for as long as there is no master, telling so now and then.
Result<std::unique_ptr<Client>> Join(const NodeConfig& config) {
  const ClientOptions options = OptionsFor(config);
  const TimePoint began = BootClock::now();
  while (true) {
    Result<std::unique_ptr<Client>> client = Client::Connect(options);
    if (client.ok() || !config.wait || client.status().code() != StatusCode::kUnavailable) {
      return client;
    }
    std::cerr << "kvstore_node: still waiting after "
              << text::FormatDuration(BootClock::now() - began) << ": " << client.status().message()
              << std::endl;
  }
}

// "lends 1.0 GiB to the pool of HOST:PORT, ...": what an operator looks at first.
std::string DescribeLending(const Lending& lending, const NodeConfig& config) {
  std::string all =
      "lends " + text::FormatBytes(lending.bytes) + " to the pool of " + config.master;
  if (lending.bytes == 0) return all;
  const std::string& address = lending.reach.tcp;
  all += lending.huge_pages ? ", huge pages" : ", ordinary pages";
  all += address.empty() ? ", not reached by TCP" : ", reached at " + address;
  for (size_t i = 0; i < lending.reach.rdma_devices.size(); ++i) {
    all += (i == 0 ? ", RDMA over " : " and ") + lending.reach.rdma_devices[i];
  }
  const Status& shm = lending.reach.shm;
  return all + ", shared memory " + (shm.ok() ? "on" : "off (" + shm.message() + ")");
}

int Run(const NodeConfig& config) {
  // The options are named as the flags are.
  if (const Status sound = CheckOptions(OptionsFor(config)); !sound.ok()) {
    std::cerr << "kvstore_node: --" << sound.message() << std::endl;
    return kExitBadFlag;
  }
  auto* const signals = new Signals;  // its thread lives as long as the process
  if (config.insecure_allow_remote) {
    LOG(WARNING) << "--insecure_allow_remote: whoever reaches " << config.listen
                 << " can read and write the lent memory";
  }
  if (config.lend_bytes < kFewBytes) {
    LOG(WARNING) << "--lend is " << text::FormatBytes(config.lend_bytes)
                 << ", which holds hardly an object; was a unit forgotten (512MiB, 4GiB, 80%)?";
  }
  Result<std::unique_ptr<Client>> client = Join(config);
  if (!client.ok()) {
    std::cerr << "kvstore_node: " << client.status().message() << std::endl;
    return client.status().code() == StatusCode::kInvalidArgument ? kExitBadFlag : kExitFailed;
  }
  signals->HoldForCleanUp();
  std::cout << "kvstore_node '" << text::Escape((*client)->name())
            << "' ready: " << DescribeLending((*client)->lending(), config) << ", incarnation "
            << (*client)->incarnation().ToString() << std::endl;
  while (!signals->AwaitFirst(kLook)) {
    if (!(*client)->lending().drained) continue;
    std::cout << "kvstore_node '" << text::Escape((*client)->name())
              << "' was drained: it holds nothing any more and leaves the pool" << std::endl;
    break;
  }
  client->reset();
  return 0;
}

}  // namespace
}  // namespace kvstore

int main(int argc, char** argv) {
  using kvstore::NodeCommand;
  const kvstore::Result<NodeCommand> command =
      kvstore::ReadNodeCommand(std::span<const char* const>(argv + 1, argc > 0 ? argc - 1 : 0));
  if (!command.ok()) {
    std::cerr << "kvstore_node: " << command.status().message() << std::endl;
    return kvstore::kExitBadFlag;
  }
  if (command->what == NodeCommand::What::kPrint) {
    std::cout << command->text << std::flush;
    return 0;
  }
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = command->config.log_level;
  google::InitGoogleLogging(argv[0]);
  return kvstore::Run(command->config);
}
