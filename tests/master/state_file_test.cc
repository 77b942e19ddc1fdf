// The state file on a real disk: what a reign begins with, what survives, what is refused.

#include "master/state_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "master/reign_text.h"

namespace kvstore::master {
namespace {

using std::chrono::seconds;

constexpr Incarnation kPool{7, 7};

// Waits until all that was asked for has been told.
class Told {
 public:
  Members::Done One() {
    {
      const std::lock_guard lock(mu_);
      ++open_;
    }
    return [this](const Status& status) {
      const std::lock_guard lock(mu_);
      --open_;
      if (!status.ok()) failed_.push_back(status);
      all_.notify_all();
    };
  }

  // Those that were not OK.
  std::vector<Status> Await() {
    std::unique_lock lock(mu_);
    EXPECT_TRUE(all_.wait_for(lock, seconds(30), [this] { return open_ == 0; }));
    return std::exchange(failed_, {});
  }

 private:
  std::mutex mu_;
  std::condition_variable all_;
  int open_ = 0;
  std::vector<Status> failed_;
};

class StateFileTest : public testing::Test {
 protected:
  StateFileTest() {
    folder_ = testing::TempDir() + "/state_file_test." + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
    path_ = folder_ + "/deeper/master.state";
  }
  ~StateFileTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<StateFile> Open() {
    Result<std::unique_ptr<StateFile>> file = StateFile::Open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }

  // What the next master begins with.
  Reign Next(Duration lease = seconds(5)) {
    const Result<Reign> reign = Open()->Begin({8, 8}, lease);
    EXPECT_TRUE(reign.ok()) << reign.status();
    return reign.ok() ? *reign : Reign{};
  }

  std::string Content() const {
    std::ostringstream text;
    text << std::ifstream(path_, std::ios::binary).rdbuf();
    return text.str();
  }

  void SetContent(const std::string& text) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
  }

  // The message with which the file is refused.
  std::string Refusal(StatusCode code) const {
    const Result<std::unique_ptr<StateFile>> file = StateFile::Open(path_);
    EXPECT_FALSE(file.ok());
    if (file.ok()) return "";
    EXPECT_EQ(file.status().code(), code) << file.status();
    EXPECT_NE(file.status().message().find(path_), std::string::npos) << file.status();
    return file.status().message();
  }

  std::string folder_;
  std::string path_;
  Told told_;
};

TEST_F(StateFileTest, FirstReignIsOfANewPoolAndTheNextFollowsIt) {
  const std::unique_ptr<StateFile> first = Open();
  const Result<Reign> reign = first->Begin(kPool, seconds(5));
  ASSERT_TRUE(reign.ok()) << reign.status();
  EXPECT_EQ(reign->pool, kPool);
  EXPECT_EQ(reign->term, 1U);
  EXPECT_TRUE(reign->members.empty());
  first->Close();
  const Result<Reign> again = ParseReign(Content());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->term, 1U);
}

TEST_F(StateFileTest, TermsGrowAndTheLongestLeaseIsKept) {
  ASSERT_TRUE(Open()->Begin(kPool, seconds(60)).ok());
  const Reign second = Next(seconds(5));
  EXPECT_EQ(second.pool, kPool);
  EXPECT_EQ(second.term, 2U);
  EXPECT_EQ(second.longest_lease, seconds(60));
  EXPECT_EQ(Next(seconds(90)).longest_lease, seconds(90));
}

TEST_F(StateFileTest, MembersAreKeptUntilTheyAreStruck) {
  {
    const auto file = Open();
    ASSERT_TRUE(file->Begin(kPool, seconds(5)).ok());
    file->Admit({{1, 1}, "with a space"}, told_.One());
    file->Admit({{2, 2}, ""}, told_.One());
    file->Admit({{3, 3}, "c"}, told_.One());
    EXPECT_TRUE(told_.Await().empty());
    file->Strike({{2, 2}, {9, 9}}, told_.One());
    EXPECT_TRUE(told_.Await().empty());
    const uint64_t writes = file->writes();
    file->Admit({{1, 1}, "with a space"}, told_.One());  // nothing new
    EXPECT_TRUE(told_.Await().empty());
    EXPECT_EQ(file->writes(), writes);
  }
  const std::vector<Reign::Member> expected = {{{1, 1}, "with a space"}, {{3, 3}, "c"}};
  EXPECT_EQ(Next().members, expected);
}

TEST_F(StateFileTest, StormOfJoinsSharesWrites) {
  const auto file = Open();
  ASSERT_TRUE(file->Begin(kPool, seconds(5)).ok());
  constexpr uint64_t kNodes = 2000;
  for (uint64_t i = 1; i <= kNodes; ++i) file->Admit({{i, i}, "node"}, told_.One());
  EXPECT_TRUE(told_.Await().empty());
  EXPECT_LT(file->writes(), kNodes / 4);
  file->Close();
  const Result<Reign> kept = ParseReign(Content());
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->members.size(), kNodes);
}

