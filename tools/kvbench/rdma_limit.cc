#include "tools/kvbench/rdma_limit.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "tools/demo/child.h"
#include "tools/kvbench/pool.h"

namespace kvstore::bench {
namespace {

using demo::Child;
namespace fs = std::filesystem;

constexpr const char* kDevices = "/sys/class/infiniband";
constexpr int kMostGids = 16;
constexpr Duration kServerComes = std::chrono::seconds(20);
constexpr Duration kRun = std::chrono::seconds(120);

std::string LineOf(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<int> GidIndexOf(const fs::path& port) {
  for (int i = 0; i < kMostGids; ++i) {
    const std::string index = std::to_string(i);
    const bool is_v2 = LineOf(port / "gid_attrs/types" / index) == "RoCE v2";
    if (is_v2 && LineOf(port / "gids" / index).find("0000:ffff:") != std::string::npos) return i;
  }
  return std::nullopt;
}

// The numbers of the line that says what was measured: the one after the line with "#bytes".
std::vector<double> Figures(const std::vector<std::string>& lines) {
  std::vector<double> figures;
  const auto head = std::find_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("#bytes") != std::string::npos;
  });
  if (head == lines.end() || head + 1 == lines.end()) return figures;
  std::istringstream line(*(head + 1));
  for (double figure = 0; line >> figure;) figures.push_back(figure);
  return figures;
}

// What is listened on, its server does not say before it has ended.
bool IsListenedOn(int port) {
  std::ostringstream end;
  end << ':' << std::hex << std::uppercase << std::setw(4) << std::setfill('0') << port;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(table);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string number, local, remote, state;
      words >> number >> local >> remote >> state;
      if (local.ends_with(end.str()) && state == "0A") return true;
    }
  }
  return false;
}

Result<std::vector<double>> RunPair(const RdmaDevice& device, const std::string& program,
                                    std::vector<std::string> options) {
  static int port = 18600;
  options.insert(options.begin(), {"/usr/bin/" + program, "--ib-dev=" + device.name,
                                   "--port=" + std::to_string(++port)});
  if (device.gid_index) options.push_back("--gid-index=" + std::to_string(*device.gid_index));
  KVSTORE_ASSIGN_OR_RETURN(const auto server, Child::Start(program + " serving", options));
  for (const TimePoint until = BootClock::now() + kServerComes; !IsListenedOn(port);) {
    if (server->TakeExit() || BootClock::now() >= until) {
      return UnavailableError(program +
                              " does not serve (is perftest installed?): " + server->ErrorTail());
    }
    AwaitExit(server.get(), std::chrono::milliseconds(20));
  }
  options.push_back("127.0.0.1");
  KVSTORE_ASSIGN_OR_RETURN(const auto client, Child::Start(program, options));
  AwaitExit(client.get(), kRun);
  const std::optional<int> exit = client->TakeExit();
  client->ReadPipes();
  std::vector<std::string> lines;
  while (const std::optional<std::string> line = client->TakeLine()) lines.push_back(*line);
  std::vector<double> figures = Figures(lines);
  if (exit == 0 && !figures.empty()) return figures;
  return UnavailableError(program + " has measured nothing: " + client->ErrorTail());
}

}  // namespace

std::optional<RdmaDevice> FirstRdmaDevice() {
  std::error_code none;
  std::vector<fs::path> devices;
  for (const auto& entry : fs::directory_iterator(kDevices, none)) devices.push_back(entry.path());
  std::sort(devices.begin(), devices.end());
  for (const fs::path& device : devices) {
    const fs::path port = device / "ports/1";
    if (LineOf(port / "state").find("ACTIVE") == std::string::npos) continue;
    return RdmaDevice{.name = device.filename(), .gid_index = GidIndexOf(port)};
  }
  return std::nullopt;
}

Result<double> PerftestBandwidth(const RdmaDevice& device, const RdmaLoad& load) {
  const std::string program = load.access == transfer::Access::kRead ? "ib_read_bw" : "ib_write_bw";
  KVSTORE_ASSIGN_OR_RETURN(
      const std::vector<double> figures,
      RunPair(device, program,
              {"--size=" + std::to_string(load.size), "--tx-depth=" + std::to_string(load.depth),
               "--iters=" + std::to_string(std::max<uint64_t>(load.count, load.depth)),
               "--CPU-freq", "--report_gbits"}));
  // Bytes, iterations, the best, the average.
  if (figures.size() < 4) return UnavailableError(program + " prints figures that are not known");
  return figures[3] / 8;
}

Result<double> PerftestReadTime(const RdmaDevice& device, uint64_t size, uint64_t reads) {
  KVSTORE_ASSIGN_OR_RETURN(const std::vector<double> figures,
                           RunPair(device, "ib_read_lat",
                                   {"--size=" + std::to_string(size),
                                    "--iters=" + std::to_string(reads), "--CPU-freq"}));
  // Bytes, iterations, the least, the most, the typical.
  if (figures.size() < 5) return UnavailableError("ib_read_lat prints figures that are not known");
  return figures[4];
}

}  // namespace kvstore::bench
