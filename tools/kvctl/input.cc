#include "tools/kvctl/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>

#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

constexpr uint64_t kFirstRoom = 64 << 10;
constexpr uint64_t kLargestRead = 1 << 30;  // Linux reads less than 2 GiB at once

Status CanNotRead(const std::string& name, int error) {
  return UnavailableError("can't read " + name + ": " + std::strerror(error) +
                          "; nothing was stored");
}

Status NoMemory(const std::string& name, uint64_t bytes) {
  return UnavailableError("can't read " + name + ": no memory for its " + text::FormatBytes(bytes) +
                          " or more; nothing was stored");
}

// What is left of a regular file. None for all else, and for files of size 0: those of /proc have
// bytes all the same.
std::optional<uint64_t> BytesLeft(int fd) {
  struct stat file {};
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size == 0) return std::nullopt;
  const off_t at = lseek(fd, 0, SEEK_CUR);  // a shell may have read the beginning
  if (at < 0 || at > file.st_size) return std::nullopt;
  return static_cast<uint64_t>(file.st_size - at);
}

// Reads to the end, into memory that grows where it does not suffice. An errno, 0: all was read.
int ReadToEnd(int fd, uint64_t room, std::string* bytes) {
  uint64_t got = 0;
  bytes->resize(room);
  while (true) {
    if (got == bytes->size()) bytes->resize(bytes->size() * 2);
    const ssize_t count =
        read(fd, bytes->data() + got, std::min<uint64_t>(bytes->size() - got, kLargestRead));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) break;
    got += static_cast<uint64_t>(count);
  }
  bytes->resize(got);
  return 0;
}

}  // namespace

Result<std::string> ReadDescriptor(int fd, const std::string& name,
                                   std::optional<uint64_t> expected) {
  std::string bytes;
  // One byte more than expected, so that the end is seen without growing.
  const uint64_t room = expected ? *expected + 1 : kFirstRoom;
  try {
    if (const int error = ReadToEnd(fd, room, &bytes); error != 0) return CanNotRead(name, error);
  } catch (const std::bad_alloc&) {
    return NoMemory(name, std::max<uint64_t>(room, bytes.size()));
  } catch (const std::length_error&) {
    return NoMemory(name, std::max<uint64_t>(room, bytes.size()));
  }
  if (expected && bytes.size() != *expected) {
    return UnavailableError(name + " was changed while it was read: it had " +
                            std::to_string(*expected) + " bytes, " + std::to_string(bytes.size()) +
                            " came; nothing was stored");
  }
  return bytes;
}

Result<std::string> ReadInput(const std::string& path) {
  if (path == "-") return ReadDescriptor(STDIN_FILENO, "standard input", BytesLeft(STDIN_FILENO));
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return CanNotRead(path, errno);
  Result<std::string> bytes = ReadDescriptor(fd, path, BytesLeft(fd));
  close(fd);
  return bytes;
}

}  // namespace kvstore::kvctl
