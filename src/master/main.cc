#include <glog/logging.h>
#include <google/protobuf/stubs/logging.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "master/config.h"
#include "master/json_log.h"
#include "master/server.h"

namespace kvstore::master {
namespace {

constexpr int kExitRuntime = 1;
constexpr int kExitUsage = 2;

int Fail(const Status& why, int code) {
  std::cerr << "kvstore_master: " << why.message() << std::endl;
  return code;
}

// Blocked before any thread begins, so that only the waits of Run get them.
sigset_t BlockSignals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  // Blocked, it would come through even where nohup has it ignored.
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaddset(&ends, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file at its limit (ulimit -f) is one that can't be written
  return ends;
}

// The signal that came before `until`; 0: none did.
int AwaitSignal(const sigset_t& ends, TimePoint until) {
  for (;;) {
    const Duration left = until - BootClock::now();
    if (left <= Duration::zero()) return 0;
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec wait{static_cast<time_t>(whole.count()),
                        static_cast<long>(std::chrono::nanoseconds(left - whole).count())};
    const int signal = sigtimedwait(&ends, nullptr, &wait);
    if (signal > 0) return signal;  // else it is time, or a handler of another signal ran
  }
}

void BeginLogging(const Config& config, const char* program) {
  if (config.log_format == "json") {
    JsonLog::Begin();
  } else {
    FLAGS_logtostderr = true;
  }
  FLAGS_minloglevel = config.log_level == "info"      ? google::GLOG_INFO
                      : config.log_level == "warning" ? google::GLOG_WARNING
                                                      : google::GLOG_ERROR;
  google::InitGoogleLogging(program);
  // Its parser writes a line for each string that is not UTF-8; the sender is told by gRPC.
  google::protobuf::SetLogHandler(nullptr);
}

// "state in FILE, 2 members to report".
std::string StateText(const Server& server) {
  if (server.state_file().empty()) return "state kept nowhere";
  return "state in " + server.state_file() + ", " + std::to_string(server.members()) +
         " members to report";
}

// Each of malloc's arenas keeps what large messages left behind: as many as there are processors
// do, not eight times as many.
void BoundMalloc() {
  mallopt(M_ARENA_MAX, static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2u, 64u)));
}

int Run(const Config& config, const char* program) {
  BoundMalloc();
  const TimePoint answers_from = BootClock::now() + config.limits.quiet_start;
  const sigset_t ends = BlockSignals();
  BeginLogging(config, program);
  if (!IsLoopback(config.listen)) {
    LOG(WARNING) << "listening on " << config.listen
                 << " without credentials: whoever reaches it can read, replace and remove "
                    "everything";
  }
  Result<std::unique_ptr<Server>> server = Server::Prepare(config);
  if (!server.ok()) return Fail(server.status(), kExitRuntime);
  // Where members are missing nothing is answered that the word of the one before could belie: see
  // kCertainAfterBeat.
  if ((*server)->members() == 0 && AwaitSignal(ends, answers_from) != 0) return 0;
  if (const Status served = (*server)->Serve(); !served.ok()) return Fail(served, kExitRuntime);
  const bool v6 = config.listen.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + config.listen + "]" : config.listen;
  std::cout << "kvstore_master " KVSTORE_VERSION " ready on " << host << ":" << (*server)->port()
            << ", pool " << (*server)->pool().ToString() << ", metrics "
            << ((*server)->metrics_port() == 0
                    ? std::string("off")
                    : "on http://" + host + ":" + std::to_string((*server)->metrics_port()) +
                          "/metrics")
            << ", term " << (*server)->term() << ", " << StateText(**server) << std::endl;
  int signal = 0;
  sigwait(&ends, &signal);
  LOG(INFO) << "signal " << signal << ": shutting down";
  // Should ending hang in spite of its deadline, the kernel ends it.
  alarm(2 + static_cast<unsigned>(
                std::chrono::duration_cast<std::chrono::seconds>(config.shutdown_timeout).count()));
  server->reset();
  return 0;
}

int Main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const Result<Launch> launch = ReadCommandLine(arguments);
  if (!launch.ok()) return Fail(launch.status(), kExitUsage);
  switch (launch->action) {
    case Launch::Action::kHelp:
      std::cout << HelpText();
      return 0;
    case Launch::Action::kVersion:
      std::cout << "kvstore_master " KVSTORE_VERSION "\n";
      return 0;
    case Launch::Action::kPrintConfig:
      std::cout << ToYaml(launch->config);
      return 0;
    case Launch::Action::kRun:
      return Run(launch->config, argv[0]);
  }
  return 0;
}

}  // namespace
}  // namespace kvstore::master

int main(int argc, char** argv) { return kvstore::master::Main(argc, argv); }
