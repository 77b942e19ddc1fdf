#ifndef KVSTORE_SRC_MASTER_KEY_TABLE_H_
#define KVSTORE_SRC_MASTER_KEY_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "master/block_pool.h"
#include "master/hash_index.h"
#include "master/key_entry.h"
#include "proto/key_batch.h"

namespace kvstore::master {

// All keys that anything is known of. Thread-compatible.
class KeyTable {
 public:
  KeyTable() = default;
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;
  ~KeyTable();

  size_t size() const { return index_.size(); }
  // As many bits of it as an entry keeps.
  static size_t Hash(std::string_view name) {
    return std::hash<std::string_view>()(name) & UINT32_MAX;
  }

  // null: nothing is known of the key. `hash` is that of the name.
  KeyEntry* Find(std::string_view name, size_t hash) const {
    return index_.Find(
        hash, [&](const KeyEntry& key) { return key.hash() == hash && key.name() == name; });
  }
  KeyEntry* Find(std::string_view name) const { return Find(name, Hash(name)); }
  KeyEntry& FindOrAdd(std::string_view name);
  void Erase(KeyEntry* entry);

  // In no particular order. `visit` adds and removes nothing.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    index_.ForEach(visit);
  }
  // As HashIndex has them.
  size_t buckets() const { return index_.buckets(); }
  template <typename Visit>
  void ForEachOf(size_t bucket, size_t of, const Visit& visit) const {
    index_.ForEachOf(bucket, of, visit);
  }

  // So many that memory answers all at once, and few enough that what it brings stays in the cache.
  static constexpr size_t kFetched = 64;
  using Hashes = std::array<size_t, kFetched>;
  // Has the memory brought that Find of these keys touches, for all at once: up to kFetched from
  // `first` on, whose hashes it returns.
  Hashes Fetch(const KeyBatch& names, size_t first) const;
  // The same of these hashes.
  void Fetch(std::span<const size_t> hashes) const { index_.Fetch(hashes); }

 private:
  struct HashOf {
    size_t operator()(const KeyEntry& key) const { return key.hash(); }
  };
  BlockPool pool_;
  HashIndex<KeyEntry, HashOf> index_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_KEY_TABLE_H_
