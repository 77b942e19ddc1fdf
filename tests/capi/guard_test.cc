#include "capi/guard.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace kvstore::capi {
namespace {

template <typename Thrown>
kvclient_code CodeOf(const Thrown& thrown) {
  return Guarded([&]() -> Status { throw thrown; });
}

TEST(CapiGuardTest, NoExceptionCrossesTheBorder) {
  EXPECT_EQ(CodeOf(std::bad_alloc()), KVCLIENT_RESOURCE_EXHAUSTED);
  EXPECT_STREQ(kvclient_last_error(), "out of memory in this process");
  EXPECT_EQ(CodeOf(std::runtime_error("what it says")), KVCLIENT_INTERNAL);
  EXPECT_STREQ(kvclient_last_error(), "what it says");
  EXPECT_EQ(CodeOf(7), KVCLIENT_INTERNAL);
  EXPECT_STRNE(kvclient_last_error(), "what it says");
}

TEST(CapiGuardTest, AStatusBecomesItsCodeAndMessage) {
  EXPECT_EQ(Guarded([] { return AbortedError("too late"); }), KVCLIENT_ABORTED);
  EXPECT_STREQ(kvclient_last_error(), "too late");
  EXPECT_EQ(Guarded([] { return Status::Ok(); }), KVCLIENT_OK);
  EXPECT_STREQ(kvclient_last_error(), "");
}

}  // namespace
}  // namespace kvstore::capi
