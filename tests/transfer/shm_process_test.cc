// Shared memory between real processes, which are stopped and killed at every step of a copy.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "transfer/child_process.h"
#include "transfer/shm_peer_text.h"
#include "transfer/shm_peers.h"

namespace kvstore::transfer {
namespace {

using Bytes = std::vector<unsigned char>;

// What the program copies and views.
constexpr Stretch kPart{.offset = 1 << 20, .length = 4 << 20};

// A holder in this process, and a child that reaches its memory under birth 5.
class ShmProcess : public testing::TestWithParam<ShmStep> {
 protected:
  std::unique_ptr<ChildProcess> Start(const std::string& what) const {
    return std::make_unique<ChildProcess>(
        KVSTORE_TEST_SHM_PEER_PATH,
        std::vector<std::string>{what, ToHex(holder_.engine->Descriptor()),
                                 std::to_string(holder_.region), std::to_string(StopsAt())});
  }
  // A ShmStep of the child, or -1: it goes on.
  virtual int StopsAt() const { return static_cast<int>(GetParam()); }

  bool Names(const Stretch& part) const {
    const std::vector<Stretch> touched = holder_.Touched();
    return std::find(touched.begin(), touched.end(), part) != touched.end();
  }
  // The memory has its next owner, who finds his bytes there until the end.
  void GiveToTheNextOwner() { holder_.Fill(kPart.offset, kPart.length, 9); }
  bool TheNextOwnersBytesAreThere() const {
    return holder_.IsFilled(kPart.offset, kPart.length, 9);
  }
  // Traffic of others, over the same holder, while a process hangs.
  void OthersGoOn() {
    SharingClient other(holder_);
    Bytes bytes(100000, 3);
    for (int i = 0; i < 20; ++i) {
      const Completion end = other.Run(Access::kWrite, 32 << 20, &bytes, 6);
      EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
      EXPECT_EQ(end.way, Way::kShm);
    }
    EXPECT_FALSE(Names({.offset = 32 << 20, .length = bytes.size()}));
  }

