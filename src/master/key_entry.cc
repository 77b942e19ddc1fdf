#include "master/key_entry.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace kvstore::master {

const KeyEntry::Rest KeyEntry::kNothing;

KeyEntry* KeyEntry::New(std::string_view name, size_t hash, BlockPool* pool) {
  static_assert(sizeof(KeyEntry) == 24, "there may be ten million of them");
  assert(name.size() <= kLongest);
  KeyEntry* const entry = new (pool->Take(BytesFor(name))) KeyEntry(hash);
  entry->length_ = static_cast<uint16_t>(name.size() & kLongest);
  std::memcpy(entry->name_.data(), name.data(), name.size());
  return entry;
}

void KeyEntry::Delete(KeyEntry* entry, BlockPool* pool) {
  const size_t bytes = BytesFor(entry->name());
  entry->~KeyEntry();
  pool->Give(entry, bytes);
}

KeyEntry::Rest& KeyEntry::more() {
  if (!has_rest_) {
    auto* const rest = new Rest;
    (is_current_ ? rest->current : rest->unfinished) = object_;
    rest_ = rest;
    has_rest_ = 1;
  }
  return *rest_;
}

void KeyEntry::set_current(Object* object) {
  if (has_rest_) {
    rest_->current = object;
  } else if (is_current_ || !object_) {
    object_ = object;
    is_current_ = object ? 1 : 0;
  } else if (object) {
    more().current = object;
  }
}

void KeyEntry::set_unfinished(Object* object) {
  if (has_rest_) {
    rest_->unfinished = object;
  } else if (!is_current_) {
    object_ = object;
  } else if (object) {
    more().unfinished = object;
  }
}

void KeyEntry::RemoveLeaving(const Object* object) {
  if (has_rest_) std::erase(rest_->leaving, object);
}

void KeyEntry::Trim() {
  if (!has_rest_ || rest_->SaysMore() || (rest_->current && rest_->unfinished)) return;
  const Rest* const rest = rest_;
  is_current_ = rest->current ? 1 : 0;
  object_ = rest->current ? rest->current : rest->unfinished;
  has_rest_ = 0;
  delete rest;
}

}  // namespace kvstore::master
