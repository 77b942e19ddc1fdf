// Readers that are killed or stopped in the midst of a Get, with a view in their hands, or between
// two parts of a read session, while others replace and remove what they read and write over the
// pool.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

class ReaderSteps : public OneHost {
 protected:
  static std::string Get(const std::string& where) {
    return "get told " + std::to_string(kCells) + " " + where;
  }
  static std::string Part(size_t which) {
    return "part told " + std::to_string(which * kCells / 4) + " " + std::to_string(kCells / 4);
  }
};

// A reader holds nothing back. The bytes that it took before and after the memory was given to
// others it never returns.
TEST_F(ReaderSteps, StoppedInTheMidstOfAGetAndContinued) {
  for (const std::string where : {"begin", "half"}) {
    SCOPED_TRACE(where);
    PutTold("told", 1);
    ToldClient reader(master_, "told", 0, ToldClient::Checksums::kUnchecked);
    const int get = reader.Begin(Get(where));
    reader.AwaitStop(get, where);
    reader.Stop();
    ExpectWholePool();
    WriteOverThePool();
    PutTold("told", 2);
    reader.Continue();
    reader.GoOn();
    EXPECT_EQ(reader.Result(get), "version 2");
    EXPECT_GE(reader.Counter("refused"), 1u);
    EXPECT_GE(reader.Counter("shm_read"), kBytes);
    EXPECT_EQ(reader.Counter("tcp"), 0u);
    EXPECT_EQ(reader.End(), 0);
  }
}

TEST_F(ReaderSteps, StoppedInTheMidstOfAGetOfWhatIsRemoved) {
  for (const std::string where : {"begin", "half"}) {
    SCOPED_TRACE(where);
    PutTold("told", 1);
    ToldClient reader(master_, "told", 0, ToldClient::Checksums::kUnchecked);
    const int get = reader.Begin(Get(where));
    reader.AwaitStop(get, where);
    reader.Stop();
    ASSERT_EQ(writer_->Remove("told"), Status::Ok());
    WriteOverThePool();
    reader.Continue();
    reader.GoOn();
    EXPECT_TRUE(reader.Result(get).starts_with("not_found"));
  }
}

// The copy was validated before.
TEST_F(ReaderSteps, StoppedAfterTheCopyItReturnsWhatItRead) {
  PutTold("told", 3);
  ToldClient reader(master_, "told");
  const int get = reader.Begin(Get("sum"));
  reader.AwaitStop(get, "sum");
  reader.Stop();
  WriteOverThePool();
  ExpectWholePool();
  reader.Continue();
  reader.GoOn();
  EXPECT_EQ(reader.Result(get), "version 3");
}

TEST_F(ReaderSteps, KilledInTheMidstOfAGet) {
  for (const std::string where : {"begin", "half", "sum"}) {
    SCOPED_TRACE(where);
    PutTold("told", 4);
    ToldClient reader(master_, "told");
    reader.AwaitStop(reader.Begin(Get(where)), where);
    reader.Kill();
    EXPECT_EQ(Read("told"), "version 4");
    ExpectWholePool();
  }
  WriteOverThePool();
}

// What a view is of may be removed, replaced or evicted: the view keeps its bytes, and its memory
// from everybody else.
TEST_F(ReaderSteps, AViewKeepsItsBytesUntilItIsReleased) {
  for (const std::string what : {"removed", "replaced", "evicted"}) {
    for (const bool stopped : {false, true}) {
      SCOPED_TRACE(what + (stopped ? ", viewer stopped" : ""));
      PutTold("told", 5);
      ToldClient viewer(master_, "told");
      ASSERT_EQ(viewer.Do("view told"), "version 5");
      if (stopped) viewer.Stop();
      if (what == "removed") {
        ASSERT_EQ(writer_->Remove("told"), Status::Ok());
      }
      if (what == "replaced") PutTold("told", 6);
      WriteOverThePool();
      ExpectAllButOneObject();
      WriteOverThePool();
      if (stopped) viewer.Continue();
      EXPECT_EQ(viewer.Do("look told"), "version 5");
      EXPECT_EQ(viewer.Counter("shm_mappings"), 1u);
      EXPECT_EQ(viewer.Do("release told"), "ok");
      ExpectWholePool();
      EXPECT_EQ(viewer.End(), 0);
    }
  }
}