  SharingHolder holder_;
};

class ShmWriterProcess : public ShmProcess {};
INSTANTIATE_TEST_SUITE_P(EveryStep, ShmWriterProcess,
                         testing::Values(ShmStep::kSlotSet, ShmStep::kWordRead,
                                         ShmStep::kFirstSlice, ShmStep::kLastSlice));

TEST_P(ShmWriterProcess, WhatItWritesIsFreeWhenItWasKilledAndNotBefore) {
  const auto writer = Start("write");
  ASSERT_TRUE(writer->WaitUntilStopped());
  holder_.Stamp(6);
  EXPECT_TRUE(Names(kPart));
  OthersGoOn();
  EXPECT_TRUE(Names(kPart));
  const uint64_t told = holder_.guard.left;
  writer->Kill();
  EXPECT_TRUE(holder_.Touched().empty());
  EXPECT_TRUE(Eventually([&] { return holder_.guard.left > told; })) << "the owner was not told";
  EXPECT_TRUE(Eventually([&] { return holder_.engine->served().shm_peers == 0; }));
  GiveToTheNextOwner();
  EXPECT_TRUE(TheNextOwnersBytesAreThere());
}

TEST_P(ShmWriterProcess, WhatItWritesIsFreeWhenItWentOnAndNotBefore) {
  const auto writer = Start("write");
  ASSERT_TRUE(writer->WaitUntilStopped());
  holder_.Stamp(6);
  EXPECT_TRUE(Names(kPart));
  OthersGoOn();
  EXPECT_TRUE(Names(kPart));
  const uint64_t told = holder_.guard.left;
  writer->Continue();
  EXPECT_TRUE(Eventually([&] { return holder_.guard.left > told && !Names(kPart); }));
  GiveToTheNextOwner();
  // Stopped behind its last byte, it had done all; else it found out, and wrote no further.
  EXPECT_EQ(writer->ReadLine(), GetParam() == ShmStep::kLastSlice ? "ok" : "aborted");
  writer->Kill();
  EXPECT_TRUE(TheNextOwnersBytesAreThere()) << "a write landed after it was said to have ended";
}

class ShmReaderProcess : public ShmProcess {};
INSTANTIATE_TEST_SUITE_P(EveryStep, ShmReaderProcess,
                         testing::Values(ShmStep::kWordRead, ShmStep::kFirstSlice,
                                         ShmStep::kLastSlice));

TEST_P(ShmReaderProcess, AReaderThatWasStoppedHoldsNobodyUpAndReturnsNothingFalse) {
  const auto reader = Start("read");
  ASSERT_TRUE(reader->WaitUntilStopped());
  holder_.Stamp(6);
  EXPECT_TRUE(holder_.Touched().empty());
  GiveToTheNextOwner();
  reader->Continue();
  EXPECT_EQ(reader->ReadLine(), "aborted");
  EXPECT_TRUE(TheNextOwnersBytesAreThere());
}

class ShmMapperProcess : public ShmProcess {};
INSTANTIATE_TEST_SUITE_P(EveryStep, ShmMapperProcess,
                         testing::Values(ShmStep::kSlotSet, ShmStep::kWordRead));

TEST_P(ShmMapperProcess, WhatItMapsIsFreeWhenItWasKilledAndNotBefore) {
  const auto mapper = Start("view");
  ASSERT_TRUE(mapper->WaitUntilStopped());
  holder_.Stamp(6);
  EXPECT_TRUE(Names(kPart));
  OthersGoOn();
  EXPECT_TRUE(Names(kPart));
  const uint64_t told = holder_.guard.left;
  mapper->Kill();
  EXPECT_TRUE(holder_.Touched().empty());
  EXPECT_TRUE(Eventually([&] { return holder_.guard.left > told; })) << "the owner was not told";
  EXPECT_TRUE(Eventually([&] { return holder_.engine->served().shm_peers == 0; }));
}

TEST_P(ShmMapperProcess, WhatItMapsIsRefusedOrNamedUntilItIsReleased) {
  const auto mapper = Start("view");
  ASSERT_TRUE(mapper->WaitUntilStopped());
  holder_.Stamp(6);
  EXPECT_TRUE(Names(kPart));
  mapper->Continue();
  // Stopped behind the word, it had read that the memory is its object's still.
  const bool mapped = GetParam() == ShmStep::kWordRead;
  EXPECT_EQ(mapper->ReadLine(), mapped ? "viewing" : "aborted");
  EXPECT_EQ(Names(kPart), mapped);
  mapper->CloseInput();
  EXPECT_TRUE(Eventually([&] { return holder_.Touched().empty(); }));
}

class ShmViewerProcess : public ShmProcess {
 protected:
  int StopsAt() const override { return -1; }
};

TEST_F(ShmViewerProcess, AViewStandsWhileItsProcessIsStoppedAndEndsWithIt) {
  const auto viewer = Start("view");
  ASSERT_EQ(viewer->ReadLine(), "viewing");
  holder_.Stamp(6);
  EXPECT_TRUE(Names(kPart));
  viewer->Stop();
  OthersGoOn();
  EXPECT_TRUE(Names(kPart));
  const uint64_t told = holder_.guard.left;
  viewer->Kill();
  EXPECT_TRUE(holder_.Touched().empty());
  EXPECT_TRUE(Eventually([&] { return holder_.guard.left > told; }));
}

TEST_F(ShmViewerProcess, AViewThatIsReleasedIsNamedNoMore) {
  const auto viewer = Start("view");
  ASSERT_EQ(viewer->ReadLine(), "viewing");
  EXPECT_TRUE(Names(kPart));
  viewer->CloseInput();
  EXPECT_TRUE(Eventually([&] { return holder_.Touched().empty(); }));
}

TEST_F(ShmViewerProcess, AForkedChildThatKeepsTheSocketKeepsNoMemory) {
  const auto viewer = Start("fork");
  ASSERT_EQ(viewer->ReadLine(), "forked");
  EXPECT_TRUE(Eventually([&] { return Names(kPart); }));
  viewer->Kill();
  EXPECT_TRUE(holder_.Touched().empty());
  EXPECT_TRUE(Eventually([&] { return holder_.engine->served().shm_peers == 0; }))
      << "its end was not seen, since a child of it holds the socket";
  viewer->CloseInput();
  EXPECT_EQ(viewer->ReadLine(), "gone");
}

// A holder in a process of its own, whose memory is all ones.
class ShmHolderProcess : public testing::Test {
 protected:
  ShmHolderProcess() {
    descriptor_ = FromHex(holder_.ReadLine());
    region_ = static_cast<RegionId>(std::stoul(holder_.ReadLine()));
    TransferGuards guards;
    guards.at_step = [this](ShmStep step) {
      if (at_step_) at_step_(step);
    };
    client_ = CreateEngine({}, guards).value();
    peer_ = client_->Open(descriptor_).value();
  }
  Completion Run(Access access, Bytes* bytes) { return RunBy(*client_, peer_, access, bytes); }
  Completion RunBy(Engine& engine, PeerId peer, Access access, Bytes* bytes) const {
    const Piece piece{bytes->data(), bytes->size()};
    const Copy copy{.access = access,
                    .peer = peer,
                    .region = region_,
                    .offset = 0,
                    .pieces = std::span(&piece, 1),
                    .guard = std::nullopt};
    return engine.Run(std::span(&copy, 1), In(std::chrono::seconds(5))).at(0);
  }
  StatusCode MapCode(Duration timeout) {
    return client_
        ->Map({.access = Access::kRead,
               .peer = peer_,
               .region = region_,
               .offset = 0,
               .length = 100,
               .guard = std::nullopt},
              In(timeout))
        .status()
        .code();
  }

