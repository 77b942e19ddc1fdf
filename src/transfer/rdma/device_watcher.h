#ifndef KVSTORE_SRC_TRANSFER_RDMA_DEVICE_WATCHER_H_
#define KVSTORE_SRC_TRANSFER_RDMA_DEVICE_WATCHER_H_

#include <memory>
#include <thread>
#include <vector>

#include "transfer/rdma/device.h"

namespace kvstore::transfer {

// Lets devices handle their events when there are any: ports that go down, or come up again. Its
// thread sleeps else.
class DeviceWatcher {
 public:
  explicit DeviceWatcher(std::vector<std::shared_ptr<RdmaDevice>> devices);
  ~DeviceWatcher();

 private:
  void Watch();

  const std::vector<std::shared_ptr<RdmaDevice>> devices_;
  const int end_fd_;
  std::thread thread_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_DEVICE_WATCHER_H_
