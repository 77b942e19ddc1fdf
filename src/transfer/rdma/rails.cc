#include "transfer/rdma/rails.h"

#include <algorithm>

namespace kvstore::transfer {

size_t OfSameNumber(size_t device, const std::vector<HolderDevice>& devices) {
  return device % devices.size();
}

size_t NearestToMemory(size_t device, size_t rank, bool ethernet,
                       const std::vector<HolderDevice>& devices) {
  const size_t same = OfSameNumber(device, devices);
  std::vector<size_t> near;
  for (size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].near && devices[i].ethernet == ethernet) near.push_back(i);
  }
  const bool is_near = std::find(near.begin(), near.end(), same) != near.end();
  return is_near || near.empty() ? same : near[rank % near.size()];
}

}  // namespace kvstore::transfer