  ChildProcess holder_{KVSTORE_TEST_SHM_PEER_PATH, {"hold"}};
  std::string descriptor_;
  RegionId region_ = 0;
  std::function<void(ShmStep)> at_step_;
  std::unique_ptr<Engine> client_;
  PeerId peer_ = 0;
};

TEST_F(ShmHolderProcess, ReadersOfAHolderThatIsKilledGetItsBytesOrAnError) {
  for (const ShmStep moment : {ShmStep::kWordRead, ShmStep::kFirstSlice, ShmStep::kLastSlice}) {
    at_step_ = [&](ShmStep step) {
      if (step == moment) holder_.Kill();
    };
    Bytes bytes(32 << 20, 0);
    const Completion end = Run(Access::kRead, &bytes);
    if (end.outcome == Outcome::kDone) {
      EXPECT_EQ(bytes, Bytes(bytes.size(), 1));
    }
  }
  at_step_ = nullptr;
  Bytes bytes(100);
  EXPECT_TRUE(Eventually([&] { return Run(Access::kRead, &bytes).outcome != Outcome::kDone; }));
  EXPECT_NE(Run(Access::kWrite, &bytes).outcome, Outcome::kDone);
}

TEST_F(ShmHolderProcess, AHolderThatIsStoppedIsReadAndWrittenInPlace) {
  Bytes bytes(8 << 20, 0);
  ASSERT_EQ(Run(Access::kRead, &bytes).outcome, Outcome::kDone);
  ASSERT_EQ(Run(Access::kWrite, &bytes).outcome, Outcome::kDone);
  holder_.Stop();
  const Completion read = Run(Access::kRead, &bytes);
  EXPECT_EQ(read.outcome, Outcome::kDone) << read.status;
  EXPECT_EQ(read.way, Way::kShm);
  EXPECT_EQ(bytes, Bytes(bytes.size(), 1));
  Bytes other(100, 2);
  EXPECT_EQ(Run(Access::kWrite, &other).outcome, Outcome::kDone);
  holder_.Continue();
  ASSERT_EQ(Run(Access::kRead, &other).outcome, Outcome::kDone);
  EXPECT_EQ(other, Bytes(100, 2));
}

// What has gone may come back under another name: worth another try, unlike what never can be.
TEST_F(ShmHolderProcess, AHolderThatIsKilledIsUnavailable) {
  const std::unique_ptr<Engine> shm_only = CreateEngine({.ways = {Way::kShm}}, {}).value();
  const PeerId peer = shm_only->Open(descriptor_).value();
  Bytes bytes(100);
  ASSERT_EQ(RunBy(*shm_only, peer, Access::kRead, &bytes).outcome, Outcome::kDone);
  ASSERT_EQ(MapCode(std::chrono::seconds(5)), StatusCode::kOk);
  holder_.Kill();
  EXPECT_TRUE(
      Eventually([&] { return MapCode(std::chrono::seconds(5)) == StatusCode::kUnavailable; }));
  EXPECT_EQ(MapCode(std::chrono::seconds(5)), StatusCode::kUnavailable);
  EXPECT_EQ(MapCode(-std::chrono::seconds(1)), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Eventually([&] {
    return RunBy(*shm_only, peer, Access::kRead, &bytes).status.code() == StatusCode::kUnavailable;
  }));
}

TEST_F(ShmHolderProcess, AHolderThatIsStoppedBeforeItWasReachedIsUnavailable) {
  holder_.Stop();
  EXPECT_EQ(MapCode(std::chrono::seconds(20)), StatusCode::kUnavailable);
  EXPECT_EQ(MapCode(Duration::zero()), StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace kvstore::transfer
