#include "tools/node_config.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <numeric>
#include <string_view>
#include <vector>

#include "tools/text/command_line.h"
#include "tools/text/units.h"
#include "tools/text/ways.h"

namespace kvstore {
namespace {

// One thing to be told: an option, and what holds when nobody tells.
struct Setting {
  text::Option option;
  std::string_view otherwise;
};

constexpr Setting kSettings[] = {
    {{"master", "", "HOST:PORT", "the master whose pool to join"}, "127.0.0.1:50051"},
    {{"name", "", "NAME", "shown to operators (default <hostname>-<pid>)"}, ""},
    {{"lend", "", "SIZE", "memory to lend: 512MiB, 4GiB, or 80% of the machine's (default 1GiB)"},
     "1GiB"},
    {{"listen", "", "ADDRESS:PORT", "where peers reach this memory (default 127.0.0.1:0)"},
     "127.0.0.1:0"},
    {{"advertise", "", "ADDRESS[:PORT]", "what peers are told instead, where the two differ"}, ""},
    {{"insecure_allow_remote", "", "", "listen on more than loopback, without credentials"},
     "false"},
    {{"ways", "", "LIST",
      "how bytes may travel: some of local,shm,rdma,tcp (default all, rdma if devices are named)"},
     "all"},
    {{"rdma_devices", "", "LIST",
      "RDMA devices to use, by name with commas (default auto: with rdma in ways, all that are "
      "up)"},
     "auto"},
    {{"rdma_gid_index", "", "N",
      "which of a device's addresses (default auto: RoCE v2 of an IPv4 network)"},
     "auto"},
    {{"connect_timeout", "", "TIME", "give up when no master answers for so long (default 10s)"},
     "10s"},
    {{"wait", "", "", "don't give up: wait until there is a master"}, "false"},
    {{"log_level", "", "LEVEL", "info, warning or error (default info)"}, "info"},
};

constexpr text::Option kOtherOptions[] = {
    {"config", "", "FILE", "a YAML file with any of the above as keys; flags go before it"},
    {"print_config", "", "", "print the settings in force as YAML, and exit"},
    {"help", "h", "", "print this text, and exit"},
    {"version", "", "", "print the version, and exit"},
};

// Values as they were typed, by name.
using Values = std::map<std::string, std::string, std::less<>>;

std::vector<text::Option> AllOptions() {
  std::vector<text::Option> options;
  for (const Setting& setting : kSettings) options.push_back(setting.option);
  options.insert(options.end(), std::begin(kOtherOptions), std::end(kOtherOptions));
  return options;
}

bool IsSetting(std::string_view name) {
  return std::any_of(std::begin(kSettings), std::end(kSettings),
                     [&](const Setting& setting) { return setting.option.name == name; });
}

// How many letters must be changed, added or left out.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string Nearest(std::string_view name, std::span<const text::Option> options) {
  const auto nearest =
      std::min_element(options.begin(), options.end(), [&](const auto& a, const auto& b) {
        return Distance(name, a.name) < Distance(name, b.name);
      });
  return std::string(nearest->name);
}

// The flag's name in "--name=value" or "-name"; empty: not a flag.
std::string_view FlagName(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return "";
  word.remove_prefix(word[1] == '-' ? 2 : 1);
  return word.substr(0, word.find('='));
}

// An unknown flag, told with the nearest one.
Status CheckFlags(std::span<const char* const> words, std::span<const text::Option> options) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::string_view name = FlagName(word);
    if (name.empty()) {
      return InvalidArgumentError("'" + std::string(word) +
                                  "' is no flag, and this program takes nothing else; see --help");
    }
    const auto known = std::find_if(options.begin(), options.end(), [&](const auto& option) {
      return option.name == name || (!option.letter.empty() && option.letter == name);
    });
    if (known == options.end()) {
      return InvalidArgumentError("unknown flag --" + std::string(name) + "; did you mean --" +
                                  Nearest(name, options) + "?");
    }
    const bool value_follows =
        !known->value_name.empty() && word.find('=') == std::string_view::npos;
    if (value_follows) ++i;
  }
  return Status::Ok();
}

// Switches with a value ("--wait=false"), as the master's flags and the file have them, and the
// rest of the command line.
struct SwitchValues {
  Values values;
  std::vector<const char*> other_words;
};

