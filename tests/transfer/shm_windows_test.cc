#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "kvstore/shared_memory.h"
#include "transfer/shm/shared_files.h"
#include "transfer/shm/windows.h"

namespace kvstore::transfer {
namespace {

constexpr uint64_t kSize = 3 * kWindowBytes + (2 << 20);

class ShmWindows : public testing::Test {
 protected:
  // Later than anything that was used.
  static TimePoint Later() { return BootClock::now() + std::chrono::hours(1); }

  SharedMemory memory_ = SharedMemory::Create(kSize, 4096).value();
  Windows windows_{SharedFiles(memory_).OpenData(Access::kWrite).value(), kSize};
};

TEST_F(ShmWindows, AWindowCoversWhatIsAskedForAndItsSurroundings) {
  for (const auto& [offset, length] : {std::pair<uint64_t, uint64_t>{0, 1},
                                       {kWindowBytes - 1, 2},
                                       {kWindowBytes + 5, 100},
                                       {0, kSize},
                                       {kSize - 1, 1}}) {
    const std::shared_ptr<Window> window = windows_.Get(offset, length).value();
    EXPECT_LE(window->begin(), offset);
    EXPECT_GE(window->end(), offset + length);
    EXPECT_EQ(window->begin() % kWindowBytes, 0u);
    EXPECT_TRUE(window->end() % kWindowBytes == 0 || window->end() == kSize);
    window->Prepare(offset, length);
    *window->At(offset) = std::byte{7};
    *window->At(offset + length - 1) = std::byte{8};
    EXPECT_EQ(memory_.base()[offset + length - 1], std::byte{8});
  }
}

TEST_F(ShmWindows, NeighboursShareAWindowAndALongerOneTakesItsPlace) {
  const std::shared_ptr<Window> first = windows_.Get(0, 100).value();
  EXPECT_EQ(windows_.Get(kWindowBytes - 100, 100).value(), first);
  const std::shared_ptr<Window> longer = windows_.Get(0, kWindowBytes + 1).value();
  EXPECT_NE(longer, first);
  EXPECT_EQ(windows_.Get(0, 100).value(), longer);
  *first->At(0) = std::byte{1};  // whoever holds the shorter one may go on
  EXPECT_EQ(memory_.base()[0], std::byte{1});
}

TEST_F(ShmWindows, OneThatIsHeldOrWasUsedSinceTheLastLookStays) {
  std::weak_ptr<Window> seen = windows_.Get(0, 100).value();
  windows_.DropIdle(Later());
  EXPECT_FALSE(seen.expired()) << "it was used just now";
  (void)windows_.Get(50, 1).value();
  windows_.DropIdle(Later());
  EXPECT_FALSE(seen.expired()) << "it was used again";
  const std::shared_ptr<Window> held = seen.lock();
  windows_.DropIdle(Later());
  windows_.DropIdle(Later());
  EXPECT_EQ(windows_.Get(0, 100).value(), held);
}

TEST_F(ShmWindows, OneThatNobodyUsesGoes) {
  const std::weak_ptr<Window> seen = windows_.Get(0, 100).value();
  windows_.DropIdle(Later());
  windows_.DropIdle(BootClock::now() - std::chrono::hours(1));
  EXPECT_FALSE(seen.expired()) << "it has not been idle for so long";
  windows_.DropIdle(Later());
  EXPECT_TRUE(seen.expired());
  EXPECT_TRUE(windows_.Get(0, 100).ok());
}

TEST_F(ShmWindows, AFileThatIsOnlyToBeReadGivesNone) {
  Windows refused(SharedFiles(memory_).OpenData(Access::kRead).value(), kSize);
  EXPECT_EQ(refused.Get(0, 100).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_FALSE(refused.Get(0, 100).ok());
}

}  // namespace
}  // namespace kvstore::transfer
