#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "transfer/fake_verbs.h"
#include "transfer/rdma/device.h"
#include "transfer/rdma/two_reads.h"

namespace kvstore::transfer {
namespace {

constexpr uint64_t kPart = 4096;

class TwoReadsTest : public testing::Test {
 protected:
  void SetUp() override {
    FakeFabric::SetUp({{}});
    const RdmaDevices devices = OpenDevices(FakeFabric::verbs(), {}, -1).value();
    local_ = RegisteredMemory::Create(devices.usable.at(0), bytes_.data(), bytes_.size(),
                                      MemoryUse::kLocal, kPart)
                 .value();
  }

  std::vector<std::byte> bytes_ = std::vector<std::byte>(2 * kPart);
  std::unique_ptr<RegisteredMemory> local_;
  const RemoteMemory remote_{
      .size = 3 * kPart, .origin = 1 << 20, .part_bytes = kPart, .keys = {10, 11, 12}};
  TwoReads reads_;
};

TEST_F(TwoReadsTest, NameBothEndsAndSignalOnce) {
  ASSERT_TRUE(reads_.Aim(0, *local_, 8, remote_, 2 * kPart + 16, 8));
  ASSERT_TRUE(reads_.Aim(1, *local_, kPart, remote_, kPart, kPart));
  const ibv_send_wr* const word = reads_.Link(7);
  EXPECT_EQ(word->opcode, IBV_WR_RDMA_READ);
  EXPECT_EQ(word->send_flags, 0u);
  EXPECT_EQ(word->wr.rdma.remote_addr, remote_.origin + 2 * kPart + 16);
  EXPECT_EQ(word->wr.rdma.rkey, 12u);
  ASSERT_EQ(word->num_sge, 1);
  EXPECT_EQ(word->sg_list[0].addr, local_->origin() + 8);
  EXPECT_EQ(word->sg_list[0].length, 8u);
  EXPECT_EQ(word->sg_list[0].lkey, local_->local_key(8));
  const ibv_send_wr* const bytes = word->next;
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(bytes->opcode, IBV_WR_RDMA_READ);
  EXPECT_EQ(bytes->wr_id, 7u);
  EXPECT_EQ(bytes->send_flags, static_cast<unsigned>(IBV_SEND_SIGNALED));
  EXPECT_EQ(bytes->wr.rdma.remote_addr, remote_.origin + kPart);
  EXPECT_EQ(bytes->wr.rdma.rkey, 11u);
  ASSERT_EQ(bytes->num_sge, 1);
  EXPECT_EQ(bytes->sg_list[0].addr, local_->origin() + kPart);
  EXPECT_EQ(bytes->sg_list[0].length, kPart);
  EXPECT_EQ(bytes->sg_list[0].lkey, local_->local_key(kPart));
  EXPECT_EQ(bytes->next, nullptr);
}

TEST_F(TwoReadsTest, CrossFromOnePartToTheNextAtNeitherEnd) {
  EXPECT_TRUE(reads_.Aim(0, *local_, kPart - 8, remote_, kPart - 8, 8));
  EXPECT_FALSE(reads_.Aim(0, *local_, kPart - 8, remote_, 0, 9));
  EXPECT_FALSE(reads_.Aim(0, *local_, 0, remote_, 2 * kPart - 8, 9));
  EXPECT_FALSE(reads_.Aim(0, *local_, 0, remote_, 0, kPart + 1));
}

TEST_F(TwoReadsTest, OfNoBytesAreNone) { EXPECT_FALSE(reads_.Aim(1, *local_, 0, remote_, 0, 0)); }

}  // namespace
}  // namespace kvstore::transfer
