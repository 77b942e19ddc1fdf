#include "tools/kvbench/paper_crowd.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "tools/kvbench/objects.h"

namespace kvstore::bench {
namespace {

constexpr const char* kGroup = "paper";
constexpr uint64_t kBatch = 4096;
constexpr uint64_t kGranule = 4096;

Round MedianOf(std::function<Result<Duration>()> call) {
  return [call = std::move(call)](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, call));
    return times.PercentileUs(0.5);
  };
}

}  // namespace

Result<std::unique_ptr<PaperCrowd>> PaperCrowd::Gather(const std::string& programs,
                                                       uint64_t objects) {
  std::unique_ptr<PaperCrowd> crowd(new PaperCrowd(objects));
  KVSTORE_ASSIGN_OR_RETURN(crowd->pool_,
                           Pool::Start({.programs = programs, .lend_bytes = 0, .state_file = ""}));
  const uint64_t lend = (objects + objects / 8 + 65'536) * kGranule;
  KVSTORE_ASSIGN_OR_RETURN(crowd->node_, PaperNode::Join(crowd->pool_->address(), lend));
  for (uint64_t first = 0; first < objects; first += kBatch) {
    std::vector<std::string> keys;
    for (uint64_t i = first; i < std::min(first + kBatch, objects); ++i) {
      keys.push_back(KeyOf(kGroup, i));
    }
    const std::vector<std::string_view> names(keys.begin(), keys.end());
    KVSTORE_RETURN_IF_ERROR(crowd->node_->Put(names));
  }
  return crowd;
}

Round PaperCrowd::AskExists(uint64_t keys) {
  return MedianOf([this, keys]() -> Result<Duration> {
    constexpr uint64_t kStride = 7919;  // no neighbours
    std::vector<std::string> some;
    for (uint64_t i = 0; i < keys; ++i) {
      next_ = (next_ + kStride) % objects_;
      some.push_back(KeyOf(kGroup, next_));
    }
    const std::vector<std::string_view> names(some.begin(), some.end());
    return Time([&] { return node_->Exists(names); });
  });
}

Round PaperCrowd::PutOne() {
  return MedianOf([this]() -> Result<Duration> {
    const std::string key = KeyOf("one", 0);
    const std::string_view name = key;
    const Result<Duration> took = Time([&] { return node_->Put({&name, 1}); });
    if (took.ok()) KVSTORE_RETURN_IF_ERROR(node_->Remove({&name, 1}));
    return took;
  });
}

}  // namespace kvstore::bench
