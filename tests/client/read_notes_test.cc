#include "client/read_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "client/note_sender.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

PutId Put(uint64_t sequence) { return {{9, 9}, sequence}; }

TEST(ReadNotesTest, EachPutIsNotedOnceUntilItIsTaken) {
  ReadNotes notes;
  for (const uint64_t sequence : {1, 2, 1, 1}) notes.Add(Put(sequence));
  EXPECT_THAT(notes.Take(), UnorderedElementsAre(Put(1), Put(2)));
  EXPECT_THAT(notes.Take(), IsEmpty());
  notes.Add(Put(1));
  EXPECT_THAT(notes.Take(), UnorderedElementsAre(Put(1)));
}

TEST(ReadNotesTest, WhatFindsNoRoomIsNotNoted) {
  ReadNotes notes;
  for (uint64_t i = 0; i < ReadNotes::kMostKept + 10; ++i) notes.Add(Put(i));
  EXPECT_EQ(notes.Take().size(), ReadNotes::kMostKept);
}

TEST(ReadNotesTest, ClosingEndsEveryWait) {
  ReadNotes notes;
  std::thread closer([&] { notes.Close(); });
  EXPECT_FALSE(notes.AwaitSome());
  EXPECT_FALSE(notes.Gather(TimePoint::max()));
  closer.join();
}

// What a sender has told so far.
class Told {
 public:
  void Tell(const std::vector<PutId>& notes) {
    MutexLock lock(mu_);
    times_.push_back(BootClock::now());
    puts_.insert(puts_.end(), notes.begin(), notes.end());
    changed_.NotifyAll();
  }
  // Whether there were so many tellings within 10 s.
  bool Await(size_t tellings) {
    const TimePoint until = BootClock::now() + seconds(10);
    MutexLock lock(mu_);
    while (times_.size() < tellings && BootClock::now() < until) changed_.WaitUntil(mu_, until);
    return times_.size() >= tellings;
  }
  std::vector<TimePoint> times() {
    MutexLock lock(mu_);
    return times_;
  }
  std::vector<PutId> puts() {
    MutexLock lock(mu_);
    return puts_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<TimePoint> times_ GUARDED_BY(mu_);
  std::vector<PutId> puts_ GUARDED_BY(mu_);
};

TEST(NoteSenderTest, TellsWhatGatheredAndNotMoreOftenThanItShould) {
  Told told;
  ReadNotes notes;
  const TimePoint began = BootClock::now();
  NoteSender sender(
      notes, [&](std::vector<PutId> some) { told.Tell(std::move(some)); }, milliseconds(50));
  for (size_t round = 1; round <= 3; ++round) {
    for (int i = 0; i < 100; ++i) notes.Add(Put(round));
    ASSERT_TRUE(told.Await(round));
  }
  EXPECT_THAT(told.puts(), UnorderedElementsAre(Put(1), Put(2), Put(3)));
  TimePoint before = began;
  for (const TimePoint time : told.times()) {
    EXPECT_GE(time - before, milliseconds(50));
    before = time;
  }
}

TEST(NoteSenderTest, EndsAtOnceAndTellsNothingWhereThereIsNothing) {
  Told told;
  const TimePoint began = BootClock::now();
  for (const bool noted : {false, true}) {
    ReadNotes notes;
    if (noted) notes.Add(Put(1));
    const NoteSender sender(
        notes, [&](std::vector<PutId> some) { told.Tell(std::move(some)); }, std::chrono::hours(1));
  }
  EXPECT_LT(BootClock::now() - began, seconds(10));
  EXPECT_THAT(told.times(), IsEmpty());
}

}  // namespace
}  // namespace kvstore::client
