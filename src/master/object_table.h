#ifndef KVSTORE_SRC_MASTER_OBJECT_TABLE_H_
#define KVSTORE_SRC_MASTER_OBJECT_TABLE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <unordered_map>

#include "master/hash_index.h"
#include "master/object.h"
#include "master/slab.h"
#include "proto/verbs.h"

namespace kvstore::master {

// All objects, by put id, and each in a slot of its own for as long as it exists.
// Thread-compatible.
class ObjectTable {
 public:
  size_t size() const { return index_.size(); }
  // null: there is none.
  Object* Find(const PutId& id) const {
    return index_.Find(std::hash<PutId>()(id),
                       [&](const Object& object) { return object.id() == id; });
  }
  // Has the memory brought that Find of these hashes touches, for all at once.
  void Fetch(std::span<const size_t> hashes) const { index_.Fetch(hashes); }
  // The same of the puts `at(first)`, `at(first + 1)`, ..., of `count` in all: of kFetched of them.
  static constexpr size_t kFetched = 64;
  template <typename PutAt>
  void Fetch(size_t first, size_t count, const PutAt& at) const {
    std::array<size_t, kFetched> hashes{};
    const size_t fetched = std::min(kFetched, count - first);
    for (size_t i = 0; i < fetched; ++i) hashes[i] = std::hash<PutId>()(at(first + i));
    index_.Fetch({hashes.data(), fetched});
  }
  // A new one, parked; there is none of that id.
  Object& Add(const PutId& id);
  void Erase(Object& object);

  size_t slots() const { return slab_.slots(); }
  // null: the slot is free.
  Object* At(size_t slot) const { return slab_.At(slot); }

 private:
  struct HashOf {
    size_t operator()(const Object& object) const { return std::hash<PutId>()(object.id()); }
  };

  Slab<Object> slab_;
  HashIndex<Object, HashOf> index_;
  std::unordered_map<Incarnation, Writer> writers_;  // of all these objects
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_OBJECT_TABLE_H_
