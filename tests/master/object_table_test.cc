#include "master/object_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "master/block_pool.h"
#include "master/key_table.h"
#include "master/table_memory.h"

namespace kvstore::master {
namespace {

constexpr Incarnation kWriter{1, 2};

TEST(TableMemory, IsAlignedAndNobodyElses) {
  std::map<uintptr_t, size_t> taken;
  std::vector<std::pair<void*, size_t>> parts;
  for (int i = 0; i < 50; ++i) {
    const size_t bytes = kLeastTableMemory << (i % 7);
    void* const part = TakeTableMemory(bytes);
    std::memset(part, 7, bytes);
    const auto at = reinterpret_cast<uintptr_t>(part);
    EXPECT_EQ(at % bytes, 0u);
    const auto behind = taken.lower_bound(at);
    EXPECT_TRUE(behind == taken.end() || behind->first >= at + bytes);
    if (behind != taken.begin()) {
      EXPECT_LE(std::prev(behind)->first + std::prev(behind)->second, at);
    }
    taken[at] = bytes;
    parts.emplace_back(part, bytes);
  }
  for (const auto& [part, bytes] : parts) GiveTableMemory(part, bytes);
}

TEST(ObjectTableTest, FindsWhatIsThereHoweverOftenItGrows) {
  ObjectTable table;
  constexpr uint64_t kMany = 20'000;
  for (uint64_t i = 0; i < kMany; ++i) table.Add({kWriter, i}).size = i;
  for (uint64_t i = 0; i < kMany; i += 3) table.Erase(*table.Find({kWriter, i}));
  EXPECT_EQ(table.size(), kMany - (kMany + 2) / 3);
  for (uint64_t i = 0; i < kMany; ++i) {
    const Object* const object = table.Find({kWriter, i});
    ASSERT_EQ(object == nullptr, i % 3 == 0) << i;
    if (object) {
      ASSERT_EQ(object->size, i);
    }
  }
  EXPECT_EQ(table.Find({{1, 3}, 1}), nullptr);
}

TEST(ObjectTableTest, AnObjectStaysInItsSlotWhileOthersComeAndGo) {
  ObjectTable table;
  Object& kept = table.Add({kWriter, 1});
  Object& gone = table.Add({kWriter, 2});
  const size_t slot = kept.slot;
  const size_t free = gone.slot;
  table.Erase(gone);
  EXPECT_EQ(table.At(free), nullptr);
  for (uint64_t i = 3; i < 5000; ++i) table.Add({kWriter, i});
  EXPECT_EQ(table.At(slot), &kept);
  std::set<uint64_t> seen;
  for (size_t s = 0; s < table.slots(); ++s) {
    if (const Object* const object = table.At(s)) seen.insert(object->sequence);
  }
  EXPECT_EQ(seen.size(), table.size());
  EXPECT_NE(table.At(free), nullptr);  // taken again before there are more
}

TEST(ObjectTableTest, ObjectsKnowTheirWriters) {
  ObjectTable table;
  Object& first = table.Add({kWriter, 1});
  Object& second = table.Add({{3, 4}, 1});
  table.Erase(first);
  EXPECT_EQ(second.id(), (PutId{{3, 4}, 1}));
  EXPECT_EQ(table.Add({kWriter, 1}).id(), (PutId{kWriter, 1}));
}

TEST(KeyTableTest, FindsKeysOfAnyLength) {
  KeyTable table;
  std::vector<std::string> names;
  for (size_t length = 1; length <= 1024; ++length) names.emplace_back(length, 'k');
  for (const std::string& name : names) table.FindOrAdd(name);
  EXPECT_EQ(table.size(), names.size());
  for (size_t i = 0; i < names.size(); i += 2) table.Erase(table.Find(names[i]));
  for (size_t i = 0; i < names.size(); ++i) {
    KeyEntry* const entry = table.Find(names[i]);
    ASSERT_EQ(entry == nullptr, i % 2 == 0) << i;
    if (entry) {
      ASSERT_EQ(entry->name(), names[i]);
    }
  }
  EXPECT_EQ(&table.FindOrAdd(names[1]), table.Find(names[1]));
}

// As lists of objects go through it, while keys come, go and come again, and the table grows.
TEST(KeyTableTest, GoneThroughInStepsNamesOnceWhatIsThereAllTheWhile) {
  for (const uint64_t count : {1, 2, 3, 5, 31, 32, 33, 1000}) {
    KeyTable table;
    const auto name = [](uint64_t i) { return "key " + std::to_string(i); };
    for (uint64_t i = 0; i < count; ++i) table.FindOrAdd(name(i));
    const size_t of = table.buckets();
    std::map<std::string, int> named;
    uint64_t more = count;
    for (size_t bucket = 0; bucket < of; ++bucket) {
      table.ForEachOf(bucket, of, [&](const KeyEntry& key) { ++named[std::string(key.name())]; });
      for (int i = 0; i < 7; ++i) table.FindOrAdd(name(more++));
      table.Erase(table.Find(name(bucket % count)));
      table.FindOrAdd(name(bucket % count));
    }
    for (uint64_t i = 0; i < count; ++i) EXPECT_EQ(named[name(i)], 1) << i << " of " << count;
    for (const auto& [key, times] : named) EXPECT_EQ(times, 1) << key << " of " << count;
  }
}

TEST(KeyTableTest, FetchesTheHashesOfABatch) {
  KeyTable table;
  KeyBatch names;
  for (int i = 0; i < 100; ++i) names.Add("key " + std::to_string(i));
  table.Fetch(names, 0);  // of which none is there
  for (size_t i = 0; i < names.size(); ++i) table.FindOrAdd(names[i]);
  for (const size_t first : {size_t{0}, KeyTable::kFetched}) {
    const KeyTable::Hashes hashes = table.Fetch(names, first);
    for (size_t i = 0; i < KeyTable::kFetched && first + i < names.size(); ++i) {
      EXPECT_EQ(hashes[i], KeyTable::Hash(names[first + i]));
    }
  }
}

// More than one chunk, given back in another order, and taken again.
TEST(BlockPoolTest, BlocksDoNotOverlap) {
  BlockPool pool;
  std::map<std::byte*, size_t> taken;
  const auto take = [&](size_t bytes) {
    auto* const block = static_cast<std::byte*>(pool.Take(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 8, 0u);
    std::memset(block, 1, bytes);
    ASSERT_TRUE(taken.emplace(block, bytes).second);
  };
  for (size_t i = 0; i < 4000; ++i) take(32 + i % 7 * 100);
  for (size_t round = 0; round < 3; ++round) {
    for (auto it = taken.begin(); it != taken.end();) {
      pool.Give(it->first, it->second);
      it = taken.erase(it);
      if (it != taken.end()) ++it;
    }
    for (size_t i = 0; i < 2000; ++i) take(32 + i % 5 * 100);
  }
  const std::byte* end = nullptr;
  for (const auto& [block, bytes] : taken) {
    EXPECT_GE(block, end);
    end = block + bytes;
  }
  for (const auto& [block, bytes] : taken) pool.Give(block, bytes);
}

// Whatever is said first, and whether there is more to be said or not.
TEST(KeyEntryTest, KnowsTheCurrentAndTheUnfinishedObjectApart) {
  Object a, b;
  KeyTable table;
  KeyEntry& entry = table.FindOrAdd("k");
  EXPECT_TRUE(entry.IsEmpty());
  entry.set_unfinished(&a);
  EXPECT_EQ(entry.unfinished(), &a);
  EXPECT_EQ(entry.current(), nullptr);
  entry.set_current(&b);
  EXPECT_EQ(entry.unfinished(), &a);
  EXPECT_EQ(entry.current(), &b);
  entry.set_current(nullptr);
  entry.Trim();
  EXPECT_EQ(entry.unfinished(), &a);
  EXPECT_EQ(entry.current(), nullptr);
  entry.set_current(&a);
  entry.set_unfinished(nullptr);
  entry.Trim();
  EXPECT_EQ(entry.unfinished(), nullptr);
  EXPECT_EQ(entry.current(), &a);
  entry.set_unfinished(&b);
  entry.AddLeaving(&a);
  entry.set_current(nullptr);
  entry.Trim();
  EXPECT_EQ(entry.unfinished(), &b);
  EXPECT_EQ(entry.leaving(), std::vector<Object*>{&a});
  entry.RemoveLeaving(&a);
  entry.set_unfinished(nullptr);
  EXPECT_TRUE(entry.IsEmpty());
}

TEST(ObjectTest, ReplicasKeepTheirOrderAndPlaces) {
  Object object;
  HeldReplica& first = object.AddReplica();
  HeldReplica& second = object.AddReplica();
  HeldReplica& third = object.AddReplica();
  const auto places = [&object] {
    std::vector<HeldReplica*> found;
    for (HeldReplica& replica : object.replicas()) found.push_back(&replica);
    return found;
  };
  EXPECT_EQ(places(), (std::vector<HeldReplica*>{&first, &second, &third}));
  for (const HeldReplica& replica : object.replicas()) EXPECT_EQ(&replica.object(), &object);
  first.noted = true;
  object.RemoveReplica(first);
  EXPECT_EQ(places(), (std::vector<HeldReplica*>{&second, &third}));
  HeldReplica& fourth = object.AddReplica();
  EXPECT_EQ(places(), (std::vector<HeldReplica*>{&second, &third, &fourth}));
  object.RemoveReplica(second);
  object.RemoveReplica(third);
  object.RemoveReplica(fourth);
  EXPECT_TRUE(object.replicas().empty());
  EXPECT_FALSE(object.AddReplica().noted);
}

TEST(RangeListTest, WhatIsCutOutLeavesTheRest) {
  RangeList list;
  const std::vector<Range> one = {{4096, 16384}};
  list.Set(one);
  list.Cut({4096, 4096});  // its beginning, as writers cut
  EXPECT_EQ(list.All(), (std::vector<Range>{{8192, 12288}}));
  list.Cut({12288, 4096});
  EXPECT_EQ(list.All(), (std::vector<Range>{{8192, 4096}, {16384, 4096}}));
  list.Cut({8192, 4096});
  EXPECT_EQ(list.All(), (std::vector<Range>{{16384, 4096}}));
  list.Cut({16384, 4096});
  EXPECT_TRUE(list.empty());
  const std::vector<Range> some = {{0, 8192}, {16384, 8192}, {32768, 8192}};
  list.Set(some);
  list.Cut({20480, 4096});
  EXPECT_EQ(list.All(), (std::vector<Range>{{0, 8192}, {16384, 4096}, {32768, 8192}}));
}

TEST(RangeListTest, IsWhatItWasSetTo) {
  RangeList list;
  EXPECT_TRUE(list.empty());
  for (const std::vector<Range>& ranges : std::vector<std::vector<Range>>{
           {{4096, 8192}}, {{0, 4096}, {8192, 4096}}, {}, {{0, 4096}}}) {
    list.Set(ranges);
    EXPECT_EQ(list.All(), ranges);
    EXPECT_EQ(list.size(), ranges.size());
    uint64_t bytes = 0;
    for (const Range& range : ranges) bytes += range.length;
    EXPECT_EQ(list.Bytes(), bytes);
  }
}

}  // namespace
}  // namespace kvstore::master
