#include <limits>
#include <map>
#include <set>
#include <thread>

#include "capi/capi_test.h"
#include "kvstore/client.h"

namespace kvstore {
namespace {

TEST(CapiVersionTest, LibraryAndHeaderAgree) {
  EXPECT_EQ(kvclient_abi_version(), uint32_t{KVCLIENT_ABI_VERSION});
  EXPECT_EQ(KVSTORE_ABI_VERSION, KVCLIENT_ABI_VERSION);  // the libraries' number
  EXPECT_EQ(std::string(kvclient_version()), Version());
}

TEST(CapiCodeTest, EveryCodeHasTheNumberAndNameOfTheStatus) {
  for (kvclient_code code = -1; code < 20; ++code) {
    EXPECT_EQ(std::string(kvclient_code_name(code)), StatusCodeName(static_cast<StatusCode>(code)));
  }
  EXPECT_STREQ(kvclient_code_name(KVCLIENT_NOT_FOUND), "not_found");
  EXPECT_STREQ(kvclient_code_name(KVCLIENT_UNAUTHENTICATED), "unauthenticated");
}

TEST(CapiErrorTest, TheMessageIsThisThreadsLatest) {
  EXPECT_EQ(kvclient_options_create(nullptr), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_STREQ(kvclient_last_error(), "options is null");
  std::thread([] { EXPECT_STREQ(kvclient_last_error(), ""); }).join();
  Owned<kvclient_options> options;
  EXPECT_EQ(kvclient_options_create(Into(options)), KVCLIENT_OK);
  EXPECT_STREQ(kvclient_last_error(), "");
}

// Every option arrives: Connect's check names it, which it does before it looks for a master.
TEST(CapiOptionsTest, EachOptionIsCheckedUnderItsOwnName) {
  using Bad = kvclient_code (*)(kvclient_options*);
  const std::map<std::string, Bad> bad = {
      {"master is 'nonsense'", [](auto* o) { return kvclient_options_set_master(o, "nonsense"); }},
      {"name has 256 bytes",
       [](auto* o) { return kvclient_options_set_name(o, std::string(256, 'n').c_str()); }},
      {"lend_bytes is", [](auto* o) { return kvclient_options_set_lend_bytes(o, UINT64_MAX); }},
      {"listen is '192.0.2.1:7'",
       [](auto* o) { return kvclient_options_set_listen(o, "192.0.2.1:7"); }},
      {"rdma_devices has 'mlx5 0'",
       [](auto* o) { return kvclient_options_add_rdma_device(o, "mlx5 0"); }},
      {"rdma_gid_index is 256",
       [](auto* o) { return kvclient_options_set_rdma_gid_index(o, 256); }},
      {"connect_timeout", [](auto* o) { return kvclient_options_set_connect_timeout_ms(o, 0); }},
      {"master_patience", [](auto* o) { return kvclient_options_set_master_patience_ms(o, -1); }},
  };
  for (const auto& [message, set] : bad) {
    Owned<kvclient_options> options;
    ASSERT_EQ(kvclient_options_create(Into(options)), KVCLIENT_OK);
    EXPECT_EQ(set(options.get()), KVCLIENT_OK) << message;
    Owned<kvclient> client;
    EXPECT_EQ(kvclient_connect(options.get(), Into(client)), KVCLIENT_INVALID_ARGUMENT);
    EXPECT_EQ(std::string(kvclient_last_error()).find(message), 0u) << kvclient_last_error();
    EXPECT_EQ(client, nullptr);
  }
}

TEST(CapiOptionsTest, AllowRemoteAndAdvertiseArrive) {
  Owned<kvclient_options> options;
  ASSERT_EQ(kvclient_options_create(Into(options)), KVCLIENT_OK);
  kvclient_options_set_listen(options.get(), "0.0.0.0:0");
  Owned<kvclient> client;
  kvclient_options_set_allow_remote(options.get(), 1);
  EXPECT_EQ(kvclient_connect(options.get(), Into(client)), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(kvclient_last_error()).find("set advertise"), std::string::npos);
  // Now only the master is missing.
  kvclient_options_set_advertise(options.get(), "127.0.0.1");
  kvclient_options_set_master(options.get(), "127.0.0.1:1");
  kvclient_options_set_connect_timeout_ms(options.get(), 50);
  EXPECT_EQ(kvclient_connect(options.get(), Into(client)), KVCLIENT_UNAVAILABLE);
}

TEST(CapiOptionsTest, SettersRefuseNullAndNonsense) {
  EXPECT_EQ(kvclient_options_set_master(nullptr, "127.0.0.1:1"), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_options_set_lend_bytes(nullptr, 1), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_put_options_set_replicas(nullptr, 1), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_put_options_create(nullptr), KVCLIENT_INVALID_ARGUMENT);
  Owned<kvclient_options> options;
  Owned<kvclient_put_options> put;
  ASSERT_EQ(kvclient_options_create(Into(options)), KVCLIENT_OK);
  ASSERT_EQ(kvclient_put_options_create(Into(put)), KVCLIENT_OK);
  for (const auto set : {kvclient_options_set_master, kvclient_options_set_name,
                         kvclient_options_set_listen, kvclient_options_set_advertise}) {
    EXPECT_EQ(set(options.get(), nullptr), KVCLIENT_INVALID_ARGUMENT);
  }
  for (const int way : {-1, 0, 5, 1000}) {
    EXPECT_EQ(kvclient_options_add_way(options.get(), way), KVCLIENT_INVALID_ARGUMENT);
  }
  for (const int placement : {-1, 3}) {
    EXPECT_EQ(kvclient_put_options_set_placement(put.get(), placement), KVCLIENT_INVALID_ARGUMENT);
  }
  EXPECT_EQ(kvclient_put_options_add_preferred_node(put.get(), nullptr), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_put_options_set_group(put.get(), nullptr, 1), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_put_options_set_group(put.get(), nullptr, 0), KVCLIENT_OK);
  EXPECT_EQ(kvclient_put_options_set_positions(put.get(), nullptr, 1), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(kvclient_put_options_set_durable(nullptr, 1), KVCLIENT_INVALID_ARGUMENT);
  kvclient_options_free(nullptr);
  kvclient_put_options_free(nullptr);
}

TEST(CapiCounterTest, NamesAreDifferentAndEnd) {
  std::set<std::string> names;
  uint32_t index = 0;
  for (; kvclient_counter_name(index) != nullptr; ++index) {
    names.insert(kvclient_counter_name(index));
  }
  EXPECT_EQ(names.size(), index);
  EXPECT_EQ(kvclient_counter_name(std::numeric_limits<uint32_t>::max()), nullptr);
  for (const char* name :
       {"gets_ok", "master_requests", "shm.bytes_read", "tcp.time_ns", "rdma.bytes_read"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

class CapiOptionsInPoolTest : public CapiTest {};

TEST_F(CapiOptionsInPoolTest, TheWaysArePermittedAlone) {
  const Owned<kvclient> holder = Connect(kMiB, "holder");
  ASSERT_EQ(Put(holder.get(), "key", "value"), KVCLIENT_OK);
  Owned<kvclient_options> options;
  ASSERT_EQ(kvclient_options_create(Into(options)), KVCLIENT_OK);
  kvclient_options_set_master(options.get(), master_.address().c_str());
  kvclient_options_add_way(options.get(), KVCLIENT_WAY_TCP);
  Owned<kvclient> reader;
  ASSERT_EQ(kvclient_connect(options.get(), Into(reader)), KVCLIENT_OK);
  EXPECT_EQ(Get(reader.get(), "key"), "value");
  uint64_t bytes = 0;
  ASSERT_EQ(kvclient_counter(reader.get(), "tcp.bytes_read", &bytes), KVCLIENT_OK);
  EXPECT_EQ(bytes, 5u);
}

TEST_F(CapiOptionsInPoolTest, PutOptionsArrive) {
  const Owned<kvclient> one = Connect(kMiB, "one");
  const Owned<kvclient> two = Connect(kMiB, "two");
  Owned<kvclient_put_options> options;
  ASSERT_EQ(kvclient_put_options_create(Into(options)), KVCLIENT_OK);
  EXPECT_EQ(kvclient_put_options_set_replicas(options.get(), 2), KVCLIENT_OK);
  ASSERT_EQ(Put(one.get(), "twice", "x", options.get()), KVCLIENT_OK) << kvclient_last_error();
  const kvclient_key twice = kvclient_text_key("twice");
  Owned<kvclient_results> stat;
  ASSERT_EQ(kvclient_stat(one.get(), &twice, 1, kPatienceMs, Into(stat)), KVCLIENT_OK);
  EXPECT_EQ(kvclient_results_replica_count(stat.get(), 0), 2u);

  EXPECT_EQ(Put(one.get(), "twice", "y", options.get()), KVCLIENT_ALREADY_EXISTS);
  EXPECT_EQ(kvclient_put_options_set_replace(options.get(), 1), KVCLIENT_OK);
  EXPECT_EQ(Put(one.get(), "twice", "y", options.get()), KVCLIENT_OK);
  EXPECT_EQ(Get(two.get(), "twice"), "y");

  EXPECT_EQ(kvclient_put_options_set_replicas(options.get(), 1), KVCLIENT_OK);
  EXPECT_EQ(kvclient_put_options_set_placement(options.get(), KVCLIENT_SPREAD), KVCLIENT_OK);
  EXPECT_EQ(kvclient_put_options_add_preferred_node(options.get(), "two"), KVCLIENT_OK);
  ASSERT_EQ(Put(one.get(), "preferred", "z", options.get()), KVCLIENT_OK);
  const kvclient_key preferred = kvclient_text_key("preferred");
  ASSERT_EQ(kvclient_stat(one.get(), &preferred, 1, kPatienceMs, Into(stat)), KVCLIENT_OK);
  EXPECT_STREQ(kvclient_results_replica_node(stat.get(), 0, 0), "two");

  EXPECT_EQ(kvclient_put_options_set_timeout_ms(options.get(), 0), KVCLIENT_OK);
  EXPECT_EQ(Put(one.get(), "late", "z", options.get()), KVCLIENT_INVALID_ARGUMENT);
}

TEST_F(CapiOptionsInPoolTest, HowLongAnObjectIsKeptArrives) {
  const Owned<kvclient> one = Connect(kMiB, "one");
  const std::string group("g\0", 2);  // any bytes
  const uint32_t position = 7;
  Owned<kvclient_put_options> options;
  ASSERT_EQ(kvclient_put_options_create(Into(options)), KVCLIENT_OK);
  kvclient_put_options_set_hard_pin(options.get(), 1);
  EXPECT_EQ(kvclient_put_options_set_check_source(options.get(), 1), KVCLIENT_OK);
  kvclient_put_options_set_soft_pin_ms(options.get(), 1'000'000);
  kvclient_put_options_set_ttl_ms(options.get(), 2'000'000);
  kvclient_put_options_set_group(options.get(), group.data(), group.size());
  kvclient_put_options_set_positions(options.get(), &position, 1);
  ASSERT_EQ(Put(one.get(), "kept", "x", options.get()), KVCLIENT_OK) << kvclient_last_error();
  ASSERT_EQ(Put(one.get(), "plain", "x"), KVCLIENT_OK);

  const kvclient_key keys[] = {kvclient_text_key("kept"), kvclient_text_key("plain")};
  Owned<kvclient_results> stat;
  ASSERT_EQ(kvclient_stat(one.get(), keys, 2, kPatienceMs, Into(stat)), KVCLIENT_OK);
  EXPECT_EQ(kvclient_results_hard_pin(stat.get(), 0), 1);
  EXPECT_GT(kvclient_results_soft_pin_left_ns(stat.get(), 0), 0);
  EXPECT_GT(kvclient_results_ttl_left_ns(stat.get(), 0),
            kvclient_results_soft_pin_left_ns(stat.get(), 0));
  EXPECT_EQ(kvclient_results_position(stat.get(), 0), 7u);
  uint64_t size = 0;
  const void* const name = kvclient_results_group(stat.get(), 0, &size);
  ASSERT_NE(name, nullptr);
  EXPECT_EQ(std::string(static_cast<const char*>(name), size), group);

  for (const uint64_t other : {1, 2}) {  // one that nothing keeps, and none
    EXPECT_EQ(kvclient_results_hard_pin(stat.get(), other), 0);
    EXPECT_EQ(kvclient_results_soft_pin_left_ns(stat.get(), other), 0);
    EXPECT_EQ(kvclient_results_ttl_left_ns(stat.get(), other), 0);
    EXPECT_EQ(kvclient_results_position(stat.get(), other), 0u);
    EXPECT_EQ(kvclient_results_group(stat.get(), other, &size), nullptr);
    EXPECT_EQ(size, 0u);
  }
}

TEST_F(CapiOptionsInPoolTest, PositionsAreAsManyAsItems) {
  const Owned<kvclient> one = Connect(kMiB, "one");
  const uint32_t positions[] = {1, 2};
  Owned<kvclient_put_options> options;
  ASSERT_EQ(kvclient_put_options_create(Into(options)), KVCLIENT_OK);
  kvclient_put_options_set_positions(options.get(), positions, 2);
  EXPECT_EQ(Put(one.get(), "k", "x", options.get()), KVCLIENT_INVALID_ARGUMENT);
  EXPECT_STREQ(kvclient_last_error(), "there are 2 positions for 1 items");
  const kvclient_create_item item{kvclient_text_key("k"), 1};
  kvclient_new_object* object = nullptr;
  EXPECT_EQ(kvclient_create_objects(one.get(), &item, 1, options.get(), &object, nullptr),
            KVCLIENT_INVALID_ARGUMENT);
  kvclient_put_options_set_positions(options.get(), nullptr, 0);
  EXPECT_EQ(Put(one.get(), "k", "x", options.get()), KVCLIENT_OK);
}

}  // namespace
}  // namespace kvstore
