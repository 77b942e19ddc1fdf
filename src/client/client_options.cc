#include "client/client_options.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kvstore {
namespace client {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxRdmaDevices = 32;
constexpr int kMaxGidIndex = 255;
constexpr uint64_t kMaxLendBytes = uint64_t{1} << 44;  // 16 TiB, as the protocol has it

struct HostPort {
  std::string host;  // IPv6 without its brackets
  int port = 0;
};

// "HOST:PORT", with an IPv6 address in brackets.
std::optional<HostPort> Split(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // IPv6 without brackets: where its port begins is anybody's guess
  }
  HostPort parsed{std::string(host), 0};
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, parsed.port);
  if (error != std::errc() || stop != end || parsed.port < 0 || parsed.port > 65535) {
    return std::nullopt;
  }
  return host.empty() ? std::nullopt : std::optional(std::move(parsed));
}

bool IsWildcard(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return v4.s_addr == htonl(INADDR_ANY);
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Status CheckListen(const ClientOptions& options) {
  if (options.listen.empty()) {
    if (options.lend_bytes == 0) return Status::Ok();
    return InvalidArgumentError(
        "lend_bytes is set, but listen is empty: peers could not reach the lent memory");
  }
  const std::optional<HostPort> address = Split(options.listen);
  if (!address) {
    return InvalidArgumentError("listen is '" + options.listen +
                                "'; it must be ADDRESS:PORT, with an IPv6 address in brackets");
  }
  if (!IsLoopback(address->host) && !options.allow_remote) {
    return InvalidArgumentError(
        "listen is '" + options.listen +
        "', which other machines may reach, and the data path has no credentials yet: anybody who "
        "connects could read and write the pool's memory; set allow_remote (kvstore_node: "
        "--insecure_allow_remote) if the network is trusted, or listen on 127.0.0.1");
  }
  if (IsWildcard(address->host) && options.advertise.empty()) {
    return InvalidArgumentError("listen is '" + options.listen +
                                "', to which no peer can connect; set advertise to an address "
                                "that peers can reach");
  }
  return Status::Ok();
}

// Names with commas between them.
std::vector<std::string> SplitNames(std::string_view text) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    names.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

Status CheckRdma(const ClientOptions& options) {
  if (options.rdma_devices.size() > kMaxRdmaDevices) {
    return InvalidArgumentError("rdma_devices has " + std::to_string(options.rdma_devices.size()) +
                                " names; at most " + std::to_string(kMaxRdmaDevices) +
                                " are allowed");
  }
  std::set<std::string_view> names;
  for (const std::string& name : options.rdma_devices) {
    const bool sound = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    });
    if (!sound) {
      return InvalidArgumentError("rdma_devices has '" + name +
                                  "', which is no name of a device (ibv_devices lists them)");
    }
    if (!names.insert(name).second) {
      return InvalidArgumentError("rdma_devices names " + name + " twice");
    }
  }
  if (options.rdma_gid_index < -1 || options.rdma_gid_index > kMaxGidIndex) {
    return InvalidArgumentError("rdma_gid_index is " + std::to_string(options.rdma_gid_index) +
                                "; it must be 0 to " + std::to_string(kMaxGidIndex) +
                                ", or -1: chosen automatically");
  }
  return Status::Ok();
}

}  // namespace

Status TakeEnvironment(ClientOptions* options) {
  const char* const devices = std::getenv("KVSTORE_RDMA_DEVICES");
  const char* const gid = std::getenv("KVSTORE_RDMA_GID_INDEX");
  ClientOptions taken = *options;
  if (devices != nullptr && *devices != '\0' && taken.rdma_devices.empty()) {
    taken.rdma_devices = SplitNames(devices);
  }
  if (gid != nullptr && *gid != '\0' && taken.rdma_gid_index == -1) {
    const char* const end = gid + std::strlen(gid);
    const auto [stop, error] = std::from_chars(gid, end, taken.rdma_gid_index);
    if (error != std::errc() || stop != end) {
      return InvalidArgumentError("KVSTORE_RDMA_GID_INDEX is '" + std::string(gid) +
                                  "'; it must be a number");
    }
  }
  const Status sound = CheckRdma(taken);
  if (!sound.ok()) return InvalidArgumentError("of KVSTORE_RDMA_*: " + sound.message());
  *options = std::move(taken);
  return Status::Ok();
}

}  // namespace client

Status CheckOptions(const ClientOptions& options) {
  using client::kMaxLendBytes, client::kMaxNameBytes;
  const std::optional<client::HostPort> master = client::Split(options.master);
  if (!master || master->port == 0) {
    return InvalidArgumentError("master is '" + options.master +
                                "'; it must be HOST:PORT, with an IPv6 address in brackets");
  }
  if (std::any_of(options.name.begin(), options.name.end(),
                  [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return InvalidArgumentError("name has control characters; it stands in logs, line by line");
  }
  if (options.name.size() > kMaxNameBytes) {
    return InvalidArgumentError("name has " + std::to_string(options.name.size()) +
                                " bytes; at most " + std::to_string(kMaxNameBytes) +
                                " are allowed");
  }
  if (options.lend_bytes > kMaxLendBytes) {
    return InvalidArgumentError("lend_bytes is " + std::to_string(options.lend_bytes) +
                                "; at most " + std::to_string(kMaxLendBytes) + " are allowed");
  }
  if (options.connect_timeout <= Duration::zero()) {
    return InvalidArgumentError("connect_timeout must be greater than 0");
  }
  if (options.master_patience < Duration::zero()) {
    return InvalidArgumentError("master_patience must not be less than 0");
  }
  KVSTORE_RETURN_IF_ERROR(client::CheckRdma(options));
  return client::CheckListen(options);
}

namespace client {

std::string NodeName(const ClientOptions& options) {
  if (!options.name.empty()) return options.name;
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') return "node";
  const std::string pid = "-" + std::to_string(getpid());
  return std::string(host.data()).substr(0, kMaxNameBytes - pid.size()) + pid;
}

namespace {

std::string MachineIdentity() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string identity;
  if (file >> identity) return identity;
  std::array<char, 129> host{};
  gethostname(host.data(), host.size() - 1);
  return host.data();
}

// "net:[4026531840]"; empty where the kernel doesn't say.
std::string NamespaceIdentity(const char* kind) {
  const std::string path = std::string("/proc/self/ns/") + kind;
  std::array<char, 32> name{};
  const ssize_t length = readlink(path.c_str(), name.data(), name.size());
  return length > 0 ? std::string(name.data(), static_cast<size_t>(length)) : "";
}

}  // namespace

std::string HostIdentity(const ClientOptions& options) {
  std::string identity = MachineIdentity() + " uid:" + std::to_string(geteuid()) + " " +
                         NamespaceIdentity("net") + " " + NamespaceIdentity("pid");
  const std::vector<transfer::Way>& ways = options.ways;
  const bool shares =
      ways.empty() || std::find(ways.begin(), ways.end(), transfer::Way::kShm) != ways.end();
  // A host of its own.
  if (!shares) identity += " alone:" + std::to_string(getpid());
  return identity;
}

}  // namespace client
}  // namespace kvstore
