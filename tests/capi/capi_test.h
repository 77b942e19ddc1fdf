#ifndef KVSTORE_TESTS_CAPI_CAPI_TEST_H_
#define KVSTORE_TESTS_CAPI_CAPI_TEST_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "client/pool_test.h"
#include "cluster/cluster.h"
#include "kvstore/kvclient.h"

namespace kvstore {

constexpr int64_t kPatienceMs = 30'000;

// Frees what the C interface has made.
struct Free {
  void operator()(kvclient* handle) const { EXPECT_EQ(kvclient_close(handle), KVCLIENT_OK); }
  void operator()(kvclient_options* handle) const { kvclient_options_free(handle); }
  void operator()(kvclient_put_options* handle) const { kvclient_put_options_free(handle); }
  void operator()(kvclient_results* handle) const { kvclient_results_free(handle); }
  void operator()(kvclient_session* handle) const { kvclient_session_free(handle); }
  void operator()(kvclient_view* handle) const { kvclient_view_free(handle); }
  void operator()(kvclient_new_object* handle) const { kvclient_new_object_free(handle); }
};
template <typename Handle>
using Owned = std::unique_ptr<Handle, Free>;

// Takes over what the C interface puts into a pointer: `f(..., Into(owned))`.
template <typename Handle>
class Into {
 public:
  explicit Into(Owned<Handle>& owned) : owned_(owned) {}
  ~Into() { owned_.reset(raw_); }
  operator Handle**() { return &raw_; }  // NOLINT: implicit, it stands for an argument

 private:
  Owned<Handle>& owned_;
  Handle* raw_ = nullptr;
};

inline kvclient_key Key(const std::string& key) { return {key.data(), key.size()}; }

// A real master, and clients of it made through the C interface.
class CapiTest : public ::testing::Test {
 protected:
  Owned<kvclient> Connect(uint64_t lend_bytes, const char* name = "c") {
    Owned<kvclient_options> options;
    EXPECT_EQ(kvclient_options_create(Into(options)), KVCLIENT_OK);
    kvclient_options_set_master(options.get(), master_.address().c_str());
    kvclient_options_set_name(options.get(), name);
    kvclient_options_set_lend_bytes(options.get(), lend_bytes);
    Owned<kvclient> client;
    EXPECT_EQ(kvclient_connect(options.get(), Into(client)), KVCLIENT_OK) << kvclient_last_error();
    return client;
  }

  static kvclient_code Put(kvclient* client, const std::string& key, const std::string& value,
                           const kvclient_put_options* options = nullptr) {
    const kvclient_const_piece piece{value.data(), value.size()};
    const kvclient_put_item item{Key(key), &piece, 1};
    return kvclient_put(client, &item, 1, options, nullptr);
  }

  // The object's bytes, or the code's name.
  static std::string Get(kvclient* client, const std::string& key, uint64_t offset = 0,
                         uint64_t length = KVCLIENT_TO_THE_END) {
    std::string value(kMiB, '\0');
    const kvclient_piece piece{value.data(), value.size()};
    const kvclient_get_item item{Key(key), &piece, 1, offset, length};
    Owned<kvclient_results> results;
    const kvclient_code code = kvclient_get(client, &item, 1, kPatienceMs, Into(results));
    if (code != KVCLIENT_OK) return kvclient_code_name(code);
    return value.substr(0, kvclient_results_size(results.get(), 0));
  }

  cluster::MasterProcess master_;
};

}  // namespace kvstore

#endif  // KVSTORE_TESTS_CAPI_CAPI_TEST_H_
