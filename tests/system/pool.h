#ifndef KVSTORE_TESTS_SYSTEM_POOL_H_
#define KVSTORE_TESTS_SYSTEM_POOL_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "tools/json_value.h"
#include "tools/program.h"

namespace kvstore::cluster {

// Gets a pool's told objects one after the other until it is stopped or destroyed, and remembers
// what was not as it should be. The client outlives it.
class Readers {
 public:
  // `count` threads, that read version 1 of these keys.
  Readers(Client& client, std::vector<std::string> keys, size_t count = 2);
  ~Readers() { Stop(); }
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // Returns when all threads have read all keys once more, or something went wrong, or after a
  // minute.
  void AwaitRound();
  // Returns the first thing that went wrong; empty: nothing did.
  std::string Stop();

 private:
  void Read(size_t thread);

  Client& client_;
  const std::vector<std::string> keys_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> any_wrong_{false};
  std::vector<std::atomic<uint64_t>> rounds_;
  std::vector<std::string> wrong_;  // of each thread; read when they have ended
  std::vector<std::thread> threads_;
};

// A pool of processes whose life is short: silent nodes are suspected and gone soon. Bytes travel
// by TCP, as between machines, unless a test says otherwise.
class Pool : public ::testing::Test {
 protected:
  using JsonValue = text::JsonValue;
  using Names = std::vector<std::string>;

  static const std::vector<std::string> kShortLife;

  explicit Pool(const std::vector<std::string>& flags = kShortLife) : master_(flags) {}
  void SetUp() override { ASSERT_TRUE(master_.running()); }

  // Returns when it may be granted memory of.
  std::unique_ptr<NodeProcess> StartNode(const std::string& name, const std::string& lend = "32MiB",
                                         const Names& flags = {"--ways=tcp"});
  std::unique_ptr<Client> Connect(ClientOptions options = {.name = "test",
                                                           .ways = {transfer::Way::kTcp}});

  // Waits until some of what it lends may be granted.
  void AwaitMemoryOf(const std::string& name);

  // What kvctl answers with --output=json; null with a failed expectation.
  JsonValue Kvctl(Names words);
  // As `kvctl nodes` has the first of that name; null: there is none.
  JsonValue NodeNamed(const std::string& name);
  // "live", "live sick", ...; empty: there is none.
  std::string StateOf(const std::string& name);

  // Looks again and again until `holds`; the answer of the last look.
  static bool Eventually(const std::function<bool()>& holds,
                         Duration timeout = std::chrono::seconds(30));

  // Puts version 1 of told objects PREFIX/0, PREFIX/1, ...; the keys.
  static Names PutTold(Client& client, const std::string& prefix, size_t count, size_t bytes,
                       const PutOptions& options = {});
  // "version V", "wrong bytes", or the error's code.
  static std::string ReadTold(Client& client, const std::string& key,
                              Duration timeout = std::chrono::seconds(10));
  // The names of those that hold it, sorted.
  static Names HoldersOf(Client& client, const std::string& key);

  MasterProcess master_;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_POOL_H_
