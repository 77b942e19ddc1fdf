#include "master/config.h"

#include <arpa/inet.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

namespace kvstore::master {
namespace {

// One setting: its name on the command line and in the file, and how it is read and shown.
struct Setting {
  std::string name;
  std::string allowed;  // for messages and --help
  std::string help;
  bool boolean = false;
  std::function<bool(std::string_view text, Config*)> set;  // false: not allowed
  std::function<std::string(const Config&)> show;
};

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// `field(config)` is a reference to what is set.
template <typename Field>
Setting Number(std::string name, uint64_t least, uint64_t most, Field field, std::string help) {
  return {std::move(name),
          std::to_string(least) + " to " + std::to_string(most),
          std::move(help),
          false,
          [=](std::string_view text, Config* config) {
            const auto number = ParseNumber<uint64_t>(text);
            if (!number || *number < least || *number > most) return false;
            field(*config) = static_cast<std::decay_t<decltype(field(*config))>>(*number);
            return true;
          },
          [=](const Config& config) { return std::to_string(field(const_cast<Config&>(config))); }};
}

template <typename Field>
Setting Milliseconds(std::string name, int64_t least, int64_t most, Field field, std::string help) {
  using std::chrono::milliseconds;
  return {std::move(name),
          std::to_string(least) + " to " + std::to_string(most) + " milliseconds",
          std::move(help),
          false,
          [=](std::string_view text, Config* config) {
            const auto number = ParseNumber<int64_t>(text);
            if (!number || *number < least || *number > most) return false;
            field(*config) = milliseconds(*number);
            return true;
          },
          [=](const Config& config) {
            const Duration value = field(const_cast<Config&>(config));
            return std::to_string(std::chrono::duration_cast<milliseconds>(value).count());
          }};
}

template <typename Field>
Setting Share(std::string name, Field field, std::string help) {
  return {std::move(name),
          "0 to 1",
          std::move(help),
          false,
          [=](std::string_view text, Config* config) {
            const auto number = ParseNumber<double>(text);
            if (!number || !(*number >= 0 && *number <= 1)) return false;
            field(*config) = *number;
            return true;
          },
          [=](const Config& config) {
            std::ostringstream out;
            out << field(const_cast<Config&>(config));
            return out.str();
          }};
}

std::optional<bool> ParseBool(std::string_view text) {
  if (text == "true" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "no" || text == "0") return false;
  return std::nullopt;
}

// The address without the brackets that IPv6 often comes in; "localhost" is 127.0.0.1.
std::optional<std::string> ParseAddress(std::string_view text) {
  if (text == "localhost") return "127.0.0.1";
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  const std::string address(text);
  in6_addr any{};
  if (inet_pton(AF_INET, address.c_str(), &any) == 1) return address;
  if (inet_pton(AF_INET6, address.c_str(), &any) == 1) return address;
  return std::nullopt;
}

std::string Quoted(const std::string& text) { return '"' + text + '"'; }

std::vector<Setting> NetworkSettings() {
  return {
      {"listen", "an IPv4 or IPv6 address, or localhost",
       "Address to listen on, for gRPC and HTTP. Other than loopback needs "
       "--insecure_allow_remote.",
       false,
       [](std::string_view text, Config* config) {
         const auto address = ParseAddress(text);
         if (address) config->listen = *address;
         return address.has_value();
       },
       [](const Config& config) { return Quoted(config.listen); }},
      Number(
          "port", 0, 65535, [](Config & c) -> auto& { return c.port; },
          "TCP port for gRPC: nodes, clients and kvctl. 0: any free one; the ready line tells it."),
      Number(
          "metrics_port", 0, 65535, [](Config & c) -> auto& { return c.metrics_port; },
          "TCP port for HTTP: /metrics, /health and /api/v1/, all read only. 0: none."),
      {"insecure_allow_remote", "true or false",
       "Allow listening on more than loopback although there are no credentials yet: whoever "
       "reaches the port can read, replace and remove everything.",
       true,
       [](std::string_view text, Config* config) {
         const auto value = ParseBool(text);
         if (value) config->insecure_allow_remote = *value;
         return value.has_value();
       },
       [](const Config& config) { return config.insecure_allow_remote ? "true" : "false"; }},
      Number(
          "max_threads", 4, 4096, [](Config & c) -> auto& { return c.max_threads; },
          "Threads that gRPC may use at most."),
      Milliseconds(
          "hello_timeout_ms", 10, 600'000, [](Config & c) -> auto& { return c.hello_timeout; },
          "A stream that has not said hello after so long is ended."),
      Milliseconds(
          "quiet_start_ms", 0, 60'000, [](Config & c) -> auto& { return c.limits.quiet_start; },
          "For how long after its start a master that awaits no members answers nobody, and one "
          "that "
          "gives up a member answers hits alone, so that no client still goes by the word of one "
          "before. Less than 1000 only where there was none."),
      Milliseconds(
          "shutdown_timeout_ms", 0, 600'000, [](Config & c) -> auto& { return c.shutdown_timeout; },
          "After SIGTERM, SIGINT or SIGHUP, how long streams get to end by themselves."),
      {"state_file", "a path, auto, or none",
       "File that keeps which pool this is, its term and its members, so that the next master "
       "finds "
       "again what the nodes hold. auto: kvstore/master-PORT.state in XDG_STATE_HOME or "
       "~/.local/state, and none with port 0. none: each start is a new pool, and the nodes of the "
       "one before empty themselves.",
       false,
       [](std::string_view text, Config* config) {
         config->state_file = text;
         return !text.empty();
       },
       [](const Config& config) { return Quoted(config.state_file); }},
      {"log_level", "info, warning or error", "What is written to standard error, and worse.",
       false,
       [](std::string_view text, Config* config) {
         if (text != "info" && text != "warning" && text != "error") return false;
         config->log_level = text;
         return true;
       },
       [](const Config& config) { return config.log_level; }},
      {"log_format", "text or json",
       "How lines on standard error look. text: glog's, events in them as name=value. json: one "
       "object a line.",
       false,
       [](std::string_view text, Config* config) {
         if (text != "text" && text != "json") return false;
         config->log_format = text;
         return true;
       },
       [](const Config& config) { return config.log_format; }},
      {"log_objects", "true or false",
       "Write a line for each object that is put, removed, evicted or lost, too. Keys stand in the "
       "log then. At most 50 lines a second of each kind.",
       true,
       [](std::string_view text, Config* config) {
         const auto value = ParseBool(text);
         if (value) config->log_objects = *value;
         return value.has_value();
       },
       [](const Config& config) { return config.log_objects ? "true" : "false"; }},
  };
}

std::vector<Setting> CatalogSettings() {
  return {
      Milliseconds(
          "lease_ms", 0, 600'000, [](Config & c) -> auto& { return c.limits.lease; },
          "How long an object that was located is safe from eviction."),
      Milliseconds(
          "max_grant_ms", 100, 3'600'000,
          [](Config & c) -> auto& { return c.limits.longest_grant; },
          "How long a put may take from its memory to its commit, at most."),
      Milliseconds(
          "heartbeat_ms", 10, 60'000,
          [](Config & c) -> auto& { return c.limits.heartbeat_interval; },
          "How often nodes say that they live."),
      Milliseconds(
          "suspect_after_ms", 20, 600'000,
          [](Config & c) -> auto& { return c.limits.suspect_after; },
          "Silence after which a node is suspected: it gets no new objects. More than "
          "heartbeat_ms."),
      Milliseconds(
          "gone_after_ms", 20, 3'600'000, [](Config & c) -> auto& { return c.limits.gone_after; },
          "Suspicion after which a node and its objects are given up. At least lease_ms."),
      Milliseconds(
          "abort_writer_after_ms", 0, 3'600'000,
          [](Config & c) -> auto& { return c.limits.abort_writer_after; },
          "Suspicion after which a node's unfinished puts are aborted."),
      Milliseconds(
          "order_resend_ms", 10, 60'000,
          [](Config & c) -> auto& { return c.limits.order_resend_after; },
          "How long a node may take to confirm an order before it is sent again."),
      Share(
          "free_share_wanted", [](Config & c) -> auto& { return c.limits.free_share_wanted; },
          "Share of each segment that eviction keeps free."),
      Share(
          "leased_share_allowed", [](Config & c) -> auto& { return c.limits.leased_share_allowed; },
          "Share of each segment that leases may keep from eviction."),
      Share(
          "ahead_share_allowed", [](Config & c) -> auto& { return c.limits.ahead_share_allowed; },
          "Share of each segment that writers may hold ahead of small puts, for one message a put "
          "instead of two. 0: none."),
      Share(
          "pinned_share_allowed", [](Config & c) -> auto& { return c.limits.pinned_share_allowed; },
          "Share of each segment that hard pins may keep from eviction."),
      Number(
          "prepare_step_bytes", 4096, uint64_t{1} << 40,
          [](Config & c) -> auto& { return c.limits.prepare_step; },
          "Memory that a node is asked to make ready at a time, as the pool fills."),
      Number(
          "repair_bytes_per_second", 4096, uint64_t{1} << 50,
          [](Config & c) -> auto& { return c.limits.repair_bytes_per_second; },
          "Bytes per second, in all, that nodes copy to make lost replicas again, and to empty "
          "nodes that are drained."),
      Number(
          "copies_in_flight", 1, 65'536,
          [](Config & c) -> auto& { return c.limits.copies_in_flight; },
          "Such copies at a time, in all."),
      Number(
          "max_objects", 1, 1'000'000'000, [](Config & c) -> auto& { return c.limits.objects; },
          "Objects at most, unfinished ones included."),
      Number(
          "max_nodes", 1, 65'536, [](Config & c) -> auto& { return c.limits.nodes; },
          "Nodes at most; every client is one."),
      Number(
          "max_segments_per_node", 1, 64,
          [](Config & c) -> auto& { return c.limits.segments_per_node; },
          "Segments that one node may lend."),
      Number(
          "max_replicas", 1, 8, [](Config & c) -> auto& { return c.limits.replicas; },
          "Copies of one object at most."),
      Number(
          "max_ranges_per_replica", 1, 64,
          [](Config & c) -> auto& { return c.limits.ranges_per_replica; },
          "Pieces that one copy may lie in when free space is scattered."),
      Number(
          "outcomes_kept_per_writer", 1, 10'000'000,
          [](Config & c) -> auto& { return c.limits.outcomes_kept_per_writer; },
          "Finished puts that are remembered, so that a writer's retry is recognised."),
      Number(
          "max_waiting_items", 1, 100'000'000,
          [](Config & c) -> auto& { return c.limits.waiting_items; },
          "Items that may wait for something at a time, over all callers."),
  };
}

std::vector<Setting> AllSettings() {
  std::vector<Setting> all = NetworkSettings();
  std::vector<Setting> catalog = CatalogSettings();
  std::move(catalog.begin(), catalog.end(), std::back_inserter(all));
  return all;
}

const Setting* Find(const std::vector<Setting>& settings, std::string_view name) {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [name](const Setting& s) { return s.name == name; });
  return found == settings.end() ? nullptr : &*found;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// Names beside the settings that a command line may hold.
constexpr std::string_view kActions[] = {"config", "help", "version", "print_config"};

std::string Nearest(const std::vector<Setting>& settings, std::string_view name, bool actions_too) {
  std::vector<std::string_view> names;
  for (const Setting& setting : settings) names.push_back(setting.name);
  if (actions_too) names.insert(names.end(), std::begin(kActions), std::end(kActions));
  return std::string(*std::min_element(names.begin(), names.end(), [name](auto left, auto right) {
    return EditDistance(name, left) < EditDistance(name, right);
  }));
}

Status Apply(const Setting& setting, std::string_view value, const std::string& where,
             Config* config) {
  if (setting.set(value, config)) return Status::Ok();
  return InvalidArgumentError(where + " is '" + std::string(value) + "'; it must be " +
                              setting.allowed);
}

struct Flag {
  std::string name;
  std::string value;
  bool has_value = false;
};

// The next flag: --name=value, --name value, or a boolean's --name and --noname; one dash is as
// good as two.
Result<Flag> NextFlag(const std::vector<Setting>& settings,
                      std::span<const std::string_view>* rest) {
  const std::string_view argument = rest->front();
  *rest = rest->subspan(1);
  const size_t dashes = argument.substr(0, 2) == "--" ? 2 : 1;
  if (argument.size() <= dashes || argument.front() != '-') {
    return InvalidArgumentError("'" + std::string(argument) +
                                "' is no flag; all arguments are flags, see --help");
  }
  const std::string_view body = argument.substr(dashes);
  const size_t equals = body.find('=');
  Flag flag{std::string(body.substr(0, equals)), {}, equals != std::string_view::npos};
  if (flag.has_value) flag.value = body.substr(equals + 1);

  const Setting* setting = Find(settings, flag.name);
  if (setting == nullptr && flag.name.starts_with("no") && !flag.has_value) {
    const Setting* negated = Find(settings, std::string_view(flag.name).substr(2));
    if (negated != nullptr && negated->boolean) return Flag{negated->name, "false", true};
  }
  const bool action = std::count(std::begin(kActions), std::end(kActions), flag.name) > 0;
  if (setting == nullptr && !action) {
    return InvalidArgumentError("unknown flag --" + flag.name + "; did you mean --" +
                                Nearest(settings, flag.name, true) + "? See --help");
  }
  if (flag.has_value) return flag;
  if (setting != nullptr && setting->boolean) return Flag{flag.name, "true", true};
  if (setting == nullptr && flag.name != "config") return flag;
  if (rest->empty()) {
    return InvalidArgumentError("--" + flag.name + " needs a value" +
                                (setting == nullptr ? "" : ": " + setting->allowed));
  }
  flag.value = rest->front();
  *rest = rest->subspan(1);
  return flag;
}

Result<std::string> ReadFile(const std::string& name) {
  constexpr std::streamsize kMaxBytes = 1 << 20;
  std::ifstream file(name, std::ios::binary);
  std::string text(static_cast<size_t>(kMaxBytes) + 1, '\0');
  file.read(text.data(), kMaxBytes + 1);
  if (!file.eof()) {
    if (file.good()) return InvalidArgumentError(name + " is larger than 1 MiB");
    return InvalidArgumentError("cannot read " + name + "; --config must name a YAML file");
  }
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

// `text` in lines of at most `width`, each after `indent` spaces.
std::string Wrapped(std::string_view text, size_t indent, size_t width) {
  const std::string margin(indent, ' ');
  std::string out = margin;
  size_t column = 0;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (column > 0 && column + 1 + word.size() > width) {
      out += '\n' + margin;
      column = 0;
    }
    if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + '\n';
}

}  // namespace

Status ReadYaml(const std::string& text, std::string_view name, Config* config) {
  const std::vector<Setting> settings = AllSettings();
  const std::string file(name);
  const auto at = [&file](const YAML::Mark& mark) {
    return file + ":" + std::to_string(mark.line + 1) + ": ";
  };
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return Status::Ok();  // an empty file
    if (!root.IsMap()) return InvalidArgumentError(file + " must be a map of 'setting: value'");
    std::map<std::string, int> lines;
    for (const auto& entry : root) {
      const std::string where = at(entry.first.Mark());
      if (!entry.first.IsScalar()) return InvalidArgumentError(where + "a key must be a name");
      const std::string key = entry.first.Scalar();
      const Setting* setting = Find(settings, key);
      if (setting == nullptr) {
        return InvalidArgumentError(where + "unknown key '" + key + "'; did you mean '" +
                                    Nearest(settings, key, false) + "'?");
      }
      if (!lines.emplace(key, entry.first.Mark().line).second) {
        return InvalidArgumentError(where + key + " is set twice, first in line " +
                                    std::to_string(lines[key] + 1));
      }
      if (!entry.second.IsScalar()) {
        return InvalidArgumentError(where + key + " must be a single value: " + setting->allowed);
      }
      KVSTORE_RETURN_IF_ERROR(Apply(*setting, entry.second.Scalar(), where + key, config));
    }
  } catch (const YAML::Exception& problem) {
    return InvalidArgumentError(at(problem.mark) + problem.msg);
  }
  return Status::Ok();
}

Result<Launch> ReadCommandLine(std::span<const std::string_view> arguments) {
  const std::vector<Setting> settings = AllSettings();
  Launch launch;
  std::vector<Flag> flags;
  std::optional<std::string> file;
  while (!arguments.empty()) {
    KVSTORE_ASSIGN_OR_RETURN(Flag flag, NextFlag(settings, &arguments));
    if (flag.name == "config") {
      file = flag.value;
    } else if (flag.name == "help") {
      launch.action = Launch::Action::kHelp;
    } else if (flag.name == "version") {
      launch.action = Launch::Action::kVersion;
    } else if (flag.name == "print_config") {
      launch.action = Launch::Action::kPrintConfig;
    } else {
      flags.push_back(std::move(flag));
    }
    if (launch.action == Launch::Action::kHelp || launch.action == Launch::Action::kVersion) {
      return launch;
    }
  }
  if (file) {
    KVSTORE_ASSIGN_OR_RETURN(const std::string text, ReadFile(*file));
    KVSTORE_RETURN_IF_ERROR(ReadYaml(text, *file, &launch.config));
  }
  for (const Flag& flag : flags) {
    KVSTORE_RETURN_IF_ERROR(
        Apply(*Find(settings, flag.name), flag.value, "--" + flag.name, &launch.config));
  }
  KVSTORE_RETURN_IF_ERROR(Check(launch.config));
  return launch;
}

bool IsLoopback(std::string_view address) {
  const std::string text(address);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

Result<std::string> StatePath(const Config& config) {
  if (config.state_file == "none") return std::string();
  if (config.state_file != "auto") return config.state_file;
  if (config.port == 0) return std::string();
  const char* const state = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  std::string folder;
  if (state != nullptr && *state == '/') {
    folder = state;
  } else if (home != nullptr && *home == '/') {
    folder = std::string(home) + "/.local/state";
  } else {
    return InvalidArgumentError(
        "state_file is auto, but neither XDG_STATE_HOME nor HOME names a folder; name a file, or "
        "'none' for a new pool at each start");
  }
  return folder + "/kvstore/master-" + std::to_string(config.port) + ".state";
}

Status Check(const Config& config) {
  if (!IsLoopback(config.listen) && !config.insecure_allow_remote) {
    return InvalidArgumentError(
        "listen is " + config.listen +
        ", which others can reach, and there are no credentials yet: give "
        "--insecure_allow_remote if the network may be trusted, or listen on 127.0.0.1 or ::1");
  }
  if (config.port != 0 && config.port == config.metrics_port) {
    return InvalidArgumentError("port and metrics_port are both " + std::to_string(config.port) +
                                "; they must differ");
  }
  const auto ms = [](Duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
  };
  const Limits& limits = config.limits;
  if (limits.suspect_after <= limits.heartbeat_interval) {
    return InvalidArgumentError("suspect_after_ms is " + ms(limits.suspect_after) +
                                "; it must be more than heartbeat_ms, " +
                                ms(limits.heartbeat_interval));
  }
  if (limits.gone_after < limits.lease) {
    return InvalidArgumentError("gone_after_ms is " + ms(limits.gone_after) +
                                "; it must be at least lease_ms, " + ms(limits.lease));
  }
  return Status::Ok();
}

std::string ToYaml(const Config& config) {
  std::string out;
  for (const Setting& setting : AllSettings()) {
    std::istringstream lines(Wrapped(setting.help + " Allowed: " + setting.allowed + ".", 0, 90));
    for (std::string line; std::getline(lines, line);) out += "# " + line + '\n';
    out += setting.name + ": " + setting.show(config) + "\n\n";
  }
  out.pop_back();
  return out;
}

std::string HelpText() {
  std::string out =
      "kvstore_master - decides where the objects of a pool lie, and never touches their bytes\n"
      "\n"
      "USAGE\n"
      "  kvstore_master [--config FILE] [--SETTING VALUE]...\n"
      "\n"
      "  Runs until SIGTERM, SIGINT or SIGHUP. Prints a line to standard output when it is ready,\n"
      "  and logs to standard error. A flag may have one dash or two, and '=' or a space before\n"
      "  its value. A flag counts more than the file, and the file more than the default.\n"
      "\n"
      "ACTIONS\n"
      "  --config FILE     Read settings from a YAML file of lines 'setting: value'.\n"
      "  --print_config    Print all settings as such a file, with what the flags and the file\n"
      "                    made of them, and exit.\n"
      "  --version         Print the version and exit.\n"
      "  --help            Print this and exit.\n"
      "\n"
      "SETTINGS\n";
  const Config defaults;
  for (const Setting& setting : AllSettings()) {
    out += "  --" + setting.name + "  (" + setting.allowed +
           "; default: " + setting.show(defaults) + ")\n";
    out += Wrapped(setting.help, 6, 88);
  }
  out +=
      "\n"
      "EXIT STATUS\n"
      "  0  ended as told to\n"
      "  1  it could not begin, for instance because a port is in use\n"
      "  2  a flag or the file is wrong\n"
      "\n"
      "EXAMPLES\n"
      "  kvstore_master -port 50052 -max_threads 64 -metrics_port 9004\n"
      "  kvstore_master --print_config > master.yaml\n"
      "  kvstore_master --config master.yaml --log_level warning\n";
  return out;
}

}  // namespace kvstore::master
