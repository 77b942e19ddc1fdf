#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "tools/program.h"

namespace kvstore::cluster {
namespace {

TEST(ReadmeTest, TheSnippetPutsAndGets) {
  const MasterProcess master;
  const NodeProcess node(master, "shelf", "16MiB");
  const Finished run = RunProgram(
      {"/usr/bin/env", "KVSTORE_README_MASTER=" + master.address(), KVSTORE_README_SNIPPET_PATH});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "ok, value\n");
}

}  // namespace
}  // namespace kvstore::cluster
