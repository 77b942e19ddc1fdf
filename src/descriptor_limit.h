#ifndef KVSTORE_SRC_DESCRIPTOR_LIMIT_H_
#define KVSTORE_SRC_DESCRIPTOR_LIMIT_H_

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "kvstore/status.h"

namespace kvstore {

// Whether that `errno` says that this process, or the machine, has too many files and sockets open:
// nothing is wrong with what was to be opened.
inline bool IsOutOfDescriptors(int error) { return error == EMFILE || error == ENFILE; }

// The status of a failed call, by that `errno`: resource_exhausted, with the remedy, where this
// process lacks descriptors or the kernel's memory, else `otherwise` with the reason.
inline Status OpenError(StatusCode otherwise, const std::string& what, int error) {
  const std::string why = what + " (" + std::strerror(error) + ")";
  if (IsOutOfDescriptors(error)) {
    return ResourceExhaustedError(why +
                                  "; close some, or raise the limit (ulimit -n, LimitNOFILE)");
  }
  if (error == ENOBUFS || error == ENOMEM) return ResourceExhaustedError(why);
  return Status(otherwise, why);
}

// OK when this process can have so many descriptors just now; else resource_exhausted. For what
// takes several and ends the process when it gets none, as gRPC does where it begins.
inline Status CheckDescriptors(size_t wanted) {
  std::vector<int> taken;
  int error = 0;
  while (error == 0 && taken.size() < wanted) {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      error = errno;
    } else {
      taken.push_back(fd);
    }
  }
  for (const int fd : taken) close(fd);
  if (!IsOutOfDescriptors(error)) return Status::Ok();
  return OpenError(StatusCode::kResourceExhausted,
                   "this process needs " + std::to_string(wanted) + " descriptors to begin, has " +
                       std::to_string(taken.size()),
                   error);
}

}  // namespace kvstore

#endif  // KVSTORE_SRC_DESCRIPTOR_LIMIT_H_
