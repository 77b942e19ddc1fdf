#include "transfer/rdma/device.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace kvstore::transfer {
namespace {

constexpr size_t kMaxGids = 256;
// More at once serve nothing.
constexpr int kMostRequests = 1024;
constexpr int kMostPieces = 16;
constexpr size_t kLeastRequests = 8;
// A file in every device's folder.
constexpr const char* kAttribute = "node_guid";

bool IsIpv4Mapped(const Gid& gid) {
  return std::all_of(gid.begin(), gid.begin() + 10, [](uint8_t b) { return b == 0; }) &&
         gid[10] == 0xff && gid[11] == 0xff;
}

Gid ToGid(const union ibv_gid& raw) {
  Gid gid;
  std::memcpy(gid.data(), raw.raw, gid.size());
  return gid;
}

// Lower is better; the lowest index of the best wins.
int Rank(const ibv_gid_entry& entry) {
  const bool v2 = entry.gid_type == IBV_GID_TYPE_ROCE_V2;
  if (v2) return IsIpv4Mapped(ToGid(entry.gid)) ? 0 : 1;
  return entry.gid_type == IBV_GID_TYPE_IB ? 2 : 3;
}

// By a descriptor it is found under any name, and no other device that has come under its own.
// Negative: what it looks like tells nothing about the device.
int OpenFolder(const char* path) {
  const int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || faccessat(fd, kAttribute, F_OK, 0) == 0) return fd;
  close(fd);
  return -1;
}

std::string PortStateRemedy(ibv_port_state state) {
  return state == IBV_PORT_DOWN
             ? "is down; check its cable, and that its network interface is up"
             : "is not active yet (state " + std::to_string(static_cast<int>(state)) +
                   "); on InfiniBand, is a subnet manager running?";
}

}  // namespace

std::string GidText(const Gid& gid) {
  std::string text;
  for (size_t i = 0; i < gid.size(); i += 2) {
    char part[8];
    std::snprintf(part, sizeof(part), "%s%02x%02x", i == 0 ? "" : ":", gid[i], gid[i + 1]);
    text += part;
  }
  return text;
}

Place FindPlace(const std::string& ibdev_path) {
  Place place;
  std::array<char, PATH_MAX> real;
  if (realpath((ibdev_path + "/device").c_str(), real.data()) == nullptr) return place;
  place.pci_path = real.data();
  std::ifstream file(place.pci_path + "/numa_node");
  int node = -1;
  if (file >> node) place.numa_node = node;
  return place;
}

RdmaDevice::RdmaDevice(const Verbs& verbs, ibv_device* device, int gid_index)
    : verbs_(verbs),
      name_(device->name),
      place_(FindPlace(device->ibdev_path)),
      folder_fd_(OpenFolder(device->ibdev_path)),
      wanted_gid_(gid_index),
      context_(verbs.open_device(device)) {}

RdmaDevice::~RdmaDevice() {
  if (pd_ != nullptr) verbs_.dealloc_pd(pd_);
  if (context_ != nullptr) verbs_.close_device(context_);
  if (folder_fd_ >= 0) close(folder_fd_);
}

Result<std::shared_ptr<RdmaDevice>> RdmaDevice::Open(const Verbs& verbs, ibv_device* device,
                                                     int gid_index) {
  std::shared_ptr<RdmaDevice> opened(new RdmaDevice(verbs, device, gid_index));
  const Status prepared = opened->Prepare();
  if (!prepared.ok()) return UnavailableError(opened->name_ + " " + prepared.message());
  return opened;
}

