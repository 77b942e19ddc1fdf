#ifndef KVSTORE_SRC_MASTER_CONFIG_H_
#define KVSTORE_SRC_MASTER_CONFIG_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "master/limits.h"
#include "proto/verbs.h"

namespace kvstore::master {

// Everything that an operator can set. config.cc names each setting once, for the command line, the
// file, --help and --print_config alike.
struct Config {
  std::string listen = "127.0.0.1";  // an address of this machine, IPv4 or IPv6
  uint16_t port = 50051;             // 0: any
  uint16_t metrics_port = 9003;      // 0: no HTTP
  bool insecure_allow_remote = false;
  uint32_t max_threads = 64;
  Duration hello_timeout = std::chrono::seconds(5);
  Duration shutdown_timeout = std::chrono::seconds(5);
  std::string state_file = "auto";  // auto: see StatePath; none: the pool ends with its master
  std::string log_level = "info";   // info, warning, error
  std::string log_format = "text";  // text, json
  bool log_objects = false;
  Limits limits;
};

// What a command line asks for.
struct Launch {
  enum class Action : uint8_t { kRun, kHelp, kVersion, kPrintConfig };
  Action action = Action::kRun;
  Config config;
};

// Settings from the defaults, then the file that --config names, then the command line (without the
// program's name). invalid_argument: one line that names the setting, its value, and what is
// allowed, or the known name nearest to an unknown one.
Result<Launch> ReadCommandLine(std::span<const std::string_view> arguments);

// The settings of a YAML file, over those of `config`. `name` stands in the messages.
Status ReadYaml(const std::string& text, std::string_view name, Config* config);

// What single settings can't show: bounds between them, and where listening needs permission.
Status Check(const Config& config);

// Where the pool is kept; empty: nowhere. "auto" is kvstore/master-PORT.state in XDG_STATE_HOME or
// else ~/.local/state; with port 0, under which nobody finds the pool again, nowhere.
// invalid_argument: the environment names no such folder.
Result<std::string> StatePath(const Config& config);

bool IsLoopback(std::string_view address);

// All settings as a file that ReadYaml takes, each with its explanation.
std::string ToYaml(const Config& config);

std::string HelpText();

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_CONFIG_H_
