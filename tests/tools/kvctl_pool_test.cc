#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/free_port.h"
#include "tools/kvctl_fixture.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(KvctlTest, StatusNodesAndSegmentsAgreeOnTheMemory) {
  Run({"put", "key", "-"}, std::string(1 << 20, 'x'));
  const JsonValue status = Json({"status"});
  EXPECT_EQ(status["objects"].number(), 1);
  EXPECT_EQ(status["space_bytes"]["size"].number(), 64 << 20);
  EXPECT_EQ(status["space_bytes"]["committed"].number(), 1 << 20);
  EXPECT_GE(status["counters"].size(), 10u);

  const JsonValue nodes = Json({"nodes"});
  bool lender_is_live = false;
  for (size_t i = 0; i < nodes["nodes"].size(); ++i) {
    const JsonValue& node = nodes["nodes"][i];
    lender_is_live |= node["name"].text() == "lender" && node["state"].text() == "live";
  }
  EXPECT_TRUE(lender_is_live);

  const JsonValue segments = Json({"segments"});
  ASSERT_EQ(segments["segments"].size(), 1u);
  EXPECT_EQ(segments["segments"][0]["objects"].number(), 1);
  EXPECT_EQ(segments["segments"][0]["space_bytes"]["committed"].number(), 1 << 20);

  EXPECT_THAT(Run({"status"}).out, HasSubstr("64.0 MiB lent"));
  EXPECT_THAT(Run({"nodes"}).out, ContainsRegex("lender +live"));
  EXPECT_THAT(Run({"segments"}).out, ContainsRegex("lender +[0-9]+ +64.0 MiB"));
}

TEST_F(KvctlTest, WhatAWriterHoldsAheadIsToldOfTheNodeThatLendsIt) {
  const std::unique_ptr<Client> writer = Join(master_);
  ASSERT_NE(writer, nullptr);
  const TimePoint until = BootClock::now() + seconds(60);
  double ahead = 0;
  // Puts that follow one another hold memory, for some seconds.
  for (int i = 0; ahead == 0 && BootClock::now() < until; ++i) {
    for (const char* end : {"a", "b"}) {
      ASSERT_EQ(writer->Put(std::to_string(i) + end, "value"), Status::Ok());
    }
    const JsonValue nodes = Json({"nodes"});
    for (size_t n = 0; n < nodes["nodes"].size(); ++n) {
      const JsonValue& node = nodes["nodes"][n];
      const double of_node = node["space_bytes"]["ahead"].number();
      EXPECT_LE(of_node, node["space_bytes"]["unfinished"].number());
      ahead += of_node;
      EXPECT_TRUE(of_node == 0 || node["name"].text() == "lender");
    }
  }
  EXPECT_GT(ahead, 0);
  EXPECT_LE(ahead, 64 << 10);
  EXPECT_THAT(Run({"nodes"}).out, HasSubstr("AHEAD"));
  EXPECT_THAT(Run({"segments"}).out, HasSubstr("AHEAD"));
  EXPECT_THAT(Run({"status"}).out, ContainsRegex("unfinished +.*, of it held ahead "));
}

TEST_F(KvctlTest, NodesTellTheirVersionAndWhatTheyAskedFor) {
  ASSERT_EQ(Run({"put", "key", "-"}, "value").code, 0);
  const JsonValue nodes = Json({"nodes"});
  ASSERT_EQ(nodes["nodes"].size(), 1u);
  const JsonValue& node = nodes["nodes"][0];
  EXPECT_EQ(node["software"].text(), std::string(Version()));
  EXPECT_EQ(node["objects"].number(), 1);
  EXPECT_EQ(std::get<bool>(node["draining"].value), false);
  EXPECT_EQ(std::get<bool>(node["sick"].value), false);
  EXPECT_GE(node["joined_ms"].number(), 0);
}

TEST_F(KvctlTest, LocateShowsWhereObjectsLieAndReportsMissingOnes) {
  ASSERT_EQ(Run({"put", "key", "-"}, "value").code, 0);
  const Finished located = Run({"locate", "key", "missing"});
  EXPECT_EQ(located.code, 3);
  EXPECT_THAT(located.out, ContainsRegex("replicas +1 of 1"));
  EXPECT_THAT(located.out, ContainsRegex("  lender +[0-9]+ +evictable"));
  EXPECT_THAT(located.err, HasSubstr("missing: not_found"));
  const JsonValue json = Json({"locate", "key"});
  EXPECT_EQ(json["objects"][0]["key"].text(), "key");
  EXPECT_EQ(json["objects"][0]["replicas"][0]["node"].text(), "lender");
  EXPECT_EQ(json["objects"][0]["replicas"][0]["reserved_bytes"].number(), 4096);
}

