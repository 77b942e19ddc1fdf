// Objects made in place by real clients: in their own memory, and in that of a kvstore_node beside
// them, which they reach by shared memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/pool_test.h"
#include "cluster/child_process.h"
#include "kvstore/client.h"

namespace kvstore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using transfer::Way;

class CreateTest : public PoolTest {
 protected:
  // A master that soon ends the grants of writers that are gone.
  void SetUp() override {
    Start({"--heartbeat_ms=50", cluster::SuspectAfter(1000), "--abort_writer_after_ms=300",
           "--order_resend_ms=100"});
  }

  void Lend(const std::string& bytes) {
    shelf_ = std::make_unique<cluster::NodeProcess>(*master_, "shelf", bytes);
    ASSERT_TRUE(shelf_->running());
  }

  static void Fill(const NewObject& object, const std::string& value) {
    size_t written = 0;
    for (const Piece& piece : object.pieces()) {
      std::memcpy(piece.data, value.data() + written, piece.size);
      written += piece.size;
    }
    ASSERT_EQ(written, value.size());
  }

  // Whether an object of so many bytes finds room within `timeout`.
  static Status PutOf(Client& client, size_t size, Duration timeout) {
    PutOptions options;
    options.timeout = timeout;
    options.replace = true;
    return client.Put("other", BytesOf("other", size), options);
  }

  // One whose grant soon ends, which is asked for until a machine that is slow has given it in
  // time.
  static Result<std::unique_ptr<NewObject>> CreateSoonOver(Client& client, const std::string& key,
                                                           uint64_t size) {
    const TimePoint until = BootClock::now() + seconds(60);
    PutOptions options;
    for (options.timeout = milliseconds(200);; options.timeout *= 2) {
      Result<std::unique_ptr<NewObject>> object = client.Create(key, size, options);
      if (object.ok() || BootClock::now() >= until) return object;
    }
  }

  std::unique_ptr<cluster::NodeProcess> shelf_;
};

TEST_F(CreateTest, AnObjectMadeInPlaceIsReadByAll) {
  Lend("64MiB");
  const auto maker = Join(0, "maker");
  const auto reader = Join(0, "reader");
  const std::string value = BytesOf("k", 3 * kMiB + 17);
  Result<std::unique_ptr<NewObject>> object = maker->Create("k", value.size());
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ((*object)->size(), value.size());
  EXPECT_GT((*object)->deadline(), BootClock::now() + seconds(10));
  Fill(**object, value);
  EXPECT_EQ(reader->Get("k").status().code(), StatusCode::kNotFound);
  ASSERT_EQ((*object)->Seal(), Status::Ok());
  const Result<std::string> got = reader->Get("k");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(*got == value);
  EXPECT_GE(maker->counters(Way::kShm).mappings, 1u);
  EXPECT_EQ(maker->counters(Way::kTcp).bytes_written, 0u);
  EXPECT_EQ(maker->counters().puts_ok, 1u);
  EXPECT_EQ(maker->counters().bytes_put, value.size());
}

TEST_F(CreateTest, WhoLendsMakesObjectsInItsOwnMemory) {
  const auto maker = Join(16 * kMiB, "maker");
  const auto reader = Join(0, "reader");
  const std::string value = BytesOf("k", kMiB);
  Result<std::unique_ptr<NewObject>> object = maker->Create("k", value.size());
  ASSERT_TRUE(object.ok()) << object.status();
  Fill(**object, value);
  ASSERT_EQ((*object)->Seal(), Status::Ok());
  EXPECT_EQ(maker->counters(Way::kLocal).mappings, 1u);
  const Result<std::string> got = reader->Get("k");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(*got == value);
}

TEST_F(CreateTest, AnEmptyObjectIsMadeToo) {
  Lend("4MiB");
  const auto maker = Join(0, "maker");
  Result<std::unique_ptr<NewObject>> object = maker->Create("empty", 0);
  ASSERT_TRUE(object.ok()) << object.status();
  ASSERT_EQ((*object)->Seal(), Status::Ok());
  const Result<std::string> got = maker->Get("empty");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(*got, "");
}

