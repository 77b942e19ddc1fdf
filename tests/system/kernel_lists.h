#ifndef KVSTORE_TESTS_SYSTEM_KERNEL_LISTS_H_
#define KVSTORE_TESTS_SYSTEM_KERNEL_LISTS_H_

#include <sys/types.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <system_error>

namespace kvstore::cluster {

// The store's memory files (segments, words, ledgers) that a process has mapped, by their inodes,
// as the kernel lists them.
inline std::set<uint64_t> MappedFiles(pid_t pid) {
  std::set<uint64_t> inodes;
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:kvstore") == std::string::npos) continue;
    std::istringstream words(line);
    std::string addresses, rights, offset, device;
    uint64_t inode = 0;
    words >> addresses >> rights >> offset >> device >> inode;
    inodes.insert(inode);
  }
  return inodes;
}

// The names of the store's sockets between processes of this host, by the inode of each.
inline std::multimap<uint64_t, std::string> HostSockets() {
  std::multimap<uint64_t, std::string> names;
  std::ifstream sockets("/proc/net/unix");
  for (std::string line; std::getline(sockets, line);) {
    if (line.find("@kvstore-") == std::string::npos) continue;
    std::istringstream words(line);
    std::string address, references, protocol, flags, type, state, name;
    uint64_t inode = 0;
    words >> address >> references >> protocol >> flags >> type >> state >> inode >> name;
    names.emplace(inode, name);
  }
  return names;
}

// Of those, the names of the ones that a process has open.
inline std::set<std::string> HostSocketsOf(pid_t pid) {
  std::set<std::string> names;
  const std::multimap<uint64_t, std::string> all = HostSockets();
  std::error_code ignored;
  const std::filesystem::path fds = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& fd : std::filesystem::directory_iterator(fds, ignored)) {
    uint64_t inode = 0;
    const std::string file = std::filesystem::read_symlink(fd.path(), ignored).string();
    if (std::sscanf(file.c_str(), "socket:[%" SCNu64 "]", &inode) != 1) continue;
    const auto found = all.find(inode);
    if (found != all.end()) names.insert(found->second);
  }
  return names;
}

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_KERNEL_LISTS_H_
