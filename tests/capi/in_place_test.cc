#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "capi/capi_test.h"

// Parts of objects, sessions, views and new objects, and how they keep their client open.
namespace kvstore {
namespace {

class CapiInPlaceTest : public CapiTest {
 protected:
  Owned<kvclient_view> View(const std::string& key) {
    const kvclient_key k = Key(key);
    kvclient_view* view = nullptr;
    EXPECT_EQ(kvclient_open_views(client_.get(), &k, 1, kPatienceMs, &view, nullptr), KVCLIENT_OK)
        << kvclient_last_error();
    return Owned<kvclient_view>(view);
  }

  Owned<kvclient_new_object> Create(const std::string& key, uint64_t size) {
    const kvclient_create_item item{Key(key), size};
    kvclient_new_object* object = nullptr;
    EXPECT_EQ(kvclient_create_objects(client_.get(), &item, 1, nullptr, &object, nullptr),
              KVCLIENT_OK)
        << kvclient_last_error();
    return Owned<kvclient_new_object>(object);
  }

  Owned<kvclient_session> Session(const std::string& key) {
    const kvclient_key k = Key(key);
    Owned<kvclient_session> session;
    EXPECT_EQ(kvclient_open_session(client_.get(), &k, 1, kPatienceMs, Into(session), nullptr),
              KVCLIENT_OK)
        << kvclient_last_error();
    return session;
  }

  static std::string BytesIn(const kvclient_view* view) {
    std::string bytes;
    uint64_t count = 0;
    const kvclient_const_piece* const pieces = kvclient_view_pieces(view, &count);
    for (uint64_t i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].data), pieces[i].size);
    }
    return bytes;
  }

  static void Fill(const kvclient_new_object* object, const std::string& bytes) {
    uint64_t count = 0, at = 0;
    const kvclient_piece* const pieces = kvclient_new_object_pieces(object, &count);
    for (uint64_t i = 0; i < count; at += pieces[i].size, ++i) {
      std::memcpy(pieces[i].data, bytes.data() + at, pieces[i].size);
    }
    EXPECT_EQ(at, bytes.size());
  }

  Owned<kvclient> client_ = Connect(16 * kMiB);
  const std::string value_ = BytesOf("value", 100'000);
};

TEST_F(CapiInPlaceTest, AGetReadsAPart) {
  ASSERT_EQ(Put(client_.get(), "key", value_), KVCLIENT_OK);
  EXPECT_EQ(Get(client_.get(), "key", 70'000, 5'000), value_.substr(70'000, 5'000));
  EXPECT_EQ(Get(client_.get(), "key", 90'000), value_.substr(90'000));
  EXPECT_EQ(Get(client_.get(), "key", 90'000, 10'001), "invalid_argument");
  EXPECT_EQ(Get(client_.get(), "key", UINT64_MAX, 1), "invalid_argument");
}

