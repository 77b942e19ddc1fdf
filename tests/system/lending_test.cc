// Lent memory that shrinks and grows while it is in use.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include "system/pool.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

constexpr uint64_t kMiB = 1 << 20;

// Bytes of pages that this process's memory files have on the machine, each counted once.
uint64_t BytesOfPages() {
  std::set<uint64_t> inodes;
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    struct stat found {};
    if (!std::filesystem::read_symlink(fd.path(), ignored).string().starts_with("/memfd:kvstore") ||
        stat(fd.path().c_str(), &found) != 0 || !inodes.insert(found.st_ino).second) {
      continue;
    }
    bytes += static_cast<uint64_t>(found.st_blocks) * 512;
  }
  return bytes;
}

class Lends : public Pool {
 protected:
  std::unique_ptr<Client> Lender(uint64_t bytes) {
    auto client = Connect({.name = "lender", .lend_bytes = bytes});
    AwaitMemoryOf("lender");
    return client;
  }
  static Names PutOwn(Client& client, const std::string& prefix, size_t count,
                      PutOptions options = {}) {
    options.preferred_nodes = {"lender"};
    return PutTold(client, prefix, count, kMiB, options);
  }
  bool AwaitFree(uint64_t bytes) {
    return Eventually([&] {
      return NodeNamed("lender")["space_bytes"]["free"].number() >= static_cast<double>(bytes);
    });
  }
  // A segment's end is the lender's first; the master has it once a release is confirmed.
  bool AwaitSize(uint64_t bytes) {
    return Eventually([&] {
      return NodeNamed("lender")["space_bytes"]["size"].number() == static_cast<double>(bytes);
    });
  }
  static bool AwaitLent(Client& client, uint64_t bytes) {
    return Eventually([&] { return client.lending().bytes == bytes; });
  }
};

TEST_F(Lends, WhatLiesBeyondASmallerSegmentMovesAndItsPagesGoBack) {
  const auto shelf = StartNode("shelf", "64MiB");
  const auto client = Lender(64 * kMiB), reader = Connect();
  ASSERT_TRUE(shelf->running() && client && reader);
  // Lies at the segment's beginning, and makes room there: of what stays, none has to be evicted.
  const Names first = PutOwn(*client, "first", 4);
  const Names keys = PutOwn(*client, "key", 36);
  for (const std::string& key : keys) ASSERT_EQ(HoldersOf(*client, key), Names{"lender"});
  for (const std::string& key : first) ASSERT_EQ(client->Remove(key), Status::Ok());
  if (client->lending().huge_pages) GTEST_SKIP() << "huge pages of the kernel's reserve stay";
  ASSERT_GE(BytesOfPages(), 40 * kMiB);

  Readers readers(*reader, keys);
  readers.AwaitRound();
  EXPECT_EQ(client->Lend(16 * kMiB), Status::Ok());
  EXPECT_TRUE(AwaitLent(*client, 16 * kMiB)) << client->lending().bytes;
  EXPECT_TRUE(Eventually([] { return BytesOfPages() < 20 * kMiB; })) << BytesOfPages();
  readers.AwaitRound();
  EXPECT_EQ(readers.Stop(), "");
  EXPECT_TRUE(AwaitSize(16 * kMiB));
  const auto moved = std::count_if(keys.begin(), keys.end(), [&](const std::string& key) {
    return HoldersOf(*client, key) == Names{"shelf"};
  });
  EXPECT_GE(moved, 24);

  // Pages are touched again when they are needed.
  EXPECT_EQ(client->Lend(64 * kMiB), Status::Ok());
  EXPECT_TRUE(AwaitSize(64 * kMiB));
  PutOwn(*client, "wanted", 4);
  EXPECT_TRUE(AwaitLent(*client, 64 * kMiB)) << client->lending().bytes;
  EXPECT_TRUE(AwaitFree(40 * kMiB));
  const Names more = PutOwn(*client, "more", 30);
  const auto own = std::count_if(more.begin(), more.end(), [&](const std::string& key) {
    return HoldersOf(*client, key) == Names{"lender"};
  });
  EXPECT_GE(own, 30);
  for (const Names& some : {keys, more}) {
    for (const std::string& key : some) EXPECT_EQ(ReadTold(*reader, key), "version 1") << key;
  }
}

TEST_F(Lends, WhereNobodyElseHasRoomWhatLiesBeyondIsEvictedUnlessItIsPinned) {
  const auto client = Lender(64 * kMiB);
  ASSERT_NE(client, nullptr);
  const Names pinned = PutOwn(*client, "pinned", 8, {.hard_pin = true});
  const Names keys = PutOwn(*client, "key", 40);
  EXPECT_EQ(client->Lend(4 * kMiB), Status::Ok());
  // What is not pinned goes; what is stays where it is, and so does the memory under it.
  EXPECT_TRUE(Eventually([&] { return Kvctl({"status"})["objects"].number() < 13; }));
  EXPECT_GT(client->lending().bytes, 4 * kMiB);
  EXPECT_EQ(client->lending().wanted_bytes, 4 * kMiB);
  for (const std::string& key : pinned) EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  for (const std::string& key : keys) {
    const std::string got = ReadTold(*client, key);
    EXPECT_TRUE(got == "version 1" || got == "not_found") << got;
  }
  for (const std::string& key : pinned) {
    // Not found: it was evicted as soon as that might be, before its holder had noted the
    // unpinning.
    const Status unpinned = client->Pin(key, {});
    EXPECT_TRUE(unpinned.ok() || unpinned.code() == StatusCode::kNotFound) << unpinned;
  }
  EXPECT_TRUE(AwaitLent(*client, 4 * kMiB)) << client->lending().bytes;
  EXPECT_TRUE(AwaitSize(4 * kMiB));
}

TEST_F(Lends, NothingAtAllAndThenSomeAgain) {
  const auto shelf = StartNode("shelf", "64MiB");
  const auto client = Lender(16 * kMiB);
  ASSERT_TRUE(shelf->running() && client);
  const Names keys = PutOwn(*client, "key", 8);
  EXPECT_EQ(client->Lend(0), Status::Ok());
  EXPECT_TRUE(AwaitLent(*client, 0)) << client->lending().bytes;
  for (const std::string& key : keys) {
    EXPECT_EQ(HoldersOf(*client, key), Names{"shelf"}) << key;
    EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  }
  EXPECT_EQ(client->Lend(24 * kMiB), Status::Ok());
  EXPECT_TRUE(AwaitLent(*client, 24 * kMiB)) << client->lending().bytes;
  EXPECT_TRUE(AwaitFree(16 * kMiB));
  for (const std::string& key : PutOwn(*client, "again", 12)) {
    EXPECT_EQ(HoldersOf(*client, key), Names{"lender"}) << key;
    EXPECT_EQ(ReadTold(*client, key), "version 1") << key;
  }
}

}  // namespace
}  // namespace kvstore::cluster