SwitchValues TakeSwitchValues(std::span<const char* const> words) {
  SwitchValues taken;
  for (const char* const word : words) {
    const std::string_view text = word;
    const std::string_view name = FlagName(text);
    const bool is_switch =
        std::any_of(std::begin(kSettings), std::end(kSettings), [&](const Setting& setting) {
          return setting.option.name == name && setting.option.value_name.empty();
        });
    const size_t equals = text.find('=');
    if (is_switch && equals != std::string_view::npos) {
      taken.values[std::string(name)] = text.substr(equals + 1);
    } else {
      taken.other_words.push_back(word);
    }
  }
  return taken;
}

// The settings that a YAML file names.
Result<Values> ReadFile(const std::string& path) {
  if (!std::ifstream(path)) return InvalidArgumentError("can't read the file " + path);
  try {
    const YAML::Node root = YAML::LoadFile(path);
    if (root.IsNull()) return Values{};
    if (!root.IsMap()) return InvalidArgumentError(path + " must be a YAML map of settings");
    Values values;
    for (const auto& entry : root) {
      const std::string name = entry.first.as<std::string>();
      const std::string at = path + ":" + std::to_string(entry.first.Mark().line + 1) + ": ";
      if (!IsSetting(name)) {
        std::vector<text::Option> known;
        for (const Setting& setting : kSettings) known.push_back(setting.option);
        return InvalidArgumentError(at + "unknown key '" + name + "'; did you mean '" +
                                    Nearest(name, known) + "'?");
      }
      if (!entry.second.IsScalar()) {
        return InvalidArgumentError(at + "'" + name + "' must have a single value");
      }
      if (values.contains(name)) return InvalidArgumentError(at + "'" + name + "' stands twice");
      values[name] = entry.second.as<std::string>();
    }
    return values;
  } catch (const YAML::Exception& e) {
    return InvalidArgumentError(path + " is not YAML: " + e.what());
  }
}

uint64_t MachineMemory() {
  uint64_t bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t limit = 0;  // of the control group; "max" where there is none
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit) bytes = std::min(bytes, limit);
  return bytes;
}

Result<uint64_t> ParseLend(const std::string& text) {
  if (!text.ends_with('%')) return text::ParseBytes(text);
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t percent,
                           text::ParseNumber(text.substr(0, text.size() - 1), 1, 95));
  return MachineMemory() / 100 * percent;
}

Result<bool> ParseSwitch(const std::string& text) {
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  return InvalidArgumentError("'" + text + "' is neither true nor false");
}

Result<std::vector<std::string>> ParseDevices(const std::string& text) {
  std::vector<std::string> names;
  if (text == "auto") return names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

Result<int> ParseGidIndex(const std::string& text) {
  if (text == "auto") return -1;
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t index, text::ParseNumber(text, 0, 255));
  return static_cast<int>(index);
}

Result<int> ParseLogLevel(const std::string& text) {
  if (text == "info") return 0;
  if (text == "warning") return 1;
  if (text == "error") return 2;
  return InvalidArgumentError("'" + text + "' is none of info, warning, error");
}

// Reads one value into `to`; the error says whose it is.
template <typename T, typename Parse>
Status Take(const Values& values, std::string_view name, const Parse& parse, T* to) {
  Result<T> parsed = parse(values.find(name)->second);
  if (!parsed.ok()) {
    return InvalidArgumentError(std::string(name) + ": " + parsed.status().message());
  }
  *to = *std::move(parsed);
  return Status::Ok();
}

Result<NodeConfig> Interpret(const Values& values) {
  NodeConfig config;
  config.master = values.at("master");
  config.name = values.at("name");
  config.listen = values.at("listen");
  config.advertise = values.at("advertise");
  KVSTORE_RETURN_IF_ERROR(Take(values, "lend", ParseLend, &config.lend_bytes));
  KVSTORE_RETURN_IF_ERROR(
      Take(values, "insecure_allow_remote", ParseSwitch, &config.insecure_allow_remote));
  KVSTORE_RETURN_IF_ERROR(Take(values, "ways", text::ParseWays, &config.ways));
  KVSTORE_RETURN_IF_ERROR(Take(values, "rdma_devices", ParseDevices, &config.rdma_devices));
  KVSTORE_RETURN_IF_ERROR(Take(values, "rdma_gid_index", ParseGidIndex, &config.rdma_gid_index));
  KVSTORE_RETURN_IF_ERROR(
      Take(values, "connect_timeout", text::ParseDuration, &config.connect_timeout));
  KVSTORE_RETURN_IF_ERROR(Take(values, "wait", ParseSwitch, &config.wait));
  KVSTORE_RETURN_IF_ERROR(Take(values, "log_level", ParseLogLevel, &config.log_level));
  return config;
}

