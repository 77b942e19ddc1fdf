#ifndef KVSTORE_TESTS_TOOLS_KVCTL_FIXTURE_H_
#define KVSTORE_TESTS_TOOLS_KVCTL_FIXTURE_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/cluster.h"
#include "tools/json_value.h"
#include "tools/program.h"

namespace kvstore::cluster {

using text::JsonValue;

inline Finished Kvctl(std::vector<std::string> words, const std::string& input = "") {
  words.insert(words.begin(), KVSTORE_KVCTL_PATH);
  return RunProgram(words, input);
}

// A master and one node that lends 64 MiB.
class KvctlTest : public testing::Test {
 protected:
  KvctlTest() : node_(master_, "lender", "64MiB") {}

  void SetUp() override { ASSERT_TRUE(master_.running() && node_.running()); }

  Finished Run(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), {"--master", master_.address(), "--timeout", "20s"});
    return Kvctl(std::move(words), input);
  }

  // The one JSON value that the verb prints; ends the test's expectations if it is none.
  JsonValue Json(std::vector<std::string> words) {
    words.push_back("--output=json");
    const Finished finished = Run(std::move(words));
    const std::optional<JsonValue> value = JsonValue::Parse(finished.out);
    EXPECT_TRUE(value.has_value()) << finished.out << finished.err;
    return value.value_or(JsonValue{nullptr});
  }

  MasterProcess master_;
  NodeProcess node_;
};

// Runs `script` in a shell, with $1 the program and $2 the master's address.
inline Finished Shell(const std::string& script, const MasterProcess& master) {
  return RunProgram({"/bin/sh", "-c", script, "sh", KVSTORE_KVCTL_PATH, master.address()});
}

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_TOOLS_KVCTL_FIXTURE_H_
