#include "transfer/rdma/device_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <utility>

namespace kvstore::transfer {

DeviceWatcher::DeviceWatcher(std::vector<std::shared_ptr<RdmaDevice>> devices)
    : devices_(std::move(devices)), end_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  // Without a descriptor left nobody watches, and failed paths are noticed one by one.
  if (end_fd_ < 0) return;
  try {
    thread_ = std::thread([this] { Watch(); });
  } catch (const std::system_error&) {
    close(end_fd_);
    throw;
  }
}

DeviceWatcher::~DeviceWatcher() {
  if (end_fd_ < 0) return;
  const uint64_t one = 1;
  (void)!write(end_fd_, &one, sizeof(one));
  thread_.join();
  close(end_fd_);
}

void DeviceWatcher::Watch() {
  std::vector<pollfd> fds = {{.fd = end_fd_, .events = POLLIN, .revents = 0}};
  for (const std::shared_ptr<RdmaDevice>& device : devices_) {
    fds.push_back({.fd = device->event_fd(), .events = POLLIN, .revents = 0});
  }
  for (;;) {
    poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) return;
    for (size_t i = 0; i < devices_.size(); ++i) {
      pollfd& fd = fds[i + 1];
      if ((fd.revents & POLLIN) != 0) devices_[i]->HandleEvents();
      // A device that was taken out of the machine says nothing more.
      if ((fd.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) fd.fd = -1;
    }
  }
}

}  // namespace kvstore::transfer
