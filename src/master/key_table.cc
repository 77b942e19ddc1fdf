#include "master/key_table.h"

#include <algorithm>
#include <vector>

namespace kvstore::master {

KeyTable::~KeyTable() {
  std::vector<KeyEntry*> entries;
  entries.reserve(index_.size());
  index_.ForEach([&](KeyEntry& entry) { entries.push_back(&entry); });
  for (KeyEntry* entry : entries) KeyEntry::Delete(entry, &pool_);
}

KeyTable::Hashes KeyTable::Fetch(const KeyBatch& names, size_t first) const {
  Hashes hashes{};
  const size_t count = std::min(kFetched, names.size() - first);
  for (size_t i = 0; i < count; ++i) hashes[i] = Hash(names[first + i]);
  index_.Fetch({hashes.data(), count});
  return hashes;
}

KeyEntry& KeyTable::FindOrAdd(std::string_view name) {
  const size_t hash = Hash(name);
  if (KeyEntry* const found = Find(name, hash)) return *found;
  KeyEntry* const entry = KeyEntry::New(name, hash, &pool_);
  index_.Add(entry, entry->hash());
  return *entry;
}

void KeyTable::Erase(KeyEntry* entry) {
  index_.Remove(entry, entry->hash());
  KeyEntry::Delete(entry, &pool_);
}

}  // namespace kvstore::master
