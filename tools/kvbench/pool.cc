#include "tools/kvbench/pool.h"

#include <poll.h>
#include <signal.h>

#include <array>
#include <optional>
#include <utility>

namespace kvstore::bench {
namespace {

using demo::Child;

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr const char* kReady = " ready on ";

// Until the process has said something, or has ended, or a little while.
void Listen(Child* child) {
  std::array<pollfd, 2> waiting{pollfd{.fd = child->output_fd(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = child->error_fd(), .events = POLLIN, .revents = 0}};
  poll(waiting.data(), waiting.size(), 100);
  child->ReadPipes();
}

}  // namespace

Result<std::string> AwaitLine(Child* child, const std::string& text) {
  const TimePoint until = BootClock::now() + kPatience;
  while (true) {
    child->ReadPipes();
    if (const std::optional<std::string> line = child->FindLine(text)) return *line;
    if (const std::optional<int> exit = child->TakeExit()) {
      child->ReadPipes();
      return UnavailableError(child->name() + " has ended with status " + std::to_string(*exit) +
                              "; its last words:\n" + child->ErrorTail());
    }
    if (BootClock::now() >= until) {
      return DeadlineExceededError(child->name() + " has not said '" + text +
                                   "' in time; it said:\n" + child->ErrorTail());
    }
    Listen(child);
  }
}

void AwaitExit(Child* child, Duration time) {
  const TimePoint until = BootClock::now() + time;
  while (!child->TakeExit() && BootClock::now() < until) Listen(child);
}

Result<std::unique_ptr<Pool>> Pool::Start(const PoolOptions& options) {
  std::unique_ptr<Pool> pool(new Pool(options));
  KVSTORE_RETURN_IF_ERROR(pool->StartMaster("0"));
  KVSTORE_ASSIGN_OR_RETURN(const std::string line, AwaitLine(pool->master_.get(), kReady));
  const size_t at = line.find(kReady) + std::string(kReady).size();
  pool->address_ = line.substr(at, line.find_first_of(", \n", at) - at);
  if (options.lend_bytes == 0) return pool;
  KVSTORE_ASSIGN_OR_RETURN(
      pool->node_,
      Child::Start("the node",
                   {options.programs + "/kvstore_node", "--master=" + pool->address_,
                    "--lend=" + std::to_string(options.lend_bytes), "--ways=" + options.ways}));
  KVSTORE_RETURN_IF_ERROR(AwaitLine(pool->node_.get(), " ready").status());
  return pool;
}

Status Pool::StartMaster(const std::string& port) {
  const std::string file = options_.state_file.empty() ? "none" : options_.state_file;
  KVSTORE_ASSIGN_OR_RETURN(
      master_, Child::Start("the master",
                            {options_.programs + "/kvstore_master", "--port=" + port,
                             "--metrics_port=0", "--state_file=" + file, "--log_level=error"}));
  return Status::Ok();
}

Status Pool::ReplaceMaster() {
  master_->Signal(SIGKILL);
  master_.reset();
  return StartMaster(address_.substr(address_.rfind(':') + 1));
}

Result<std::unique_ptr<Client>> Pool::Connect(ClientOptions options) const {
  options.master = address_;
  return Client::Connect(options);
}

}  // namespace kvstore::bench
