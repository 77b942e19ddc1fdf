#include <gtest/gtest.h>

#include <string>

#include "cluster/cluster.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

class ExamplesTest : public ::testing::Test {
 protected:
  // Its output, on a second run as well: examples leave nothing that bars them from running again.
  std::string OutputOf(const std::string& name) {
    const std::string path = KVSTORE_EXAMPLES_FOLDER "/example_" + name;
    const std::string first = RunOnce(path), second = RunOnce(path);
    EXPECT_EQ(first, second);
    return first;
  }

 private:
  std::string RunOnce(const std::string& path) {
    const Finished run = RunProgram({path, master_.address()});
    EXPECT_EQ(run.code, 0) << run.err;
    return run.out;
  }

  const MasterProcess master_;
  const NodeProcess node_{master_, "shelf", "16MiB"};
};

TEST_F(ExamplesTest, PutGet) {
  EXPECT_EQ(OutputOf("put_get"), "a block in two pieces\nremoved: ok; then: not_found\n");
}

TEST_F(ExamplesTest, PutGetInC) {
  EXPECT_EQ(OutputOf("put_get_c"), "a block in two pieces\nremoved; then: not_found\n");
}

TEST_F(ExamplesTest, ZeroCopy) {
  EXPECT_EQ(OutputOf("zero_copy"), "1048576 bytes, sum 7340032\n");
}

TEST_F(ExamplesTest, Layers) {
  EXPECT_EQ(OutputOf("layers"),
            "layer 0: 65536 bytes of 'a'\nlayer 1: 65536 bytes of 'b'\n"
            "layer 2: 65536 bytes of 'c'\nlayer 3: 65536 bytes of 'd'\n");
}

}  // namespace
}  // namespace kvstore::cluster
