// All nodes of a large pool come back at once to the master that follows: each over streams of its
// own, with a report of what it holds. None is struck, and no heart stops.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/cluster.h"
#include "fakes/large_pool.h"
#include "kvstore/v1/admin.grpc.pb.h"
#include "kvstore/v1/kvstore.grpc.pb.h"
#include "master/reign_text.h"
#include "master/state_file.h"
#include "master/ticker.h"
#include "proto/codec.h"
#include "thread_annotations.h"

namespace kvstore::cluster {
namespace {

using large_pool::kNodes;
using large_pool::kNotesPerNode;
using large_pool::ReportOf;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kChannels = 4;
constexpr Incarnation kPool{7, 7};
constexpr Duration kBeatEvery = milliseconds(250);
constexpr Duration kLong = seconds(90);

// What has become of the streams, and what went wrong first.
class Storm {
 public:
  void Opened() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    ++open_;
  }
  void Ended(const std::string& whose, const grpc::Status& status) EXCLUDES(mu_) {
    if (!over_) Complain(whose + " ended: " + status.error_message());
    MutexLock lock(mu_);
    if (--open_ == 0) none_.NotifyAll();
  }
  void Complain(const std::string& problem) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (problem_.empty()) problem_ = problem;
  }
  std::string problem() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return problem_;
  }
  // From now on streams may end.
  void Over() { over_ = true; }
  bool AwaitEnd() EXCLUDES(mu_) {
    const TimePoint until = BootClock::now() + kLong;
    MutexLock lock(mu_);
    while (open_ > 0 && BootClock::now() < until) none_.WaitUntil(mu_, until);
    return open_ == 0;
  }

 private:
  std::atomic<bool> over_{false};
  mutable Mutex mu_;
  CondVar none_;
  size_t open_ GUARDED_BY(mu_) = 0;
  std::string problem_ GUARDED_BY(mu_);
};

// A member of the last reign's pool.
Hello MemberHello(uint64_t number) {
  Hello hello = large_pool::HelloOf(number);
  hello.pool = kPool;
  hello.term = 1;
  return hello;
}

// A node's session: hello, report, and whatever orders come. Cancelled at the end.
class SessionOfNode final : public grpc::ClientBidiReactor<v1::NodeMessage, v1::MasterMessage> {
 public:
  SessionOfNode(v1::Master::Stub& stub, uint64_t number, Storm& storm)
      : number_(number), storm_(storm) {
    storm_.Opened();
    Encode(MemberHello(number), hello_.mutable_hello());
    stub.async()->Session(&context_, this);
    StartWrite(&hello_);
    StartRead(&incoming_);
    StartCall();
  }

  bool welcomed() const { return welcomed_; }
  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (incoming_.has_welcome()) Greeted(incoming_.welcome());
    StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override {
    if (ok && (reporting_ || --steps_ == 0)) WriteNext();
  }
  void OnDone(const grpc::Status& status) override {
    storm_.Ended("the session of node " + std::to_string(number_), status);
  }

  void Greeted(const v1::Welcome& message) {
    const Result<Welcome> welcome = Decode(message);
    if (!welcome.ok() || !welcome->wants_report) {
      return storm_.Complain("no report is wanted of node " + std::to_string(number_));
    }
    for (const Report& part : CutToMessages(ReportOf(number_, welcome->term))) {
      Encode(part, parts_.emplace_back().mutable_report());
    }
    welcomed_ = true;
    if (--steps_ == 0) WriteNext();
  }
  void WriteNext() {
    reporting_ = true;
    if (next_ < parts_.size()) StartWrite(&parts_[next_++]);
  }

  const uint64_t number_;
  Storm& storm_;
  grpc::ClientContext context_;
  v1::NodeMessage hello_;
  v1::MasterMessage incoming_;
  std::deque<v1::NodeMessage> parts_;
  size_t next_ = 0;
  bool reporting_ = false;     // set by whoever takes the second of:
  std::atomic<int> steps_{2};  // the hello is written, and answered: then the report
  std::atomic<bool> welcomed_{false};
};

class HeartOfNode final : public grpc::ClientBidiReactor<v1::Beat, v1::BeatReply> {
 public:
  HeartOfNode(v1::Master::Stub& stub, uint64_t number, Storm& storm)
      : number_(number), storm_(storm) {
    storm_.Opened();
    Encode(Beat{{number, number}, 2}, &beat_);
    stub.async()->Heartbeat(&context_, this);
    AddHold();  // beats are begun outside of what gRPC calls
    StartRead(&incoming_);
    StartCall();
  }

  // Unless the last one is still unanswered. Not after Stop.
  void BeatOnce() {
    if (under_way_ > 0) return;
    under_way_ = 2;  // written, and answered
    StartWrite(&beat_);
  }
  uint64_t answered() const { return answered_; }
  void Stop() {
    context_.TryCancel();
    RemoveHold();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (incoming_.unknown()) storm_.Complain("node " + std::to_string(number_) + " is unknown");
    ++answered_;
    StartRead(&incoming_);
    --under_way_;
  }
  void OnWriteDone(bool ok) override {
    if (ok) --under_way_;
  }
  void OnDone(const grpc::Status& status) override {
    storm_.Ended("the heartbeat of node " + std::to_string(number_), status);
  }

