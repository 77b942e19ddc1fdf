#include "master/key_table.h"

#include <vector>

namespace kvstore::master {

KeyTable::~KeyTable() {
  std::vector<KeyEntry*> entries;
  entries.reserve(index_.size());
  index_.ForEach([&](KeyEntry& entry) { entries.push_back(&entry); });
  for (KeyEntry* entry : entries) KeyEntry::Delete(entry);
}

KeyEntry& KeyTable::FindOrAdd(std::string_view name) {
  const size_t hash = Hash(name);
  if (KeyEntry* const found = Find(name, hash)) return *found;
  KeyEntry* const entry = KeyEntry::New(name, hash);
  index_.Add(entry, entry->hash());
  return *entry;
}

void KeyTable::Erase(KeyEntry* entry) {
  index_.Remove(entry, entry->hash());
  KeyEntry::Delete(entry);
}

}  // namespace kvstore::master
