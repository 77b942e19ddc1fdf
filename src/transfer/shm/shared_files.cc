#include "transfer/shm/shared_files.h"

#include <fcntl.h>

#include <cerrno>
#include <string>

#include "descriptor_limit.h"
#include "transfer/guards.h"

namespace kvstore::transfer {
namespace {

// Another way into the same file, without the right to write.
Result<FileDescriptor> OpenReadOnly(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  FileDescriptor opened(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.valid()) return opened;
  return OpenError(StatusCode::kFailedPrecondition, "can't open shared memory to be read only",
                   errno);
}

}  // namespace

Result<FileDescriptor> SharedFiles::OpenData(Access access) const {
  if (access == Access::kRead && MappingGuards().readers_map_read_only) {
    return OpenReadOnly(memory_.data_fd_);
  }
  FileDescriptor copied(fcntl(memory_.data_fd_, F_DUPFD_CLOEXEC, 0));
  if (copied.valid()) return copied;
  return OpenError(StatusCode::kFailedPrecondition, "can't hand out shared memory", errno);
}

Result<FileDescriptor> SharedFiles::OpenWords() const { return OpenReadOnly(memory_.words_fd_); }

}  // namespace kvstore::transfer