  const uint64_t number_;
  Storm& storm_;
  grpc::ClientContext context_;
  v1::Beat beat_;
  v1::BeatReply incoming_;
  std::atomic<int> under_way_{0};
  std::atomic<uint64_t> answered_{0};
};

class JoinStormOverStreams : public ::testing::Test {
 protected:
  JoinStormOverStreams() {
    std::string name = std::filesystem::temp_directory_path() / "kvstore-storm-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~JoinStormOverStreams() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string path() const { return (folder_ / "master.state").string(); }

  // The members of the first term.
  void WriteMembers() {
    auto file = master::StateFile::Open(path());
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Begin(kPool, seconds(5)).ok());
    for (uint64_t i = 1; i <= kNodes; ++i) {
      (*file)->Admit({{i, i}, "node-" + std::to_string(i)},
                     [](const Status& status) { EXPECT_TRUE(status.ok()) << status; });
    }
    (*file)->Close();
  }
  size_t Members() const {
    std::ifstream file(path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const Result<master::Reign> reign = master::ParseReign(text);
    EXPECT_TRUE(reign.ok()) << reign.status();
    return reign.ok() ? reign->members.size() : 0;
  }

  static std::shared_ptr<grpc::Channel> ChannelTo(const MasterProcess& master) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    return grpc::CreateCustomChannel(master.address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  static v1::GetStatusReply StatusOf(v1::Admin::Stub& admin) {
    grpc::ClientContext context;
    v1::GetStatusReply reply;
    const grpc::Status status = admin.GetStatus(&context, {}, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  static bool Eventually(const std::function<bool()>& holds) {
    const TimePoint until = BootClock::now() + kLong;
    while (!holds()) {
      if (BootClock::now() >= until) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
  }

  std::filesystem::path folder_;
};

TEST_F(JoinStormOverStreams, StrikesNobodyAndStopsNoHeart) {
  WriteMembers();
  MasterProcess master({"--state_file=" + path()});
  ASSERT_TRUE(master.running());
  std::array<std::unique_ptr<v1::Master::Stub>, kChannels> stubs;
  for (auto& stub : stubs) stub = v1::Master::NewStub(ChannelTo(master));
  const auto admin = v1::Admin::NewStub(ChannelTo(master));

  Storm storm;
  std::vector<std::unique_ptr<SessionOfNode>> sessions;
  std::vector<std::unique_ptr<HeartOfNode>> hearts(kNodes);
  std::array<std::atomic<uint64_t>, kNodes> answered{};
  for (uint64_t i = 1; i <= kNodes; ++i) {
    sessions.push_back(std::make_unique<SessionOfNode>(*stubs[i % kChannels], i, storm));
  }
  {
    const master::Ticker beats(kBeatEvery, [&] {
      for (uint64_t i = 0; i < kNodes; ++i) {
        if (!hearts[i] && sessions[i]->welcomed()) {
          hearts[i] = std::make_unique<HeartOfNode>(*stubs[i % kChannels], i + 1, storm);
        }
        if (!hearts[i]) continue;
        hearts[i]->BeatOnce();
        answered[i] = hearts[i]->answered();
      }
    });
    EXPECT_TRUE(Eventually([&] { return StatusOf(*admin).objects() == kNodes * kNotesPerNode; }));
    // From here on each is answered thrice more.
    std::array<uint64_t, kNodes> before{};
    for (size_t i = 0; i < kNodes; ++i) before[i] = answered[i];
    EXPECT_TRUE(Eventually([&] {
      for (size_t i = 0; i < kNodes; ++i) {
        if (answered[i] < before[i] + 3) return false;
      }
      return true;
    }));
  }
  const v1::GetStatusReply status = StatusOf(*admin);
  EXPECT_EQ(status.term(), 2u);
  EXPECT_EQ(status.objects(), kNodes * kNotesPerNode);
  EXPECT_EQ(status.nodes_missing(), 0u);
  EXPECT_EQ(status.nodes_live() + status.nodes_suspected(), kNodes);
  EXPECT_EQ(status.counters().at("kvstore_nodes_gone_total"), 0u);
  EXPECT_EQ(status.counters().at("kvstore_nodes_left_total"), 0u);
  EXPECT_EQ(Members(), kNodes);
  EXPECT_EQ(storm.problem(), "");

  storm.Over();
  for (const auto& session : sessions) session->Cancel();
  for (const auto& heart : hearts) {
    if (heart) heart->Stop();
  }
  ASSERT_TRUE(storm.AwaitEnd());
}

}  // namespace
}  // namespace kvstore::cluster
