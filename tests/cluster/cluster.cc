#include "cluster/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kvstore::cluster {
namespace {

constexpr Duration kStartTimeout = std::chrono::seconds(30);

// The first word after `text`, without a trailing comma.
std::string WordAfter(const std::string& line, const std::string& text) {
  const size_t at = line.find(text);
  if (at == std::string::npos) return "";
  const size_t begin = at + text.size();
  return line.substr(begin, line.find_first_of(", \n", begin) - begin);
}

#ifdef __SANITIZE_THREAD__
constexpr int kSlowdown = 4;
#else
constexpr int kSlowdown = 1;
#endif

}  // namespace

std::string SuspectAfter(int ms) { return "--suspect_after_ms=" + std::to_string(kSlowdown * ms); }

MasterProcess::MasterProcess(const std::vector<std::string>& flags,
                             const std::vector<std::string>& within) {
  std::vector<std::string> arguments = within;
  arguments.insert(arguments.end(), {KVSTORE_MASTER_PATH, "--port=0", "--metrics_port=0"});
  // Only tests of a master that follows another need that it is silent at first.
  const bool told = std::any_of(flags.begin(), flags.end(), [](const std::string& flag) {
    return flag.starts_with("--quiet_start_ms=");
  });
  if (!told) arguments.push_back("--quiet_start_ms=0");
  // The last one counts.
  arguments.insert(arguments.end(), {"--state_file=none", "--suspect_after_ms=10000"});
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  process_ = std::make_unique<ChildProcess>(arguments);
  const auto line = process_->WaitForLine(" ready on ", kStartTimeout);
  if (!line) {
    ADD_FAILURE() << "kvstore_master did not start: " << process_->output();
    return;
  }
  address_ = WordAfter(*line, " ready on ");
  metrics_address_ = WordAfter(*line, "metrics on ");
}

std::string MasterProcess::Metric(const std::string& name) const {
  const size_t colon = metrics_address_.rfind(':');  // http://127.0.0.1:PORT/metrics
  const std::string port =
      metrics_address_.substr(colon + 1, metrics_address_.rfind('/') - colon - 1);
  ChildProcess bash({"/bin/bash", "-c",
                     "exec 3<>/dev/tcp/127.0.0.1/" + port +
                         " && printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && grep '^" + name +
                         "' <&3"});
  EXPECT_TRUE(bash.WaitForExit(kStartTimeout).has_value());
  return bash.output();
}

NodeProcess::NodeProcess(const MasterProcess& master, const std::string& name,
                         const std::string& lend, const std::vector<std::string>& flags)
    : NodeProcess(master.address(), name, lend, flags) {}

NodeProcess::NodeProcess(const std::string& master, const std::string& name,
                         const std::string& lend, const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {KVSTORE_NODE_PATH, "--master=" + master, "--name=" + name,
                                        "--lend=" + lend};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  process_ = std::make_unique<ChildProcess>(arguments);
  running_ = process_->WaitForLine(" ready", kStartTimeout).has_value();
  if (!running_) ADD_FAILURE() << "kvstore_node did not start: " << process_->output();
}

std::unique_ptr<Client> Join(const MasterProcess& master, uint64_t lend_bytes,
                             const std::string& name) {
  ClientOptions options;
  options.master = master.address();
  options.name = name;
  options.lend_bytes = lend_bytes;
  Result<std::unique_ptr<Client>> client = Client::Connect(options);
  if (!client.ok()) {
    ADD_FAILURE() << "can't join: " << client.status();
    return nullptr;
  }
  return *std::move(client);
}

}  // namespace kvstore::cluster
