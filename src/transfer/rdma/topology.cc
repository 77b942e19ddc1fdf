#include "transfer/rdma/topology.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace kvstore::transfer {
namespace {

constexpr size_t kSamples = 16;  // pages that are asked for, spread over the memory

// "node12" is 12; none: it is something else.
std::optional<int> NodeNumber(const std::string& name) {
  if (!name.starts_with("node")) return std::nullopt;
  int number = -1;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + 4, end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

}  // namespace

// A node's file has a number for each node that is there, in the order of these.
Topology::Topology(const std::string& sysfs) {
  const std::string folder = sysfs + "/devices/system/node";
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (const std::optional<int> node = NodeNumber(it->path().filename())) distances_[*node];
  }
  for (auto& [from, row] : distances_) {
    std::ifstream file(folder + "/node" + std::to_string(from) + "/distance");
    for (const auto& [to, unused] : distances_) {
      int distance = 0;
      if (!(file >> distance)) break;
      row[to] = distance;
    }
  }
}

int Topology::Distance(int from, int to) const {
  const auto row = distances_.find(from);
  if (row == distances_.end()) return 0;
  const auto found = row->second.find(to);
  return found == row->second.end() ? 0 : found->second;
}

int NodeOfMemory(const std::byte* base, uint64_t size) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::array<const void*, kSamples> pages{};
  std::array<int, kSamples> nodes{};
  for (size_t i = 0; i < kSamples; ++i) {
    const auto address = reinterpret_cast<uintptr_t>(base + size / kSamples * i);
    pages[i] = reinterpret_cast<const void*>(address / page * page);
  }
  // With no nodes to move them to, it tells where they are.
  if (syscall(SYS_move_pages, 0, kSamples, pages.data(), nullptr, nodes.data(), 0) != 0) return -1;
  int node = -1;
  for (const int each : nodes) {
    if (each < 0) continue;  // not touched yet
    if (node >= 0 && each != node) return -1;
    node = each;
  }
  return node;
}

std::vector<bool> Nearest(const Topology& topology, const std::vector<int>& nodes, int to) {
  std::vector<int> distances;
  for (const int node : nodes) distances.push_back(topology.Distance(node, to));
  int least = 0;
  for (const int distance : distances) {
    if (distance > 0 && (least == 0 || distance < least)) least = distance;
  }
  std::vector<bool> nearest;
  for (const int distance : distances) nearest.push_back(distance <= least || distance == 0);
  return nearest;
}

}  // namespace kvstore::transfer