TEST_F(StateFileTest, WhatCanNotBeWrittenIsToldAndNothingHasChanged) {
  const auto file = Open();
  ASSERT_TRUE(file->Begin(kPool, seconds(5)).ok());
  file->Admit({{1, 1}, "a"}, told_.One());
  ASSERT_TRUE(told_.Await().empty());
  const std::string before = Content();
  std::filesystem::create_directory(path_ + ".new");  // what is written beside can't be opened
  file->Admit({{2, 2}, "b"}, told_.One());
  file->Strike({{1, 1}}, told_.One());
  const std::vector<Status> failed = told_.Await();
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].code(), StatusCode::kUnavailable);
  EXPECT_NE(failed[0].message().find(path_), std::string::npos) << failed[0];
  EXPECT_EQ(Content(), before);
  std::filesystem::remove(path_ + ".new");
  file->Admit({{3, 3}, "c"}, told_.One());
  EXPECT_TRUE(told_.Await().empty());
  file->Close();
  const std::vector<Reign::Member> expected = {{{1, 1}, "a"}, {{3, 3}, "c"}};
  EXPECT_EQ(ParseReign(Content())->members, expected);
}

TEST_F(StateFileTest, ClosedItRefuses) {
  const auto file = Open();
  ASSERT_TRUE(file->Begin(kPool, seconds(5)).ok());
  file->Close();
  file->Admit({{1, 1}, "a"}, told_.One());
  EXPECT_EQ(told_.Await().size(), 1U);
}

TEST_F(StateFileTest, SecondMasterIsToldWhoHasTheFile) {
  auto file = Open();
  const std::string refusal = Refusal(StatusCode::kFailedPrecondition);
  EXPECT_NE(refusal.find("process " + std::to_string(getpid())), std::string::npos) << refusal;
  file.reset();
  EXPECT_NE(Open(), nullptr);
}

// Whatever a crash or a full disk leaves of the file, it is refused, or it is the whole file.
TEST_F(StateFileTest, CutOffAnywhereItIsRefused) {
  {
    const auto file = Open();
    ASSERT_TRUE(file->Begin(kPool, seconds(5)).ok());
    file->Admit({{1, 1}, "a"}, told_.One());
    ASSERT_TRUE(told_.Await().empty());
  }
  const std::string whole = Content();
  for (size_t length = 0; length < whole.size(); ++length) {
    SetContent(whole.substr(0, length));
    EXPECT_NE(Refusal(StatusCode::kDataLoss).find("restore"), std::string::npos) << length;
  }
}

TEST_F(StateFileTest, AnyOtherByteIsRefused) {
  ASSERT_TRUE(Open()->Begin(kPool, seconds(5)).ok());
  const std::string whole = Content();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string other = whole;
    other[at] = static_cast<char>(other[at] ^ 1);
    EXPECT_FALSE(ParseReign(other).ok()) << at;
  }
}

// Its checksum is right, yet no time could be added to it.
TEST_F(StateFileTest, LeaseThatNoMasterGivesIsRefused) {
  const std::string text = ToText({kPool, 1, Duration::max(), {}});
  EXPECT_EQ(ParseReign(text).status().code(), StatusCode::kDataLoss);
  const Duration longest = std::chrono::hours(24 * 3650);
  EXPECT_EQ(ParseReign(ToText({kPool, 1, longest, {}}))->longest_lease, longest);
}

// A crash before the rename leaves the older file, whatever lies beside it.
TEST_F(StateFileTest, WhatLiesBesideItIsIgnored) {
  ASSERT_TRUE(Open()->Begin(kPool, seconds(5)).ok());
  for (const std::string& beside : {std::string(), Content(), Content().substr(0, 30)}) {
    std::ofstream(path_ + ".new", std::ios::trunc) << beside;
    EXPECT_EQ(Next().pool, kPool);
  }
}

TEST_F(StateFileTest, ForeignAndLaterFilesAreRefused) {
  ASSERT_TRUE(Open()->Begin(kPool, seconds(5)).ok());
  SetContent("# a shopping list\n");
  EXPECT_NE(Refusal(StatusCode::kFailedPrecondition).find("not written by a kvstore_master"),
            std::string::npos);
  SetContent("kvstore master state 2\nchecksum 0\n");
  EXPECT_NE(Refusal(StatusCode::kFailedPrecondition).find("version '2'"), std::string::npos);
}

TEST_F(StateFileTest, FolderThatCanNotBeMadeIsAnError) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/deeper") << "a file";
  EXPECT_EQ(StateFile::Open(path_).status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace kvstore::master
