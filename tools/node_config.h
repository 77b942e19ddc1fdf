#ifndef KVSTORE_TOOLS_NODE_CONFIG_H_
#define KVSTORE_TOOLS_NODE_CONFIG_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"

namespace kvstore {

// What kvstore_node can be told, each under the same name as a flag and in the YAML file.
struct NodeConfig {
  std::string master;
  std::string name;  // empty: "<hostname>-<pid>"
  uint64_t lend_bytes = 0;
  std::string listen;
  std::string advertise;
  bool insecure_allow_remote = false;
  std::vector<transfer::Way> ways;        // by which peers may reach the lent memory; empty: all
  std::vector<std::string> rdma_devices;  // empty: all
  int rdma_gid_index = -1;                // -1: chosen automatically
  Duration connect_timeout{};
  bool wait = false;
  int log_level = 0;  // glog's: 0 info, 1 warning, 2 error
};

// What a command line asks for.
struct NodeCommand {
  enum class What : uint8_t { kRun, kPrint };
  What what = What::kRun;
  NodeConfig config;  // kRun
  std::string text;   // kPrint: a help text, the version, or the settings in force as YAML
};

// `words`: the command line without the program's name. A flag goes before the file that --config
// names, the file before the default. invalid_argument: one line that names the flag or the key,
// and for an unknown one the nearest that is known.
Result<NodeCommand> ReadNodeCommand(std::span<const char* const> words);

}  // namespace kvstore

#endif  // KVSTORE_TOOLS_NODE_CONFIG_H_