TEST_F(ReaderSteps, AViewEndsWithItsProcess) {
  for (const bool stopped : {false, true}) {
    SCOPED_TRACE(stopped);
    PutTold("told", 7);
    ToldClient killed(master_, "killed");
    ToldClient other(master_, "other");
    ASSERT_EQ(killed.Do("view told"), "version 7");
    ASSERT_EQ(other.Do("view told"), "version 7");
    ASSERT_EQ(writer_->Remove("told"), Status::Ok());
    if (stopped) killed.Stop();
    killed.Kill();
    // The other one's view of the same memory lasts.
    WriteOverThePool();
    ExpectAllButOneObject();
    EXPECT_EQ(other.Do("look told"), "version 7");
    other.Kill();
    ExpectWholePool();
  }
}

// A process that is stopped with a view for long enough is gone for the master. Its view is not.
TEST_F(ReaderSteps, AViewOutlivesItsClientsMembership) {
  PutTold("told", 8);
  // It lends a granule, since the master tells of lenders what becomes of them.
  ToldClient viewer(master_, "told", 4096);
  ASSERT_EQ(viewer.Do("view told"), "version 8");
  viewer.Stop();
  ASSERT_TRUE(master_.process().WaitForLine(" is gone", std::chrono::seconds(20)))
      << master_.process().output();
  ASSERT_EQ(writer_->Remove("told"), Status::Ok());
  WriteOverThePool();
  ExpectAllButOneObject();
  viewer.Continue();
  EXPECT_EQ(viewer.Do("look told"), "version 8");
  ExpectAllButOneObject();
  EXPECT_EQ(viewer.Do("release told"), "ok");
  ExpectWholePool();
}

// All parts of one object are of the same put, however long it takes.
TEST_F(ReaderSteps, AReadSessionIsStoppedBetweenLayers) {
  for (const std::string what : {"kept", "removed", "replaced", "evicted"}) {
    SCOPED_TRACE(what);
    PutTold("told", 9);
    ToldClient reader(master_, "told");
    ASSERT_EQ(reader.Do("open told"), "ok");
    ASSERT_EQ(reader.Do(Part(0)), "version 9");
    ASSERT_EQ(reader.Do(Part(1)), "version 9");
    reader.Stop();
    if (what == "removed") {
      ASSERT_EQ(writer_->Remove("told"), Status::Ok());
    }
    if (what == "evicted") ExpectWholePool();
    if (what != "kept") WriteOverThePool();
    if (what == "replaced" || what == "evicted") PutTold("told", 10);
    reader.Continue();
    const std::string part = reader.Do(Part(2));
    if (what == "kept") {
      EXPECT_EQ(part, "version 9");
      continue;
    }
    EXPECT_TRUE(part.starts_with("aborted")) << part;
    const std::string last = reader.Do(Part(3));
    EXPECT_TRUE(last.starts_with("aborted")) << last;
    EXPECT_EQ(reader.Do("close told"), "ok");
    EXPECT_EQ(reader.Do("open told"), what == "removed" ? "not_found: no such object" : "ok");
    if (what != "removed") {
      EXPECT_EQ(reader.Do(Part(3)), "version 10");
    }
    ExpectWholePool();  // a session holds nothing back
  }
}

TEST_F(ReaderSteps, AReaderIsKilledBetweenLayers) {
  PutTold("told", 11);
  ToldClient reader(master_, "told");
  ASSERT_EQ(reader.Do("open told"), "ok");
  ASSERT_EQ(reader.Do(Part(0)), "version 11");
  reader.Kill();
  EXPECT_EQ(Read("told"), "version 11");
  WriteOverThePool();
  ExpectWholePool();
}

}  // namespace
}  // namespace kvstore::cluster
