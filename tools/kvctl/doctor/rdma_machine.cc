#include "tools/kvctl/doctor/rdma_machine.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace kvstore::kvctl::doctor {
namespace {

namespace fs = std::filesystem;

// Tables have hundreds of places, of which the first few are taken.
constexpr int kGids = 64;
constexpr const char* kUnset = "0000:0000:0000:0000:0000:0000:0000:0000";

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The file's first line; empty: there is none, or the kernel refuses to tell.
std::string LineIn(const fs::path& path) {
  std::string line;
  std::getline(std::ifstream(path) >> std::ws, line);
  return line;
}

std::vector<RdmaGid> GidsOf(const fs::path& port) {
  std::vector<RdmaGid> gids;
  for (int i = 0; i < kGids; ++i) {
    const std::string index = std::to_string(i);
    const std::string gid = LineIn(port / "gids" / index);
    if (gid.empty() || gid == kUnset) continue;
    gids.push_back({i, gid, LineIn(port / "gid_attrs/types" / index)});
  }
  return gids;
}

RdmaDeviceView LookAtDevice(const std::string& root, const std::string& name) {
  const fs::path folder = fs::path(root + "sys/class/infiniband") / name;
  const fs::path port = folder / "ports/1";
  RdmaDeviceView device;
  device.name = name;
  const std::string state = LineIn(port / "state");  // "4: ACTIVE"
  device.state = state.substr(state.find(' ') + 1);
  device.ethernet = LineIn(port / "link_layer") == "Ethernet";
  device.gids = GidsOf(port);
  for (const RdmaGid& gid : device.gids) {
    const std::string interface = LineIn(port / "gid_attrs/ndevs" / std::to_string(gid.index));
    if (interface.empty() || interface.find('/') != std::string::npos) continue;
    std::ifstream(root + "sys/class/net/" + interface + "/mtu") >> device.interface_mtu;
    break;
  }
  std::ifstream node(folder / "device/numa_node");
  if (!(node >> device.numa_node)) device.numa_node = -1;
  std::error_code error;
  const fs::path place = fs::canonical(folder / "device", error);
  if (!error) device.pci = place.filename();
  return device;
}

Status TryLibrary() {
  void* const library = dlopen("libibverbs.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return UnavailableError("there is no libibverbs.so.1");
  dlclose(library);
  return Status::Ok();
}

// Whether one of them may be opened.
Status TryAccess(const std::string& root) {
  const std::string folder = root + "dev/infiniband";
  Status status = UnavailableError("there is no /dev/infiniband/uverbs*");
  for (const std::string& name : NamesIn(folder)) {
    if (!name.starts_with("uverbs")) continue;
    if (access((folder + "/" + name).c_str(), R_OK | W_OK) == 0) return Status::Ok();
    status = UnavailableError("/dev/infiniband/" + name + ": " + std::strerror(errno));
  }
  return status;
}

}  // namespace

void LookAtRdma(const std::string& root, MachineView* view) {
  for (const std::string& name : NamesIn(root + "sys/class/infiniband")) {
    view->rdma_devices.push_back(LookAtDevice(root, name));
  }
  view->rdma_library = TryLibrary();
  view->rdma_access = TryAccess(root);
  if (const char* const text = std::getenv("KVSTORE_RDMA_GID_INDEX")) {
    int index = -1;
    std::from_chars(text, text + std::strlen(text), index);
    view->rdma_gid_index = index;
  }
  view->gpu_driver = fs::exists(root + "sys/module/nvidia");
  view->peer_memory =
      fs::exists(root + "sys/module/nvidia_peermem") || fs::exists(root + "sys/module/nv_peer_mem");
}

}  // namespace kvstore::kvctl::doctor