Status RdmaDevice::Prepare() {
  if (context_ == nullptr) {
    return UnavailableError(std::string("can't be opened (") + std::strerror(errno) +
                            "); may this user open /dev/infiniband/uverbs*?");
  }
  if (verbs_.query_device(context_, &limits_) != 0) return UnavailableError("doesn't answer");
  if (max_requests() < kLeastRequests) {
    return UnavailableError("takes " + std::to_string(limits_.max_qp_wr) + " requests and " +
                            std::to_string(limits_.max_cqe) + " completions at once only; " +
                            std::to_string(kLeastRequests) + " are needed");
  }
  const Result<PortView> port = LookAtPort();
  if (!port.ok() && port.status().code() != StatusCode::kFailedPrecondition) return port.status();
  TakePort(port);
  const int flags = fcntl(context_->async_fd, F_GETFL);
  if (flags < 0 || fcntl(context_->async_fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return UnavailableError(std::string("tells of no events (") + std::strerror(errno) + ")");
  }
  pd_ = verbs_.alloc_pd(context_);
  if (pd_ != nullptr) return Status::Ok();
  return UnavailableError(std::string("has no protection domain left (") + std::strerror(errno) +
                          ")");
}

Result<PortView> RdmaDevice::LookAtPort() {
  ibv_port_attr attributes{};
  if (verbs_.query_port(context_, kPort, &attributes) != 0) {
    return UnavailableError("doesn't answer");
  }
  if (attributes.state != IBV_PORT_ACTIVE) {
    return FailedPreconditionError(PortStateRemedy(attributes.state));
  }
  PortView port;
  port.ethernet = attributes.link_layer == IBV_LINK_LAYER_ETHERNET;
  port.mtu = attributes.active_mtu;
  port.lid = attributes.lid;
  KVSTORE_RETURN_IF_ERROR(ChooseGid(&port));
  return port;
}

void RdmaDevice::Refresh() { TakePort(LookAtPort()); }

void RdmaDevice::TakePort(const Result<PortView>& port) {
  MutexLock lock(mu_);
  if (port.ok()) port_ = *port;
  port_trouble_ =
      port.ok() ? Status::Ok() : UnavailableError(name_ + " " + port.status().message());
  if (has_failed_) {
    port_trouble_ = UnavailableError(
        name_ +
        " has failed, or was taken out of the machine; it is not used before the next start");
  }
  is_up_ = port.ok() && !has_failed_;
}

bool RdmaDevice::is_gone() const {
  if (!has_failed_ || folder_fd_ < 0) return false;
  if (faccessat(folder_fd_, kAttribute, F_OK, 0) == 0) return false;
  return errno == ENOENT || errno == ENODEV;
}

void RdmaDevice::HandleEvents() {
  bool changed = false;
  ibv_async_event event{};
  while (verbs_.get_async_event(context_, &event) == 0) {
    // Those of a queue pair show in its completions.
    changed =
        changed || event.event_type == IBV_EVENT_PORT_ERR ||
        event.event_type == IBV_EVENT_PORT_ACTIVE || event.event_type == IBV_EVENT_GID_CHANGE ||
        event.event_type == IBV_EVENT_LID_CHANGE || event.event_type == IBV_EVENT_DEVICE_FATAL;
    if (event.event_type == IBV_EVENT_DEVICE_FATAL) has_failed_ = true;
    verbs_.ack_async_event(&event);
  }
  if (changed) Refresh();
}

PortView RdmaDevice::port() const {
  MutexLock lock(mu_);
  return port_;
}

RdmaDeviceState RdmaDevice::state() const {
  MutexLock lock(mu_);
  return {.name = name_,
          .bytes_read = bytes_read_,
          .bytes_written = bytes_written_,
          .paths = paths_,
          .failures = failures_,
          .trouble = port_trouble_.ok() ? trouble_ : port_trouble_};
}

void RdmaDevice::NoteMoved(Access access, uint64_t bytes) {
  (access == Access::kRead ? bytes_read_ : bytes_written_) += bytes;
}

void RdmaDevice::NoteTrouble(const Status& trouble) {
  MutexLock lock(mu_);
  trouble_ = trouble;
}

size_t RdmaDevice::max_requests() const {
  // Each may be completed, when the queue pair fails.
  return static_cast<size_t>(
      std::clamp(std::min(limits_.max_qp_wr, limits_.max_cqe - 1), 0, kMostRequests));
}

size_t RdmaDevice::max_pieces() const {
  return static_cast<size_t>(
      std::clamp(std::min(limits_.max_sge, limits_.max_sge_rd), 1, kMostPieces));
}

Status RdmaDevice::ChooseGid(PortView* port) const {
  std::vector<ibv_gid_entry> entries(kMaxGids);
  const ssize_t count =
      verbs_.query_gid_table(context_, entries.data(), entries.size(), 0, sizeof(ibv_gid_entry));
  entries.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  std::erase_if(entries, [&](const ibv_gid_entry& entry) {
    return entry.port_num != kPort ||
           (wanted_gid_ >= 0 && entry.gid_index != static_cast<uint32_t>(wanted_gid_));
  });
  const auto best = std::min_element(
      entries.begin(), entries.end(), [](const ibv_gid_entry& a, const ibv_gid_entry& b) {
        return std::pair(Rank(a), a.gid_index) < std::pair(Rank(b), b.gid_index);
      });
  if (best == entries.end()) {
    return UnavailableError(wanted_gid_ >= 0 ? "has no GID of index " + std::to_string(wanted_gid_)
                                             : "has no GID; give its network interface an address");
  }
  port->gid = ToGid(best->gid);
  port->gid_index = static_cast<uint8_t>(best->gid_index);
  return Status::Ok();
}

namespace {

void TakeThoseThatAreDown(std::vector<std::shared_ptr<RdmaDevice>> down,
                          const std::vector<std::string>& order, bool named, RdmaDevices* devices) {
  if (!named && devices->usable.empty()) {
    for (const auto& device : down) devices->problems.push_back(device->state().trouble.message());
    return;
  }
  for (auto& device : down) devices->usable.push_back(std::move(device));
  const auto place = [&](const auto& device) {
    return std::find(order.begin(), order.end(), device->name());
  };
  std::sort(devices->usable.begin(), devices->usable.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

}  // namespace

Result<RdmaDevices> OpenDevices(const Verbs& verbs, const std::vector<std::string>& names,
                                int gid_index) {
  int count = 0;
  ibv_device** const list = verbs.get_device_list(&count);
  if (list == nullptr || count == 0) {
    if (list != nullptr) verbs.free_device_list(list);
    return FailedPreconditionError(
        "this machine has no RDMA device (ibv_devices lists none); is the NIC's driver loaded?");
  }
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    for (int i = 0; i < count; ++i) wanted.emplace_back(list[i]->name);
  }
  RdmaDevices devices;
  std::vector<std::shared_ptr<RdmaDevice>> down;
  for (const std::string& name : wanted) {
    ibv_device** const end = list + count;
    ibv_device** const found =
        std::find_if(list, end, [&](const ibv_device* device) { return device->name == name; });
    if (found == end) {
      devices.problems.push_back("there is no RDMA device " + name);
      continue;
    }
    Result<std::shared_ptr<RdmaDevice>> device = RdmaDevice::Open(verbs, *found, gid_index);
    if (device.ok() && (*device)->is_up()) {
      devices.usable.push_back(*std::move(device));
    } else if (device.ok()) {
      down.push_back(*std::move(device));
    } else {
      devices.problems.push_back(device.status().message());
    }
  }
  verbs.free_device_list(list);
  TakeThoseThatAreDown(std::move(down), wanted, !names.empty(), &devices);
  if (!devices.usable.empty()) return devices;
  std::string why = "no RDMA device can be used";
  for (const std::string& problem : devices.problems) why += "; " + problem;
  return FailedPreconditionError(why);
}

}  // namespace kvstore::transfer
