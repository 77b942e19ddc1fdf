#include "kvstore/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "transfer/shm/mapped_file.h"
#include "transfer/shm/shared_files.h"

namespace kvstore::transfer {
namespace {

constexpr uint64_t kGranule = 4096;

SharedMemory Make(uint64_t size) { return SharedMemory::Create(size, kGranule).value(); }

bool CanMapToWrite(const FileDescriptor& file) {
  void* const start = mmap(nullptr, kGranule, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (start == MAP_FAILED) return false;
  munmap(start, kGranule);
  return true;
}

// Another way into the same file, as any process of the same user may find one.
FileDescriptor Reopened(const FileDescriptor& file) {
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  return FileDescriptor(open(path.c_str(), O_RDWR | O_CLOEXEC));
}

TEST(SharedMemoryTest, WhatMakesNoSenseIsRefused) {
  for (const auto& [size, granule] : {std::pair<uint64_t, uint64_t>{0, 4096},
                                      {4097, 4096},
                                      {8192, 0},
                                      {8192, 12288},
                                      {4096, 512},
                                      {uint64_t{1} << 63, 4096}}) {
    const Result<SharedMemory> made = SharedMemory::Create(size, granule);
    ASSERT_FALSE(made.ok()) << size << " " << granule;
    EXPECT_FALSE(made.status().message().empty());
  }
}

// What a child says of memory that it can't make, once it may have no more files than it has.
std::string RefusalWithoutFiles() {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const FileDescriptor out(ends[0]);
  FileDescriptor in(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (setrlimit(RLIMIT_NOFILE, &none) != 0) _exit(1);
    const Result<SharedMemory> made = SharedMemory::Create(kGranule, kGranule);
    const std::string said(made.ok() ? "made" : made.status().message());
    _exit(write(in.get(), said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  in = FileDescriptor();
  int how = 0;
  EXPECT_EQ(waitpid(child, &how, 0), child);
  EXPECT_EQ(how, 0);
  std::array<char, 4096> said{};
  const ssize_t got = read(out.get(), said.data(), said.size());
  return {said.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

TEST(SharedMemoryTest, OnlyForWantOfMemoryOneIsToldToLendLess) {
  const Result<SharedMemory> huge = SharedMemory::Create(uint64_t{1} << 63, kGranule);
  EXPECT_NE(huge.status().message().find("lend less"), std::string::npos) << huge.status();
  const std::string said = RefusalWithoutFiles();
  EXPECT_NE(said.find("Too many open files"), std::string::npos) << said;
  EXPECT_EQ(said.find("lend less"), std::string::npos) << said;
}

TEST(SharedMemoryTest, MemoryAndWordsBeginAsZerosAndAreOnesOwn) {
  SharedMemory memory = Make(16 * kGranule);
  ASSERT_EQ(memory.words().size(), 16u);
  ASSERT_TRUE(memory.Touch(0, memory.size()).ok());
  for (uint64_t i = 0; i < memory.size(); ++i) ASSERT_EQ(memory.base()[i], std::byte{0});
  for (const Word& word : memory.words()) EXPECT_EQ(word, 0u);
  memory.base()[5] = std::byte{7};
  memory.words()[15] = 8;
  std::byte* const base = memory.base();
  SharedMemory moved = std::move(memory);
  EXPECT_EQ(moved.base(), base);
  EXPECT_EQ(moved.base()[5], std::byte{7});
  EXPECT_EQ(moved.words()[15], 8u);
}

TEST(SharedMemoryTest, WhereTheReserveHasNoHugePagesOrdinaryOnesServe) {
  // More than a reserve holds: the kernel has these only as ordinary pages, not yet present.
  SharedMemory memory = Make(uint64_t{256} << 30);
  EXPECT_FALSE(memory.huge());
  ASSERT_TRUE(memory.Touch(0, 1 << 20).ok());
  memory.base()[0] = std::byte{1};
  EXPECT_EQ(memory.base()[0], std::byte{1});
}

TEST(SharedMemoryTest, NobodyElseCanMapTheWordsToBeWritten) {
  SharedMemory memory = Make(kGranule);
  const SharedFiles files(memory);
  const FileDescriptor words = files.OpenWords().value();
  EXPECT_FALSE(CanMapToWrite(words));
  const FileDescriptor reopened = Reopened(words);
  ASSERT_TRUE(reopened.valid());
  EXPECT_FALSE(CanMapToWrite(reopened));
  const uint64_t value = 1;
  EXPECT_LT(pwrite(reopened.get(), &value, sizeof(value), 0), 0);
  // They are readable, and what the owner stores arrives.
  const MappedFile seen =
      MappedFile::Map(words, 0, SealedSize(words).value(), Access::kRead).value();
  memory.words()[0] = 42;
  EXPECT_EQ(reinterpret_cast<const Word*>(seen.data())[0], 42u);
}

TEST(SharedMemoryTest, ReadersCannotMapTheDataToBeWritten) {
  SharedMemory memory = Make(kGranule);
  const SharedFiles files(memory);
  EXPECT_FALSE(CanMapToWrite(files.OpenData(Access::kRead).value()));
  EXPECT_TRUE(CanMapToWrite(files.OpenData(Access::kWrite).value()));
}

TEST(SharedMemoryTest, NeitherFileCanChangeItsSize) {
  SharedMemory memory = Make(4 * kGranule);
  const SharedFiles files(memory);
  const FileDescriptor data = files.OpenData(Access::kWrite).value();
  const FileDescriptor words = Reopened(files.OpenWords().value());
  for (const FileDescriptor* file : {&data, &words}) {
    ASSERT_TRUE(file->valid());
    const auto size = static_cast<off_t>(SealedSize(*file).value());
    EXPECT_NE(ftruncate(file->get(), 0), 0);
    EXPECT_NE(ftruncate(file->get(), size + 4096), 0);
    EXPECT_EQ(SealedSize(*file).value(), static_cast<uint64_t>(size));
  }
}

TEST(SharedMemoryTest, DescriptorsThatAreHandedOutDoNotOutliveAnExec) {
  SharedMemory memory = Make(kGranule);
  const SharedFiles files(memory);
  for (const Access access : {Access::kRead, Access::kWrite}) {
    const FileDescriptor data = files.OpenData(access).value();
    EXPECT_NE(fcntl(data.get(), F_GETFD) & FD_CLOEXEC, 0);
  }
  const FileDescriptor words = files.OpenWords().value();
  EXPECT_NE(fcntl(words.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(SharedMemoryTest, AFileThatMayShrinkIsNotTaken) {
  const FileDescriptor file(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(file.get(), 4096), 0);
  EXPECT_FALSE(SealedSize(file).ok());
  ASSERT_EQ(fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  EXPECT_FALSE(SealedSize(file).ok());
  ASSERT_EQ(fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_EQ(SealedSize(file).value(), 4096u);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const FileDescriptor in(ends[0]);
  const FileDescriptor out(ends[1]);
  EXPECT_FALSE(SealedSize(in).ok());
}

// The kernel's own list, for the mapping that begins there.
std::string FlagsOfMappingAt(const void* start) {
  std::ostringstream wanted;
  wanted << std::hex << reinterpret_cast<uintptr_t>(start) << '-';
  std::ifstream maps("/proc/self/smaps");
  bool there = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) there = line.starts_with(wanted.str());
    if (there && line.starts_with("VmFlags:")) return line + " ";
  }
  return "no such mapping";
}

// Keys and prompts of whoever uses the pool.
TEST(SharedMemoryTest, NeitherTheHoldersNorAReadersMappingIsDumped) {
  constexpr std::string_view kDontDump = " dd ";
  const SharedMemory memory = Make(16 * kGranule);
  const SharedFiles files(memory);
  EXPECT_NE(FlagsOfMappingAt(memory.base()).find(kDontDump), std::string::npos);
  const FileDescriptor file = files.OpenData(Access::kRead).value();
  const MappedFile mapped = MappedFile::Map(file, 0, 16 * kGranule, Access::kRead).value();
  EXPECT_NE(FlagsOfMappingAt(mapped.data()).find(kDontDump), std::string::npos);
}

TEST(SharedMemoryTest, AForkedChildHasNeitherMemoryNorWords) {
  SharedMemory memory = Make(kGranule);
  ASSERT_TRUE(memory.Touch(0, kGranule).ok());
  constexpr uint64_t kMark = 0x6b76'7374'6f72'6531;
  std::memcpy(memory.base(), &kMark, sizeof(kMark));
  memory.words()[0] = kMark;
  for (void* const at :
       {static_cast<void*>(memory.base()), static_cast<void*>(memory.words().data())}) {
    const pid_t child = fork();
    if (child == 0) {
      // Looks without touching; something else of the child's may be mapped there by now.
      const int self = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
      uint64_t found = 0;
      const bool read = pread(self, &found, sizeof(found),
                              static_cast<off_t>(reinterpret_cast<uintptr_t>(at))) == sizeof(found);
      _exit(self < 0 || (read && found == kMark) ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child inherited it";
  }
}

}  // namespace
}  // namespace kvstore::transfer
