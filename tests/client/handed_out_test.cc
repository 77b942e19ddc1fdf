#include "client/handed_out.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

namespace kvstore::client {
namespace {

using std::chrono::seconds;

// Things that count how many of them were let go of.
class FakeView final : public ObjectView {
 public:
  explicit FakeView(int* ended) : ended_(ended) {}
  ~FakeView() override { ++*ended_; }
  std::span<const ConstPiece> pieces() const override { return {&piece_, 1}; }
  uint64_t size() const override { return 7; }
  uint64_t checksum() const override { return 8; }
  Status Verify() const override { return DataLossError("spoilt"); }

 private:
  int* const ended_;
  const ConstPiece piece_{"kvstore", 7};
};

class FakeSession final : public ReadSession {
 public:
  const std::vector<Result<uint64_t>>& sizes() const override { return sizes_; }
  std::vector<GetResult> Read(std::span<const PartItem> items, Duration timeout) override {
    return {items.size(), GetResult{Status::Ok(), static_cast<uint64_t>(timeout.count())}};
  }

 private:
  const std::vector<Result<uint64_t>> sizes_ = {5u};
};

class FakeObject final : public NewObject {
 public:
  std::span<const Piece> pieces() const override { return {}; }
  uint64_t size() const override { return 3; }
  TimePoint deadline() const override { return TimePoint::max(); }
  Status Seal(Duration) override { return AbortedError("too late"); }
};

class HandedOutTest : public ::testing::Test {
 protected:
  std::unique_ptr<ObjectView> View() {
    return handed_out_.Track(std::unique_ptr<ObjectView>(std::make_unique<FakeView>(&ended_)));
  }

  int ended_ = 0;
  ForkGuard fork_guard_;
  HandedOut handed_out_{fork_guard_};
};

TEST_F(HandedOutTest, WhatIsAliveIsNamed) {
  EXPECT_EQ(handed_out_.Alive(), "");
  auto first = View();
  EXPECT_EQ(handed_out_.Alive(), "1 view");
  const auto second = View();
  auto session = handed_out_.Track(std::unique_ptr<ReadSession>(std::make_unique<FakeSession>()));
  auto object = handed_out_.Track(std::unique_ptr<NewObject>(std::make_unique<FakeObject>()),
                                  [](const Status&, Duration) {});
  EXPECT_EQ(handed_out_.Alive(), "2 views, 1 read session, 1 new object");
  first.reset();
  session.reset();
  EXPECT_EQ(handed_out_.Alive(), "1 view, 1 new object");
  EXPECT_EQ(ended_, 1);
}

TEST_F(HandedOutTest, WhatIsTrackedIsWhatItWas) {
  const auto view = View();
  EXPECT_EQ(view->pieces()[0].size, 7u);
  EXPECT_EQ(view->size(), 7u);
  EXPECT_EQ(view->checksum(), 8u);
  EXPECT_EQ(view->Verify(), DataLossError("spoilt"));
  const auto session =
      handed_out_.Track(std::unique_ptr<ReadSession>(std::make_unique<FakeSession>()));
  EXPECT_EQ(*session->sizes()[0], 5u);
  const PartItem item{};
  EXPECT_EQ(session->Read({&item, 1}, Duration(9))[0].size, 9u);
}

TEST_F(HandedOutTest, WhatBecameOfASealIsHeard) {
  Status heard;
  const auto object = handed_out_.Track(std::unique_ptr<NewObject>(std::make_unique<FakeObject>()),
                                        [&](const Status& status, Duration) { heard = status; });
  EXPECT_EQ(object->size(), 3u);
  EXPECT_EQ(object->Seal(seconds(1)), AbortedError("too late"));
  EXPECT_EQ(heard, AbortedError("too late"));
}

TEST_F(HandedOutTest, OnlyTheSealThatCountsIsHeard) {
  int heard = 0;
  const auto object = handed_out_.Track(std::unique_ptr<NewObject>(std::make_unique<FakeObject>()),
                                        [&](const Status&, Duration) { ++heard; });
  EXPECT_EQ(object->Seal(seconds(-1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(heard, 0);
  EXPECT_EQ(object->Seal(seconds(1)), AbortedError("too late"));
  EXPECT_EQ(heard, 1);
  EXPECT_FALSE(object->Seal(seconds(1)).ok());
  EXPECT_EQ(heard, 1);
}

TEST_F(HandedOutTest, AChildLetsGoOfNothingAndIsRefused) {
  auto view = View();
  auto session = handed_out_.Track(std::unique_ptr<ReadSession>(std::make_unique<FakeSession>()));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const PartItem item{};
    const bool refused =
        view->Verify().code() == StatusCode::kFailedPrecondition &&
        session->Read({&item, 1}, seconds(1))[0].status.code() == StatusCode::kFailedPrecondition;
    view.reset();
    session.reset();
    _exit(refused && ended_ == 0 ? 0 : 1);
  }
  int how = 0;
  ASSERT_EQ(waitpid(child, &how, 0), child);
  EXPECT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0);
  view.reset();
  EXPECT_EQ(ended_, 1);
}

}  // namespace
}  // namespace kvstore::client
