#ifndef KVSTORE_TESTS_CLIENT_POOL_TEST_H_
#define KVSTORE_TESTS_CLIENT_POOL_TEST_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"

namespace kvstore {

inline constexpr uint64_t kMiB = 1u << 20;

// What is put under `key` as its `version`th object: any two differ in nearly every byte.
inline std::string BytesOf(std::string_view key, size_t size, uint64_t version = 1) {
  uint64_t state = std::hash<std::string_view>()(key) + version * 0x9e3779b97f4a7c15ULL;
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

// A real master process, and clients of it in this process: between two of them bytes travel
// through shared memory, or over TCP where that alone is allowed.
class PoolTest : public ::testing::Test {
 protected:
  void Start(const std::vector<std::string>& flags = {}) {
    master_ = std::make_unique<cluster::MasterProcess>(flags);
    ASSERT_TRUE(master_->running());
  }

  std::unique_ptr<Client> Join(uint64_t lend_bytes, const std::string& name = "test") {
    return cluster::Join(*master_, lend_bytes, name);
  }

  std::unique_ptr<cluster::MasterProcess> master_;
};

}  // namespace kvstore

#endif  // KVSTORE_TESTS_CLIENT_POOL_TEST_H_
