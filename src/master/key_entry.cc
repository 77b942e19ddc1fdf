#include "master/key_entry.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace kvstore::master {

const KeyEntry::Rest KeyEntry::kNothing;

KeyEntry* KeyEntry::New(std::string_view name, size_t hash, BlockPool* pool) {
  static_assert(sizeof(KeyEntry) == 32, "there may be ten million of them");
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
  if (!rest_) {
    rest_ = std::make_unique<Rest>();
    if (!is_current_) rest_->unfinished = std::exchange(object_, nullptr);
  }
  return *rest_;
}

void KeyEntry::set_current(Object* object) {
  // What is unfinished has its place only while nothing is current.
  if (object && !is_current_ && object_) more();
  if (object || is_current_) object_ = object;
  is_current_ = object ? 1 : 0;
}

void KeyEntry::set_unfinished(Object* object) {
  if (rest_) {
    rest_->unfinished = object;
  } else if (!is_current_) {
    object_ = object;
  } else if (object) {
    more().unfinished = object;
  }
}

void KeyEntry::RemoveLeaving(const Object* object) {
  if (rest_) std::erase(rest_->leaving, object);
}

void KeyEntry::Trim() {
  if (!rest_ || rest_->SaysMore() || (is_current_ && rest_->unfinished)) return;
  if (!is_current_) object_ = rest_->unfinished;
  rest_.reset();
}

}  // namespace kvstore::master
