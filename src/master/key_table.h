#ifndef KVSTORE_SRC_MASTER_KEY_TABLE_H_
#define KVSTORE_SRC_MASTER_KEY_TABLE_H_

#include <cstddef>
#include <functional>
#include <string_view>

#include "master/hash_index.h"
#include "master/key_entry.h"

namespace kvstore::master {

// All keys that anything is known of. Thread-compatible.
class KeyTable {
 public:
  KeyTable() = default;
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;
  ~KeyTable();

  size_t size() const { return index_.size(); }
  static size_t Hash(std::string_view name) { return std::hash<std::string_view>()(name); }

  // null: nothing is known of the key. `hash` is that of the name.
  KeyEntry* Find(std::string_view name, size_t hash) const {
    const auto low = static_cast<uint32_t>(hash);
    return index_.Find(
        low, [&](const KeyEntry& key) { return key.hash() == low && key.name() == name; });
  }
  KeyEntry* Find(std::string_view name) const { return Find(name, Hash(name)); }
  KeyEntry& FindOrAdd(std::string_view name);
  void Erase(KeyEntry* entry);

  // In no particular order. `visit` adds and removes nothing.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    index_.ForEach(visit);
  }

  // Find of that hash waits for less memory if these two were called some time before, the first
  // one some time before the second.
  void PrefetchBucket(size_t hash) const { index_.PrefetchBucket(static_cast<uint32_t>(hash)); }
  void PrefetchEntry(size_t hash) const {
    const auto* const first = index_.First(static_cast<uint32_t>(hash));
    if (!first) return;
    __builtin_prefetch(first);
    __builtin_prefetch(reinterpret_cast<const char*>(first) + 64);  // the end of a long name
  }

 private:
  struct HashOf {
    size_t operator()(const KeyEntry& key) const { return key.hash(); }
  };
  HashIndex<KeyEntry, HashOf> index_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_KEY_TABLE_H_
