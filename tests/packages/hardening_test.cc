// What a mistake in memory could do is limited in all that is shipped: see cmake/Hardening.cmake.

#include <gtest/gtest.h>

#include <string>

#include "packages/installed.h"

namespace kvstore::packages {
namespace {

class HardeningTest : public ::testing::TestWithParam<const char*> {
 protected:
  // What readelf says of it, as that option asks.
  static std::string Read(const std::string& option) {
    return Execute({"/usr/bin/readelf", "-W", option,
                    std::string(KVSTORE_BUILD_FOLDER "/") + GetParam()})
        .out;
  }
};

INSTANTIATE_TEST_SUITE_P(All, HardeningTest,
                         ::testing::Values("bin/kvctl", "bin/kvbench", "bin/kvstore_master",
                                           "bin/kvstore_node", "lib/libkvclient.so",
                                           "lib/libkvtransfer.so"));

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_P(HardeningTest, LiesAtARandomAddress) {
  EXPECT_TRUE(Has(Read("--file-header"), "DYN (")) << Read("--file-header");
}

TEST_P(HardeningTest, TablesAreReadOnlyBeforeMain) {
  EXPECT_TRUE(Has(Read("--program-headers"), " GNU_RELRO "));
  EXPECT_TRUE(Has(Read("--dynamic"), "BIND_NOW")) << Read("--dynamic");
}

TEST_P(HardeningTest, StacksAreGuardedAndNotExecutable) {
  EXPECT_TRUE(Has(Read("--dyn-syms"), " __stack_chk_fail"));
  const std::string headers = Read("--program-headers");
  const size_t stack = headers.find(" GNU_STACK ");
  ASSERT_NE(stack, std::string::npos);
  const std::string line = headers.substr(stack, headers.find('\n', stack) - stack);
  EXPECT_TRUE(Has(line, " RW  ")) << line;
}

}  // namespace
}  // namespace kvstore::packages