TEST_F(CreateTest, WhereNobodyOnThisHostLendsTheAnswerSaysSo) {
  const auto maker = Join(0, "maker");
  const auto object = maker->Create("k", 5);
  EXPECT_EQ(object.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(object.status().message(), HasSubstr("no live node of this host lends memory"));
  EXPECT_EQ(maker->counters().puts_failed, 1u);
}

// Where nothing but the writer's word ends a grant while the test runs.
class PatientCreateTest : public CreateTest {
 protected:
  void SetUp() override { Start({}); }
};

TEST_F(PatientCreateTest, OneThatIsGivenUpFreesItsKeyAndItsMemoryAtOnce) {
  Lend("4MiB");
  const auto maker = Join(0, "maker");
  for (int i = 0; i < 5; ++i) {
    Result<std::unique_ptr<NewObject>> object = maker->Create("k", 3 * kMiB);
    ASSERT_TRUE(object.ok()) << i << ": " << object.status();
    EXPECT_EQ(maker->Create("k", 1).status().code(), StatusCode::kAlreadyExists);
  }
  EXPECT_EQ(maker->Put("k", "value"), Status::Ok());
}

TEST_F(CreateTest, AWriterThatOverranItsGrantKeepsItsMemoryToItself) {
  Lend("4MiB");
  const auto maker = Join(0, "maker");
  ASSERT_EQ(PutOf(*maker, 1, seconds(30)),
            Status::Ok());  // all that the first call takes longer for
  Result<std::unique_ptr<NewObject>> object = CreateSoonOver(*maker, "k", 3 * kMiB);
  ASSERT_TRUE(object.ok()) << object.status();
  std::this_thread::sleep_until((*object)->deadline());
  // Nobody else gets what may still be written.
  EXPECT_EQ(PutOf(*maker, 3 * kMiB, seconds(6)).code(), StatusCode::kResourceExhausted);
  Fill(**object, BytesOf("k", 3 * kMiB));
  EXPECT_EQ((*object)->Seal().code(), StatusCode::kAborted);
  EXPECT_EQ(PutOf(*maker, 3 * kMiB, seconds(30)), Status::Ok());
  const Result<std::string> got = maker->Get("other");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(*got == BytesOf("other", 3 * kMiB));
}

TEST_F(CreateTest, AWriterThatIsKilledLetsGoOfItsMemory) {
  Lend("4MiB");
  const auto client = Join(0, "client");
  cluster::ChildProcess creator(
      {KVSTORE_TEST_CREATOR_PATH, master_->address(), "k", std::to_string(3 * kMiB)});
  ASSERT_TRUE(creator.WaitForLine("created", seconds(60))) << creator.output();

  creator.Signal(SIGSTOP);  // in the midst of a write: it may go on at any time
  EXPECT_EQ(PutOf(*client, 3 * kMiB, seconds(6)).code(), StatusCode::kResourceExhausted);
  creator.Signal(SIGKILL);
  ASSERT_TRUE(creator.WaitForExit(seconds(10)));
  EXPECT_EQ(PutOf(*client, 3 * kMiB, seconds(20)), Status::Ok());
  const Result<std::string> got = client->Get("other");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(*got == BytesOf("other", 3 * kMiB));
  EXPECT_EQ(client->Get("k").status().code(), StatusCode::kNotFound);
}

TEST_F(CreateTest, WhenItsHolderEndsMeanwhileItsWriterGoesOnAndNobodyReadsOtherBytes) {
  Lend("4MiB");
  const auto maker = Join(0, "maker");
  const std::string value = BytesOf("k", kMiB);
  Result<std::unique_ptr<NewObject>> object = maker->Create("k", value.size());
  ASSERT_TRUE(object.ok()) << object.status();
  shelf_->process().Signal(SIGKILL);
  ASSERT_TRUE(shelf_->process().WaitForExit(seconds(10)));
  Fill(**object, value);  // the pages stay as long as they are mapped
  const TimePoint began = BootClock::now();
  // OK where the master has not heard of it yet: as if the holder had ended just after.
  const Status sealed = (*object)->Seal(seconds(5));
  EXPECT_LT(BootClock::now() - began, seconds(12));  // the holder is gone after 15
  const Result<std::string> got = maker->Get("k", seconds(1));
  EXPECT_FALSE(got.ok() && *got != value);
  EXPECT_FALSE(got.ok() && !sealed.ok());
}

}  // namespace
}  // namespace kvstore
