#include <array>
#include <future>

#include "capi/capi_test.h"

namespace kvstore {
namespace {

class CapiVerbsTest : public CapiTest {
 protected:
  Owned<kvclient> client_ = Connect(16 * kMiB);
};

TEST_F(CapiVerbsTest, ABatchIsScatteredAndGathered) {
  const std::string binary("a\0b", 3);  // keys are bytes
  const std::string head = BytesOf("head", 5000), tail = BytesOf("tail", 300);
  const std::array<kvclient_const_piece, 3> pieces{
      {{head.data(), head.size()}, {nullptr, 0}, {tail.data(), tail.size()}}};
  const std::array<kvclient_put_item, 2> puts{
      {{Key(binary), pieces.data(), pieces.size()}, {kvclient_text_key("empty"), nullptr, 0}}};
  Owned<kvclient_results> results;
  ASSERT_EQ(kvclient_put(client_.get(), puts.data(), 2, nullptr, Into(results)), KVCLIENT_OK);
  EXPECT_EQ(kvclient_results_count(results.get()), 2u);

  std::string first(1000, '\0'), second(5000, '\0');
  const std::array<kvclient_piece, 2> into{
      {{first.data(), first.size()}, {second.data(), second.size()}}};
  const std::array<kvclient_get_item, 2> gets{
      {{Key(binary), into.data(), into.size(), 0, KVCLIENT_TO_THE_END},
       {kvclient_text_key("empty"), nullptr, 0, 0, KVCLIENT_TO_THE_END}}};
  ASSERT_EQ(kvclient_get(client_.get(), gets.data(), 2, kPatienceMs, Into(results)), KVCLIENT_OK)
      << kvclient_last_error();
  EXPECT_EQ(kvclient_results_size(results.get(), 0), 5300u);
  EXPECT_EQ((first + second).substr(0, 5300), head + tail);
  EXPECT_EQ(kvclient_results_size(results.get(), 1), 0u);
}

TEST_F(CapiVerbsTest, OneFailedItemHarmsNoOther) {
  ASSERT_EQ(Put(client_.get(), "there", "value"), KVCLIENT_OK);
  std::string there(5, '\0'), small(2, '\0');
  const kvclient_piece into{there.data(), there.size()}, too_small{small.data(), small.size()};
  const std::array<kvclient_get_item, 3> gets{{{kvclient_text_key("missing"), &into, 1, 0, 0},
                                               {kvclient_text_key("there"), &into, 1, 0, 0},
                                               {kvclient_text_key("there"), &too_small, 1, 0, 0}}};
  Owned<kvclient_results> results;
  EXPECT_EQ(kvclient_get(client_.get(), gets.data(), 3, kPatienceMs, Into(results)),
            KVCLIENT_NOT_FOUND);
  EXPECT_STREQ(kvclient_last_error(), kvclient_results_message(results.get(), 0));
  EXPECT_EQ(kvclient_results_code(results.get(), 0), KVCLIENT_NOT_FOUND);
  EXPECT_STRNE(kvclient_results_message(results.get(), 0), "");
  EXPECT_EQ(kvclient_results_code(results.get(), 1), KVCLIENT_OK);
  EXPECT_STREQ(kvclient_results_message(results.get(), 1), "");
  EXPECT_EQ(there, "value");
  EXPECT_EQ(kvclient_results_code(results.get(), 2), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_results_size(results.get(), 2), 5u);
  EXPECT_EQ(kvclient_results_code(results.get(), 3), KVCLIENT_INVALID_ARGUMENT);
}

TEST_F(CapiVerbsTest, ExistsWaitsAndRemoves) {
  const std::array<kvclient_key, 2> keys{kvclient_text_key("a"), kvclient_text_key("b")};
  ASSERT_EQ(Put(client_.get(), "a", "1"), KVCLIENT_OK);
  Owned<kvclient_results> results;
  ASSERT_EQ(kvclient_exists(client_.get(), keys.data(), 2, kPatienceMs, Into(results)),
            KVCLIENT_OK);
  EXPECT_EQ(kvclient_results_found(results.get(), 0), 1);
  EXPECT_EQ(kvclient_results_found(results.get(), 1), 0);

  EXPECT_EQ(kvclient_wait_exists(client_.get(), keys.data(), 2, 50, Into(results)),
            KVCLIENT_DEADLINE_EXCEEDED);
  EXPECT_EQ(kvclient_results_code(results.get(), 0), KVCLIENT_OK);
  std::future<kvclient_code> waiting = std::async(std::launch::async, [&] {
    return kvclient_wait_exists(client_.get(), keys.data(), 2, kPatienceMs, nullptr);
  });
  ASSERT_EQ(Put(client_.get(), "b", "2"), KVCLIENT_OK);
  EXPECT_EQ(waiting.get(), KVCLIENT_OK);

  // Nobody else is to put what is missing.
  const std::array<kvclient_key, 2> some{kvclient_text_key("b"), kvclient_text_key("c")};
  EXPECT_EQ(kvclient_await_puts(client_.get(), some.data(), 2, kPatienceMs, keys.data(),
                                kPatienceMs, Into(results)),
            KVCLIENT_OK);
  EXPECT_EQ(kvclient_results_found(results.get(), 0), 1);
  EXPECT_EQ(kvclient_results_found(results.get(), 1), 0);
  EXPECT_EQ(
      kvclient_await_puts(client_.get(), some.data(), 2, -1, nullptr, kPatienceMs, Into(results)),
      KVCLIENT_INVALID_ARGUMENT);

  EXPECT_EQ(kvclient_remove(client_.get(), keys.data(), 2, kPatienceMs, nullptr), KVCLIENT_OK);
  EXPECT_EQ(kvclient_remove(client_.get(), keys.data(), 2, kPatienceMs, nullptr),
            KVCLIENT_NOT_FOUND);
  EXPECT_EQ(Get(client_.get(), "a"), "not_found");
}

TEST_F(CapiVerbsTest, StatDescribesTheObject) {
  const std::string value = BytesOf("stat", 5000);
  ASSERT_EQ(Put(client_.get(), "key", value), KVCLIENT_OK);
  const std::array<kvclient_key, 2> keys{kvclient_text_key("none"), kvclient_text_key("key")};
  Owned<kvclient_results> results;
  EXPECT_EQ(kvclient_stat(client_.get(), keys.data(), 2, kPatienceMs, Into(results)),
            KVCLIENT_NOT_FOUND);
  const kvclient_results* const r = results.get();
  EXPECT_EQ(kvclient_results_replica_count(r, 0), 0u);
  EXPECT_EQ(kvclient_results_size(r, 1), value.size());
  EXPECT_NE(kvclient_results_checksum(r, 1), 0u);
  EXPECT_GT(kvclient_results_age_ns(r, 1), 0);
  EXPECT_GE(kvclient_results_lease_left_ns(r, 1), 0);
  ASSERT_EQ(kvclient_results_replica_count(r, 1), 1u);
  EXPECT_STREQ(kvclient_results_replica_node(r, 1, 0), "c");
  EXPECT_EQ(kvclient_results_replica_ranges(r, 1, 0), 1u);
  EXPECT_EQ(kvclient_results_replica_reserved_bytes(r, 1, 0), 8192u);
  uint64_t high = 0, low = 0, own_high = 1, own_low = 1;
  kvclient_results_replica_incarnation(r, 1, 0, &high, &low);
  ASSERT_EQ(kvclient_incarnation(client_.get(), &own_high, &own_low), KVCLIENT_OK);
  EXPECT_EQ(high, own_high);
  EXPECT_EQ(low, own_low);
  EXPECT_EQ(kvclient_results_replica_node(r, 1, 1), nullptr);
}

TEST_F(CapiVerbsTest, PinsAndUnpins) {
  ASSERT_EQ(Put(client_.get(), "a", "x"), KVCLIENT_OK);
  const std::array<kvclient_key, 2> keys{kvclient_text_key("a"), kvclient_text_key("missing")};
  Owned<kvclient_results> results;
  EXPECT_EQ(kvclient_pin(client_.get(), keys.data(), 2, 1, 0, kPatienceMs, Into(results)),
            KVCLIENT_NOT_FOUND);
  EXPECT_EQ(kvclient_results_code(results.get(), 0), KVCLIENT_OK);
  const auto pinned = [&] {
    EXPECT_EQ(kvclient_stat(client_.get(), keys.data(), 1, kPatienceMs, Into(results)),
              KVCLIENT_OK);
    return std::pair(kvclient_results_hard_pin(results.get(), 0),
                     kvclient_results_soft_pin_left_ns(results.get(), 0) > 0);
  };
  EXPECT_EQ(pinned(), std::pair(1, false));
  EXPECT_EQ(kvclient_pin(client_.get(), keys.data(), 1, 0, 1'000'000, kPatienceMs, nullptr),
            KVCLIENT_OK);
  EXPECT_EQ(pinned(), std::pair(0, true));
  EXPECT_EQ(kvclient_pin(client_.get(), keys.data(), 1, 0, 0, kPatienceMs, nullptr), KVCLIENT_OK);
  EXPECT_EQ(pinned(), std::pair(0, false));
  EXPECT_EQ(kvclient_pin(client_.get(), keys.data(), 1, 0, -1, kPatienceMs, nullptr),
            KVCLIENT_INVALID_ARGUMENT);
}

TEST_F(CapiVerbsTest, RemovesByPrefix) {
  for (const char* key : {"x/1", "x/2", "y"}) ASSERT_EQ(Put(client_.get(), key, "v"), KVCLIENT_OK);
  uint64_t removed = 9;
  EXPECT_EQ(kvclient_remove_matching(client_.get(), nullptr, 1, kPatienceMs, &removed),
            KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(removed, 0u);
  EXPECT_EQ(kvclient_remove_matching(client_.get(), "x/", 2, kPatienceMs, &removed), KVCLIENT_OK);
  EXPECT_EQ(removed, 2u);
  EXPECT_EQ(Get(client_.get(), "x/1"), "not_found");
  EXPECT_EQ(Get(client_.get(), "y"), "v");
  EXPECT_EQ(kvclient_remove_matching(client_.get(), nullptr, 0, kPatienceMs, nullptr), KVCLIENT_OK);
  EXPECT_EQ(Get(client_.get(), "y"), "not_found");
}

TEST_F(CapiVerbsTest, CountersCountWhatWasDone) {
  ASSERT_EQ(Put(client_.get(), "key", "value"), KVCLIENT_OK);
  EXPECT_EQ(Get(client_.get(), "key"), "value");
  EXPECT_EQ(Get(client_.get(), "none"), "not_found");
  const auto count = [&](const char* name) {
    uint64_t value = 77;
    EXPECT_EQ(kvclient_counter(client_.get(), name, &value), KVCLIENT_OK) << name;
    return value;
  };
  EXPECT_EQ(count("puts_ok"), 1u);
  EXPECT_EQ(count("gets_ok"), 1u);
  EXPECT_EQ(count("gets_missed"), 1u);
  EXPECT_EQ(count("local.bytes_read"), 5u);
  EXPECT_EQ(count("local.bytes_written"), 5u);
  for (uint32_t i = 0; kvclient_counter_name(i) != nullptr; ++i) count(kvclient_counter_name(i));
  uint64_t value = 77;
  EXPECT_EQ(kvclient_counter(client_.get(), "gets_lucky", &value), KVCLIENT_NOT_FOUND);
  EXPECT_EQ(value, 0u);
}

TEST_F(CapiVerbsTest, MemoryIsRegisteredOnce) {
  std::string memory(kMiB, '\0');
  kvclient* const c = client_.get();
  EXPECT_EQ(kvclient_register_memory(c, memory.data(), kMiB, KVCLIENT_MEMORY_HOST, 0), KVCLIENT_OK);
  EXPECT_EQ(kvclient_register_memory(c, memory.data() + 8, 8, KVCLIENT_MEMORY_HOST, 0),
            KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_unregister_memory(c, memory.data()), KVCLIENT_OK);
  EXPECT_EQ(kvclient_unregister_memory(c, memory.data()), KVCLIENT_NOT_FOUND);
  EXPECT_EQ(kvclient_register_memory(c, nullptr, 8, KVCLIENT_MEMORY_HOST, 0),
            KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_register_memory(c, memory.data(), kMiB, KVCLIENT_MEMORY_CUDA, 0),
            KVCLIENT_UNIMPLEMENTED);
  EXPECT_EQ(kvclient_register_memory(c, memory.data(), kMiB, 7, 0), KVCLIENT_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kvstore