std::string AsYaml(const Values& values) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const Setting& setting : kSettings) {
    out << YAML::Key << std::string(setting.option.name) << YAML::Value
        << values.find(setting.option.name)->second;
  }
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

std::string HelpText() {
  return "NAME\n"
         "  kvstore_node - lend this machine's memory to a kvstore pool\n\n"
         "SYNOPSIS\n"
         "  kvstore_node [--master HOST:PORT] [--lend SIZE] [OPTIONS]\n\n"
         "DESCRIPTION\n"
         "  Joins the pool of a kvstore_master and lends it memory, in which clients of the pool\n"
         "  keep objects. It does nothing else. Prints one line when it is ready, and runs until\n"
         "  SIGTERM, SIGINT or SIGHUP; it then leaves the pool, and the objects in its memory are "
         "gone.\n"
         "  Processes of this machine and this user use the memory in place, all others by RDMA\n"
         "  where both ends have devices, else by TCP; the line says how it is reached, and where\n"
         "  it isn't shared, why. With RDMA devices all lent memory is locked from the start.\n"
         "  Pages are taken from the machine stretch by stretch, as the pool fills. When the\n"
         "  master is lost the node tries again until there is one; a master that knows nothing\n"
         "  of the pool before it gets the memory empty.\n\n"
         "OPTIONS\n" +
         text::DescribeOptions(AllOptions()) +
         "\n"
         "SECURITY\n"
         "  The data path has no credentials yet: who can connect to --listen can read and write\n"
         "  the lent memory. Other than loopback is refused without --insecure_allow_remote.\n"
         "  Processes of the same user here can too, unless --ways leaves out shm.\n\n"
         "EXIT STATUS\n"
         "  0  ended as told, or printed what was asked for\n"
         "  1  failed: no master, refused, or no memory; the reason is on standard error\n"
         "  2  a flag or the file is wrong; nothing was done\n\n"
         "EXAMPLES\n"
         "  kvstore_node --lend 4GiB\n"
         "  kvstore_node --master 10.0.0.5:50051 --lend 80% --listen 10.0.0.6:0 "
         "--insecure_allow_remote\n"
         "  kvstore_node --config /etc/kvstore/node.yaml --wait\n";
}

}  // namespace

Result<NodeCommand> ReadNodeCommand(std::span<const char* const> words) {
  using What = NodeCommand::What;
  const std::vector<text::Option> options = AllOptions();
  KVSTORE_RETURN_IF_ERROR(CheckFlags(words, options));
  const SwitchValues typed = TakeSwitchValues(words);
  KVSTORE_ASSIGN_OR_RETURN(const text::CommandLine line,
                           text::CommandLine::Parse(typed.other_words, options));
  if (line.Has("help")) return NodeCommand{What::kPrint, {}, HelpText()};
  if (line.Has("version"))
    return NodeCommand{What::kPrint, {}, "kvstore_node " KVSTORE_VERSION "\n"};

  Values values;
  if (line.Has("config")) {
    KVSTORE_ASSIGN_OR_RETURN(values, ReadFile(line.Get("config", "")));
  }
  for (const Setting& setting : kSettings) {
    const std::string name(setting.option.name);
    if (typed.values.contains(name)) {
      values[name] = typed.values.find(name)->second;
    } else if (line.Has(name)) {
      values[name] = setting.option.value_name.empty() ? "true" : line.Get(name, "");
    } else {
      values.emplace(name, setting.otherwise);
    }
  }
  KVSTORE_ASSIGN_OR_RETURN(NodeConfig config, Interpret(values));
  if (line.Has("print_config")) return NodeCommand{What::kPrint, {}, AsYaml(values)};
  return NodeCommand{What::kRun, std::move(config), ""};
}

}  // namespace kvstore
