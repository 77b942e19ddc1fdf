#include "client/rdma_notice.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <string>

#include "thread_annotations.h"

namespace kvstore::client {
namespace {

// Whether it is said for the first time.
bool IsNews(const std::string& text) {
  static Mutex mu;
  static auto* const told = new std::set<std::string>();
  MutexLock lock(mu);
  return told->insert(text).second;
}

void Say(bool warn, const std::string& text) {
  if (!IsNews(text)) return;
  if (warn) {
    LOG(WARNING) << text;
  } else {
    LOG(INFO) << text;
  }
}

}  // namespace

void TellOfRdma(const ClientOptions& options, const transfer::Reach& reach) {
  const auto named = std::find(options.ways.begin(), options.ways.end(), transfer::Way::kRdma);
  const bool wanted = named != options.ways.end() || !options.rdma_devices.empty();
  if (!options.ways.empty() && named == options.ways.end()) return;
  for (const std::string& device : reach.rdma_unused) {
    Say(wanted, "RDMA: " + device + "; it is not used before the next start");
  }
  if (!reach.rdma.ok()) {
    // Where nothing but the hardware is missing, most do without.
    const bool missing = reach.rdma.code() == StatusCode::kFailedPrecondition;
    return Say(wanted || !missing,
               "no RDMA, bytes between machines go by TCP: " + reach.rdma.message());
  }
  std::string devices;
  for (const std::string& name : reach.rdma_devices)
    devices += (devices.empty() ? "" : ", ") + name;
  Say(false, "RDMA over " + devices);
}

}  // namespace kvstore::client
