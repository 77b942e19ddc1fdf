#ifndef KVSTORE_TESTS_SYSTEM_ONE_HOST_H_
#define KVSTORE_TESTS_SYSTEM_ONE_HOST_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "kvstore/client.h"
#include "system/told_client.h"
#include "system/told_value.h"

namespace kvstore::cluster {

// A pool small enough to be written over again and again, in the memory of one kvstore_node, and
// clients that share it. What all tests of this host check: nobody ever reads a wrong byte; memory
// that somebody may still touch is given to nobody; afterwards the pool is whole again.
class OneHost : public ::testing::Test {
 protected:
  static constexpr uint64_t kPoolBytes = 8u << 20;
  static constexpr size_t kCells = 65'536;  // of the objects that steps are about: 1 MiB
  static constexpr uint64_t kBytes = kCells * kCellBytes;

  // Short times, so that what a stopped process began is soon taken from it.
  static const std::vector<std::string> kNoLeases;
  // These, and others, which count where both say something.
  static std::vector<std::string> NoLeasesBut(const std::vector<std::string>& others);
  // Of which what one began that is simply slow is soon taken from it, too.
  static const std::vector<std::string> kShortGrants;

  explicit OneHost(const std::vector<std::string>& flags = kNoLeases) : master_(flags) {}
  void SetUp() override;
  // Every byte of the test's own clients went through shared memory.
  void TearDown() override;

  void StartNode(const std::vector<std::string>& flags = {});
  // Returns when it is dead.
  void KillNode();

  // Replaces the objects of other keys, all of the pool's memory that can be had several times, and
  // reads each of them back.
  void WriteOverThePool();
  // Whether an object of so many bytes finds room within that time, which it does only where all of
  // these bytes may be given away. It is read back, and removed.
  bool HasRoomFor(uint64_t bytes, Duration within);
  // Waits until the master has taken from its writer what it began to put under that key.
  void AwaitKeyFree(const std::string& key);
  // All of the pool, and soon.
  void ExpectWholePool();
  // Only the memory of one told object is held back.
  void ExpectAllButOneObject();

  // Puts an object of kBytes, in place of any older one.
  void PutTold(const std::string& key, uint32_t version);
  // What a Get finds of a told object: "version V", "wrong bytes", or an error.
  std::string Read(const std::string& key);
  static std::string Put(const std::string& key, int version, const std::string& where = "-");

  MasterProcess master_;
  std::unique_ptr<NodeProcess> node_;
  std::unique_ptr<Client> writer_;
  std::unique_ptr<Client> reader_;  // checks no checksums, so that nothing hides wrong bytes

 private:
  uint32_t round_ = 0;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_ONE_HOST_H_
