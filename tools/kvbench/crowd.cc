#include "tools/kvbench/crowd.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "tools/kvbench/objects.h"
#include "tools/kvbench/walk.h"

namespace kvstore::bench {
namespace {

constexpr const char* kGroup = "crowd";
constexpr uint64_t kSize = 64;
constexpr uint64_t kBatch = 4096;

// A line of /proc/PID/status, "VmRSS" for instance, in bytes.
double MemoryOf(pid_t pid, const std::string& which) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(which + ':')) return std::stod(line.substr(which.size() + 1)) * 1024;
  }
  return 0;
}

}  // namespace

Crowd::~Crowd() {
  client_.reset();
  pool_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<std::unique_ptr<Crowd>> Crowd::Gather(Bench& bench, uint64_t objects) {
  std::unique_ptr<Crowd> crowd(new Crowd(objects));
  KVSTORE_RETURN_IF_ERROR(crowd->MakeFolder());
  KVSTORE_RETURN_IF_ERROR(crowd->Start(bench));
  KVSTORE_RETURN_IF_ERROR(crowd->Fill(bench));
  return crowd;
}

Status Crowd::MakeFolder() {
  std::string path = std::filesystem::temp_directory_path().string() + "/kvbench-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return UnavailableError("can't make the folder " + path);
  folder_ = path;
  return Status::Ok();
}

Status Crowd::Start(Bench& bench) {
  // A granule for each, and room that eviction keeps free.
  constexpr uint64_t kGranule = 4096;
  const uint64_t lend = (objects_ + objects_ / 8 + 65'536) * kGranule;
  KVSTORE_ASSIGN_OR_RETURN(pool_, Pool::Start({.programs = bench.options().programs,
                                               .lend_bytes = lend,
                                               .state_file = folder_ + "/master.state"}));
  ClientOptions options;
  options.remember_locations = 0;
  KVSTORE_ASSIGN_OR_RETURN(client_, pool_->Connect(options));
  return Status::Ok();
}

Status Crowd::Fill(Bench& bench) {
  KVSTORE_ASSIGN_OR_RETURN(Walk* const walk, bench.buffers());
  PutOptions durable;
  durable.durable = true;
  const double master_before = MemoryOf(pool_->master_pid(), "VmRSS");
  const double holder_before = MemoryOf(pool_->node_pid(), "RssAnon");
  for (uint64_t first = 0; first < objects_; first += kBatch) {
    const uint64_t count = std::min(kBatch, objects_ - first);
    KVSTORE_RETURN_IF_ERROR(Batch(kGroup, first, count, kSize, walk).Put(*client_, durable));
  }
  const auto each = [&](double bytes) { return bytes / static_cast<double>(objects_); };
  master_bytes_ = each(MemoryOf(pool_->master_pid(), "VmRSS") - master_before);
  holder_bytes_ = each(MemoryOf(pool_->node_pid(), "RssAnon") - holder_before);
  return Status::Ok();
}

std::vector<std::string> Crowd::SomeKeys(uint64_t count) {
  // A stride that shares no factor with the number of objects, so that no neighbours are asked for.
  constexpr uint64_t kStride = 7919;
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < count; ++i) {
    next_ = (next_ + kStride) % objects_;
    keys.push_back(KeyOf(kGroup, next_));
  }
  return keys;
}

Result<uint64_t> Crowd::CountLost() {
  uint64_t lost = 0;
  for (uint64_t first = 0; first < objects_; first += kBatch) {
    std::vector<std::string> keys;
    for (uint64_t i = first; i < std::min(first + kBatch, objects_); ++i) {
      keys.push_back(KeyOf(kGroup, i));
    }
    const std::vector<std::string_view> names(keys.begin(), keys.end());
    for (const Result<bool>& there : client_->Exists(names)) {
      if (!there.ok()) return there.status();
      lost += *there ? 0 : 1;
    }
  }
  return lost;
}

}  // namespace kvstore::bench