TEST_F(KvctlTest, TopShowsSoManyPicturesAndEnds) {
  ASSERT_EQ(Run({"put", "key", "-"}, "value").code, 0);
  const Finished top = Run({"top", "--count", "2", "--interval", "100ms"});
  EXPECT_EQ(top.code, 0) << top.err;
  EXPECT_THAT(top.out, HasSubstr("1 objects"));
  EXPECT_THAT(top.out, ContainsRegex("lender +live +64.0 MiB"));
  EXPECT_NE(top.out.find("lender"), top.out.rfind("lender"));
  EXPECT_THAT(top.out, Not(HasSubstr("\x1b")));
  const JsonValue json = Json({"top", "--count", "1", "--interval", "100ms"});
  EXPECT_EQ(json["objects"].number(), 1);
  EXPECT_EQ(json["nodes"][0]["name"].text(), "lender");
}

TEST_F(KvctlTest, TopEndsWithAnInterrupt) {
  ChildProcess top({KVSTORE_KVCTL_PATH, "--master", master_.address(), "top", "--interval=100ms"});
  ASSERT_TRUE(top.WaitForLine("lender", seconds(20)));
  top.Signal(SIGINT);
  EXPECT_EQ(top.WaitForExit(seconds(20)), 0);
}

TEST_F(KvctlTest, TheDoctorFindsNothingWrongWithAHealthyPool) {
  const auto answers_soon = ContainsRegex("ok +master +answers within");
  const TimePoint until = BootClock::now() + seconds(20);
  Finished doctor = Run({"doctor"});
  // On a busy machine it may answer late once.
  while (!testing::Matches(answers_soon)(doctor.out) && BootClock::now() < until) {
    doctor = Run({"doctor"});
  }
  EXPECT_THAT(doctor.out, answers_soon);
  EXPECT_THAT(doctor.out, ContainsRegex("ok +data ports +1 lending nodes are reached"));
  const JsonValue json = Json({"doctor"});
  for (size_t i = 0; i < json["findings"].size(); ++i) {
    const JsonValue& finding = json["findings"][i];
    // What this machine is like is not the pool's fault.
    const std::string check = finding["check"].text();
    if (check == "memory" || check == "open files" || check == "lent memory") continue;
    EXPECT_NE(finding["level"].text(), "wrong") << check << ": " << finding["what"].text();
  }
}

TEST_F(KvctlTest, TheDoctorFindsANodeThatCanNotBeReached) {
  node_.process().Signal(SIGSTOP);
  const Finished doctor = Run({"doctor", "--timeout", "5s"});
  node_.process().Signal(SIGCONT);
  EXPECT_EQ(doctor.code, 1);
  EXPECT_THAT(doctor.out, ContainsRegex("WRONG +data ports +'lender'"));
}

TEST(KvctlDoctorTest, WithoutAMasterItSaysWhyAndWhatToDo) {
  const std::pair<const char*, const char*> masters[] = {
      {"127.0.0.1:1", "nobody listens"},
      {"no-such-host.invalid:50051", "has no address"},
  };
  for (const auto& [master, cause] : masters) {
    const Finished doctor = Kvctl({"--master", master, "--timeout", "2s", "doctor"});
    EXPECT_EQ(doctor.code, 1);
    EXPECT_THAT(doctor.out, HasSubstr(cause));
    EXPECT_THAT(doctor.out, HasSubstr("-> "));
  }
}

TEST(KvctlDoctorTest, TheMetricsPortIsNoMaster) {
  const std::string port = std::to_string(FreePort());
  const MasterProcess master({"-metrics_port", port});
  ASSERT_TRUE(master.running());
  const Finished doctor = Kvctl({"--master", "127.0.0.1:" + port, "--timeout", "1s", "doctor"});
  EXPECT_EQ(doctor.code, 1);
  EXPECT_THAT(doctor.out, HasSubstr("gives no answer"));
}

TEST(KvctlDoctorTest, APoolInWhichNobodyLends) {
  const MasterProcess master;
  ASSERT_TRUE(master.running());
  const Finished doctor = Kvctl({"--master", master.address(), "doctor"});
  EXPECT_EQ(doctor.code, 1);
  EXPECT_THAT(doctor.out, HasSubstr("no node lends memory"));
}

}  // namespace
}  // namespace kvstore::cluster
