#ifndef KVSTORE_SRC_TRANSFER_RDMA_DEVICE_H_
#define KVSTORE_SRC_TRANSFER_RDMA_DEVICE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "thread_annotations.h"
#include "transfer/rdma/verbs.h"

namespace kvstore::transfer {

inline constexpr uint8_t kPort = 1;

using Gid = std::array<uint8_t, 16>;
// As ibv_devinfo prints it.
std::string GidText(const Gid& gid);

// Where a device is in the machine, by what the kernel tells under /sys. Virtual devices have
// neither.
struct Place {
  int numa_node = -1;    // -1: unknown
  std::string pci_path;  // of bridges, then the device; empty: unknown
};
// `ibdev_path`: the device's folder of class infiniband.
Place FindPlace(const std::string& ibdev_path);

// A device's port, and the address of it that is used.
struct PortView {
  bool ethernet = true;  // or InfiniBand
  ibv_mtu mtu = IBV_MTU_256;
  uint16_t lid = 0;  // InfiniBand only
  Gid gid{};
  uint8_t gid_index = 0;
};

// One RDMA device: opened, its port active, one of its addresses chosen. Thread-safe.
class RdmaDevice {
 public:
  // `gid_index` negative: the first RoCE v2 address of an IPv4 network, else the first of RoCE v2,
  // else (InfiniBand) the first. Its port may be down. unavailable: it can't be used, and why.
  static Result<std::shared_ptr<RdmaDevice>> Open(const Verbs& verbs, ibv_device* device,
                                                  int gid_index);
  ~RdmaDevice();

  const Verbs& verbs() const { return verbs_; }
  const std::string& name() const { return name_; }
  const Place& place() const { return place_; }
  ibv_context* context() const { return context_; }
  ibv_pd* pd() const { return pd_; }
  const ibv_device_attr& limits() const { return limits_; }
  // What one of its queue pairs takes: requests posted together, and pieces of local memory of one.
  size_t max_requests() const;
  size_t max_pieces() const;
  PortView port() const;
  // Whether its port is active. It may be down for a while: what is under way over it then fails.
  bool is_up() const { return is_up_; }
  // Whether the kernel has taken it out of the machine: it has said that the device failed, and
  // knows it no more. Before anything goes from a device's folder, the kernel has destroyed all
  // queue pairs and registrations, also those of processes that still hold it open; so nothing
  // moves over it, ever, though no command says so any more (all answer EIO). A failure alone
  // proves nothing: some kernels tell of it first. A device that is renamed is still there.
  bool is_gone() const;
  // Readable when HandleEvents has something to do.
  int event_fd() const { return context_->async_fd; }
  // Looks at its port again when the device says that something has changed. Doesn't wait.
  void HandleEvents();
  // What went over it, and what is wrong with it.
  RdmaDeviceState state() const;
  void NoteMoved(Access access, uint64_t bytes);
  void NotePaths(int more) { paths_ += static_cast<uint64_t>(more); }
  void NoteFailure() { ++failures_; }
  // OK: nothing is wrong any more.
  void NoteTrouble(const Status& trouble);

 private:
  RdmaDevice(const Verbs& verbs, ibv_device* device, int gid_index);
  Status Prepare();
  // Of the port as it is now; unavailable: it can't be used, and why; failed_precondition: before
  // it comes up.
  Result<PortView> LookAtPort();
  Status ChooseGid(PortView* port) const;
  void Refresh();
  void TakePort(const Result<PortView>& port);

  const Verbs& verbs_;
  const std::string name_;
  const Place place_;
  const int folder_fd_;   // of class infiniband, as it was when opened; negative: it can't be seen
  const int wanted_gid_;  // negative: any
  ibv_context* context_ = nullptr;
  ibv_pd* pd_ = nullptr;
  ibv_device_attr limits_{};
  std::atomic<bool> is_up_ = true;
  std::atomic<bool> has_failed_ = false;

  std::atomic<uint64_t> bytes_read_ = 0, bytes_written_ = 0, paths_ = 0, failures_ = 0;
  mutable Mutex mu_;
  PortView port_ GUARDED_BY(mu_);
  Status port_trouble_ GUARDED_BY(mu_);
  Status trouble_ GUARDED_BY(mu_);
};

struct RdmaDevices {
  std::vector<std::shared_ptr<RdmaDevice>> usable;  // in the order in which they were named
  std::vector<std::string> problems;                // of those that are not
};

// The devices of these names; none named: all. One whose port is down is among the usable, to be
// used when it comes up, if it is named or another one is up. failed_precondition: none can be
// used; the message says why, device by device.
Result<RdmaDevices> OpenDevices(const Verbs& verbs, const std::vector<std::string>& names,
                                int gid_index);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_DEVICE_H_