TEST_F(CapiInPlaceTest, ASessionReadsPartsOfWhatItFound) {
  ASSERT_EQ(Put(client_.get(), "b", value_), KVCLIENT_OK);
  const std::array<kvclient_key, 2> keys{kvclient_text_key("a"), kvclient_text_key("b")};
  Owned<kvclient_session> session;
  Owned<kvclient_results> found;
  ASSERT_EQ(
      kvclient_open_session(client_.get(), keys.data(), 2, kPatienceMs, Into(session), Into(found)),
      KVCLIENT_OK)
      << kvclient_last_error();
  EXPECT_EQ(kvclient_results_code(found.get(), 0), KVCLIENT_NOT_FOUND);
  EXPECT_EQ(kvclient_results_code(found.get(), 1), KVCLIENT_OK);
  EXPECT_EQ(kvclient_results_size(found.get(), 1), value_.size());

  std::string head(1'000, '\0'), rest(99'000, '\0');
  const kvclient_piece into_head{head.data(), head.size()}, into_rest{rest.data(), rest.size()};
  const std::array<kvclient_part_item, 3> parts{{{1, &into_head, 1, 0, 1'000},
                                                 {1, &into_rest, 1, 1'000, KVCLIENT_TO_THE_END},
                                                 {0, &into_head, 1, 0, 0}}};
  Owned<kvclient_results> read;
  EXPECT_EQ(kvclient_session_read(session.get(), parts.data(), 2, kPatienceMs, Into(read)),
            KVCLIENT_OK)
      << kvclient_last_error();
  EXPECT_EQ(head + rest, value_);
  EXPECT_EQ(kvclient_results_size(read.get(), 1), 99'000u);
  EXPECT_EQ(kvclient_session_read(session.get(), parts.data() + 2, 1, kPatienceMs, Into(read)),
            KVCLIENT_NOT_FOUND);
  const kvclient_part_item beyond{2, &into_head, 1, 0, 0};
  EXPECT_EQ(kvclient_session_read(session.get(), &beyond, 1, kPatienceMs, nullptr),
            KVCLIENT_INVALID_ARGUMENT);
}

TEST_F(CapiInPlaceTest, AViewOutlivesItsObject) {
  ASSERT_EQ(Put(client_.get(), "key", value_), KVCLIENT_OK);
  const Owned<kvclient_view> view = View("key");
  ASSERT_NE(view, nullptr);
  const kvclient_key key = kvclient_text_key("key");
  EXPECT_EQ(kvclient_remove(client_.get(), &key, 1, kPatienceMs, nullptr), KVCLIENT_OK);
  EXPECT_EQ(BytesIn(view.get()), value_);
  EXPECT_EQ(kvclient_view_size(view.get()), value_.size());
  EXPECT_NE(kvclient_view_checksum(view.get()), 0u);
  EXPECT_EQ(kvclient_view_verify(view.get()), KVCLIENT_OK);
}

TEST_F(CapiInPlaceTest, OnlyWhatIsThereIsViewed) {
  ASSERT_EQ(Put(client_.get(), "b", value_), KVCLIENT_OK);
  const std::array<kvclient_key, 2> keys{kvclient_text_key("a"), kvclient_text_key("b")};
  std::array<kvclient_view*, 2> views{};
  Owned<kvclient_results> results;
  EXPECT_EQ(
      kvclient_open_views(client_.get(), keys.data(), 2, kPatienceMs, views.data(), Into(results)),
      KVCLIENT_NOT_FOUND);
  EXPECT_EQ(kvclient_results_code(results.get(), 1), KVCLIENT_OK);
  EXPECT_EQ(views[0], nullptr);
  ASSERT_NE(views[1], nullptr);
  EXPECT_EQ(BytesIn(views[1]), value_);
  kvclient_view_free(views[1]);
}

TEST_F(CapiInPlaceTest, ANewObjectIsThereOnceItIsSealed) {
  const Owned<kvclient_new_object> object = Create("new", value_.size());
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(kvclient_new_object_size(object.get()), value_.size());
  EXPECT_GT(kvclient_new_object_deadline_ns(object.get()),
            BootClock::now().time_since_epoch().count());
  Fill(object.get(), value_);
  EXPECT_EQ(Get(client_.get(), "new"), "not_found");
  uint64_t count = 0;
  EXPECT_EQ(kvclient_new_object_seal(object.get(), 0), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_NE(kvclient_new_object_pieces(object.get(), &count), nullptr);
  EXPECT_EQ(kvclient_new_object_seal(object.get(), kPatienceMs), KVCLIENT_OK)
      << kvclient_last_error();
  EXPECT_EQ(kvclient_new_object_pieces(object.get(), &count), nullptr);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(Get(client_.get(), "new"), value_);
  EXPECT_EQ(kvclient_new_object_seal(object.get(), kPatienceMs), KVCLIENT_FAILED_PRECONDITION);
}

TEST_F(CapiInPlaceTest, AnUnsealedObjectIsGivenUp) {
  Create("given_up", 100).reset();
  EXPECT_EQ(Put(client_.get(), "given_up", "other"), KVCLIENT_OK) << kvclient_last_error();
}

TEST_F(CapiInPlaceTest, WhatIsOpenKeepsTheClientOpen) {
  ASSERT_EQ(Put(client_.get(), "key", value_), KVCLIENT_OK);
  Owned<kvclient_view> view = View("key");
  Owned<kvclient_new_object> object = Create("new", 100);
  Owned<kvclient_session> session = Session("key");
  EXPECT_EQ(kvclient_close(client_.get()), KVCLIENT_FAILED_PRECONDITION);
  EXPECT_EQ(std::string(kvclient_last_error()).find("3 "), 0u) << kvclient_last_error();
  EXPECT_EQ(Get(client_.get(), "key"), value_);  // as if close had not been called
  view.reset();
  object.reset();
  EXPECT_EQ(kvclient_close(client_.get()), KVCLIENT_FAILED_PRECONDITION);
  session.reset();
  EXPECT_EQ(kvclient_close(client_.release()), KVCLIENT_OK);
}

TEST_F(CapiInPlaceTest, AForkedChildIsRefusedAndFreesNothing) {
  ASSERT_EQ(Put(client_.get(), "key", value_), KVCLIENT_OK);
  const Owned<kvclient_view> view = View("key");
  const Owned<kvclient_new_object> object = Create("new", 100);
  const Owned<kvclient_session> session = Session("key");
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    const std::array<kvclient_code, 4> codes{
        kvclient_view_verify(view.get()),
        kvclient_new_object_seal(object.get(), kPatienceMs),
        kvclient_session_read(session.get(), nullptr, 0, kPatienceMs, nullptr),
        kvclient_close(client_.get()),
    };
    int wrong = 0;
    for (const kvclient_code code : codes) wrong += code != KVCLIENT_FAILED_PRECONDITION;
    kvclient_view_free(view.get());
    kvclient_new_object_free(object.get());
    kvclient_session_free(session.get());
    _exit(wrong);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(BytesIn(view.get()), value_);
  EXPECT_EQ(kvclient_new_object_seal(object.get(), kPatienceMs), KVCLIENT_OK);
}

}  // namespace
}  // namespace kvstore
