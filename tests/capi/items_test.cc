#include <array>
#include <limits>

#include "capi/capi_test.h"

// Null and nonsensical arguments are answered, each by invalid_argument and a message.
namespace kvstore {
namespace {

constexpr uint64_t kNonsense = std::numeric_limits<uint64_t>::max() - 2;

class CapiItemsTest : public CapiTest {
 protected:
  static void ExpectRefused(kvclient_code code) {
    EXPECT_EQ(code, KVCLIENT_INVALID_ARGUMENT);
    EXPECT_STRNE(kvclient_last_error(), "");
  }

  Owned<kvclient> client_ = Connect(kMiB);
  std::string memory_ = std::string(100, '\0');
  const kvclient_piece piece_{memory_.data(), memory_.size()};
  const kvclient_const_piece const_piece_{memory_.data(), memory_.size()};
  const kvclient_key key_ = kvclient_text_key("key");
};

TEST_F(CapiItemsTest, NoItemsAreAnsweredByNoResults) {
  Owned<kvclient_results> results;
  EXPECT_EQ(kvclient_put(client_.get(), nullptr, 0, nullptr, Into(results)), KVCLIENT_OK);
  ASSERT_NE(results, nullptr);
  EXPECT_EQ(kvclient_results_count(results.get()), 0u);
  EXPECT_EQ(kvclient_get(client_.get(), nullptr, 0, kPatienceMs, nullptr), KVCLIENT_OK);
  EXPECT_EQ(kvclient_exists(client_.get(), nullptr, 0, kPatienceMs, nullptr), KVCLIENT_OK);
}

TEST_F(CapiItemsTest, ArraysThatAreNullOrEndlessAreRefused) {
  kvclient* const c = client_.get();
  auto* results = reinterpret_cast<kvclient_results*>(this);  // must be overwritten
  const kvclient_put_item put{key_, &const_piece_, 1};
  ExpectRefused(kvclient_put(c, nullptr, 1, nullptr, &results));
  EXPECT_EQ(results, nullptr);
  ExpectRefused(kvclient_put(c, &put, kNonsense, nullptr, nullptr));
  ExpectRefused(kvclient_get(c, nullptr, 1, kPatienceMs, nullptr));
  ExpectRefused(kvclient_exists(c, nullptr, 1, kPatienceMs, nullptr));
  ExpectRefused(kvclient_wait_exists(c, nullptr, 1, kPatienceMs, nullptr));
  ExpectRefused(kvclient_remove(c, &key_, kNonsense, kPatienceMs, nullptr));
  ExpectRefused(kvclient_stat(c, nullptr, 1, kPatienceMs, nullptr));

  const kvclient_put_item no_pieces{key_, nullptr, 1};
  const kvclient_put_item many_pieces{key_, &const_piece_, kNonsense};
  ExpectRefused(kvclient_put(c, &no_pieces, 1, nullptr, nullptr));
  ExpectRefused(kvclient_put(c, &many_pieces, 1, nullptr, nullptr));
  const kvclient_get_item get{key_, nullptr, 3, 0, 0};
  ExpectRefused(kvclient_get(c, &get, 1, kPatienceMs, nullptr));
  EXPECT_EQ(Get(c, "key"), "not_found");  // nothing was put
}

TEST_F(CapiItemsTest, KeysAndPiecesThatAreNullAreRefused) {
  kvclient* const c = client_.get();
  const kvclient_key null_key{nullptr, 3};
  ExpectRefused(kvclient_exists(c, &null_key, 1, kPatienceMs, nullptr));
  const kvclient_put_item null_put{null_key, &const_piece_, 1};
  ExpectRefused(kvclient_put(c, &null_put, 1, nullptr, nullptr));
  const kvclient_key no_text = kvclient_text_key(nullptr);
  ExpectRefused(kvclient_exists(c, &no_text, 1, kPatienceMs, nullptr));

  const kvclient_const_piece null_piece{nullptr, 8};
  const std::array<kvclient_put_item, 2> puts{{{key_, &null_piece, 1}, {key_, nullptr, 0}}};
  Owned<kvclient_results> results;
  ExpectRefused(kvclient_put(c, puts.data(), 2, nullptr, Into(results)));
  EXPECT_EQ(kvclient_results_code(results.get(), 0), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_results_code(results.get(), 1), KVCLIENT_OK);
}

TEST_F(CapiItemsTest, KeysAndTimesOutOfBoundsAreRefused) {
  kvclient* const c = client_.get();
  const std::string too_long(1025, 'k');
  for (const kvclient_key key : {Key(too_long), kvclient_text_key("")}) {
    ExpectRefused(kvclient_exists(c, &key, 1, kPatienceMs, nullptr));
  }
  for (const int64_t timeout : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    ExpectRefused(kvclient_exists(c, &key_, 1, timeout, nullptr));
  }
  constexpr int64_t kForEver = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(kvclient_exists(c, &key_, 1, kForEver, nullptr), KVCLIENT_OK);
}

TEST_F(CapiItemsTest, ANullClientIsRefused) {
  uint64_t number = 7;
  const kvclient_put_item put{key_, &const_piece_, 1};
  ExpectRefused(kvclient_connect(nullptr, nullptr));
  ExpectRefused(kvclient_put(nullptr, &put, 1, nullptr, nullptr));
  ExpectRefused(kvclient_get(nullptr, nullptr, 0, kPatienceMs, nullptr));
  ExpectRefused(kvclient_exists(nullptr, &key_, 1, kPatienceMs, nullptr));
  ExpectRefused(kvclient_counter(nullptr, "gets_ok", &number));
  EXPECT_EQ(number, 0u);
  ExpectRefused(kvclient_counter(client_.get(), nullptr, &number));
  ExpectRefused(kvclient_counter(client_.get(), "gets_ok", nullptr));
  ExpectRefused(kvclient_incarnation(nullptr, &number, &number));
  ExpectRefused(kvclient_incarnation(client_.get(), &number, nullptr));
  ExpectRefused(kvclient_register_memory(nullptr, memory_.data(), 1, KVCLIENT_MEMORY_HOST, 0));
  ExpectRefused(kvclient_unregister_memory(nullptr, memory_.data()));
  EXPECT_STREQ(kvclient_name(nullptr), "");
  EXPECT_STREQ(kvclient_name(client_.get()), "c");
  EXPECT_EQ(kvclient_close(nullptr), KVCLIENT_OK);
}

TEST_F(CapiItemsTest, NullHandlesOfOtherKindsAreHarmless) {
  uint64_t count = 7;
  ExpectRefused(kvclient_open_session(client_.get(), &key_, 1, kPatienceMs, nullptr, nullptr));
  ExpectRefused(kvclient_session_read(nullptr, nullptr, 0, kPatienceMs, nullptr));
  ExpectRefused(kvclient_open_views(client_.get(), &key_, 1, kPatienceMs, nullptr, nullptr));
  auto* view = reinterpret_cast<kvclient_view*>(this);  // must be overwritten
  ExpectRefused(kvclient_open_views(client_.get(), nullptr, 1, kPatienceMs, &view, nullptr));
  EXPECT_EQ(view, nullptr);
  EXPECT_EQ(kvclient_view_pieces(nullptr, &count), nullptr);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(kvclient_view_pieces(nullptr, nullptr), nullptr);
  EXPECT_EQ(kvclient_view_size(nullptr), 0u);
  EXPECT_EQ(kvclient_view_checksum(nullptr), 0u);
  ExpectRefused(kvclient_view_verify(nullptr));

  const kvclient_create_item create{key_, 10};
  ExpectRefused(kvclient_create_objects(client_.get(), &create, 1, nullptr, nullptr, nullptr));
  EXPECT_EQ(kvclient_new_object_pieces(nullptr, &count), nullptr);
  EXPECT_EQ(kvclient_new_object_size(nullptr), 0u);
  EXPECT_EQ(kvclient_new_object_deadline_ns(nullptr), 0);
  ExpectRefused(kvclient_new_object_seal(nullptr, kPatienceMs));

  kvclient_session_free(nullptr);
  kvclient_view_free(nullptr);
  kvclient_new_object_free(nullptr);
  kvclient_results_free(nullptr);
  EXPECT_EQ(kvclient_results_count(nullptr), 0u);
  EXPECT_EQ(kvclient_results_code(nullptr, 0), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_STREQ(kvclient_results_message(nullptr, 0), "");
  EXPECT_EQ(kvclient_results_size(nullptr, 0), 0u);
  EXPECT_EQ(kvclient_results_found(nullptr, 0), 0);
  EXPECT_EQ(kvclient_results_replica_node(nullptr, 0, 0), nullptr);
}

}  // namespace
}  // namespace kvstore
