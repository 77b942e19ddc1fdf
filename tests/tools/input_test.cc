#include "tools/kvctl/input.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "tools/program.h"

namespace kvstore::kvctl {
namespace {

using ::testing::HasSubstr;

// An open file with these bytes, which no path leads to any more.
class OpenFile {
 public:
  explicit OpenFile(const std::string& bytes) {
    const std::string path = cluster::TempPath("input");
    cluster::WriteFile(path, bytes);
    fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    unlink(path.c_str());
  }
  ~OpenFile() { close(fd_); }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

TEST(InputTest, AFileThatShrinksOrGrowsMeanwhileIsRefused) {
  for (const uint64_t expected : {5u, 7u, 1u << 20}) {
    const OpenFile file("six by");
    const Result<std::string> read = ReadDescriptor(file.fd(), "it", expected);
    ASSERT_FALSE(read.ok()) << expected;
    EXPECT_THAT(read.status().message(), HasSubstr("changed while it was read"));
    EXPECT_THAT(read.status().message(), HasSubstr("6 came"));
  }
  const OpenFile file("six by");
  EXPECT_EQ(*ReadDescriptor(file.fd(), "it", 6), "six by");
}

TEST(InputTest, ALongPipeIsReadWhole) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::string bytes;
  for (int i = 0; i < 1'000'003; ++i) bytes += static_cast<char>(i * 31 % 251);
  std::thread writer([&] {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t wrote = write(ends[1], bytes.data() + at, bytes.size() - at);
      if (wrote <= 0) break;
      at += static_cast<size_t>(wrote);
    }
    close(ends[1]);
  });
  const Result<std::string> read = ReadDescriptor(ends[0], "the pipe", std::nullopt);
  writer.join();
  close(ends[0]);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, bytes);
}

TEST(InputTest, AReadErrorIsNotTheEnd) {
  const Result<std::string> closed = ReadDescriptor(-1, "standard input", std::nullopt);
  EXPECT_THAT(closed.status().message(), HasSubstr("Bad file descriptor"));
  EXPECT_THAT(ReadInput("/").status().message(), HasSubstr("Is a directory"));
  EXPECT_THAT(ReadInput("/no/such").status().message(), HasSubstr("No such file"));
}

TEST(InputTest, FilesOfTheSystemWhoseSizeIsZeroAreRead) {
  const Result<std::string> read = ReadInput("/proc/self/status");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(*read, HasSubstr("Name:"));
}

}  // namespace
}  // namespace kvstore::kvctl
