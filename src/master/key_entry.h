#ifndef KVSTORE_SRC_MASTER_KEY_ENTRY_H_
#define KVSTORE_SRC_MASTER_KEY_ENTRY_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "master/block_pool.h"
#include "master/waiting.h"

namespace kvstore::master {

struct Object;

// What the catalog knows of one key; exists while that is anything. One block of memory with the
// key's bytes at its end: there are millions, and of nearly all of them one object is all there is
// to know. At a fixed place. Thread-compatible.
class KeyEntry {
 public:
  static constexpr size_t kLongest = (1u << 13) - 1;

  // In a block of the pool. `hash`: of the name, which has at most kLongest bytes.
  static KeyEntry* New(std::string_view name, size_t hash, BlockPool* pool);
  static void Delete(KeyEntry* entry, BlockPool* pool);
  KeyEntry(const KeyEntry&) = delete;
  KeyEntry& operator=(const KeyEntry&) = delete;

  std::string_view name() const { return {name_.data(), length_}; }
  uint32_t hash() const { return hash_; }

  // kComplete: what is located; null: nothing is.
  Object* current() const { return has_rest_ ? rest_->current : is_current_ ? object_ : nullptr; }
  // kParked, kPending or kCommitting.
  Object* unfinished() const {
    return has_rest_ ? rest_->unfinished : is_current_ ? nullptr : object_;
  }
  // Once visible or noted, retiring, not yet withdrawn everywhere.
  const std::vector<Object*>& leaving() const { return rest().leaving; }
  // Locate, Exists, Stat: until the unfinished one stops committing; WaitExists.
  const WaitList& readers() const { return rest().readers; }
  // Until nothing is leaving.
  const WaitList& removers() const { return rest().removers; }

  void set_current(Object* object);
  void set_unfinished(Object* object);
  void AddLeaving(Object* object) { more().leaving.push_back(object); }
  void RemoveLeaving(const Object* object);
  WaitList* mutable_readers() { return &more().readers; }
  WaitList* mutable_removers() { return &more().removers; }

  // Whether the current object may have a time to live: no need to look at it if not.
  bool may_expire() const { return may_expire_; }
  void NoteThatItMayExpire() { may_expire_ = 1; }

  bool IsEmpty() const {
    return has_rest_ ? !rest_->current && !rest_->unfinished && !rest_->SaysMore() : !object_;
  }
  // No more memory is kept than is needed.
  void Trim();

  KeyEntry* next_in_index = nullptr;

 private:
  // Where one object is not all.
  struct Rest {
    Object* current = nullptr;
    Object* unfinished = nullptr;
    std::vector<Object*> leaving;
    WaitList readers;
    WaitList removers;

    bool SaysMore() const { return !leaving.empty() || !readers.empty() || !removers.empty(); }
  };
  static const Rest kNothing;

  // The bytes begin where its last field does, and that is its end.
  static size_t BytesFor(std::string_view name) {
    return std::max(sizeof(KeyEntry) - sizeof(name_) + name.size(), sizeof(KeyEntry));
  }
  explicit KeyEntry(size_t hash) : hash_(static_cast<uint32_t>(hash)) {}
  ~KeyEntry() {
    if (has_rest_) delete rest_;
  }

  const Rest& rest() const { return has_rest_ ? *rest_ : kNothing; }
  Rest& more();

  union {
    Object* object_ = nullptr;  // the current one, or the unfinished one
    Rest* rest_;
  };
  const uint32_t hash_;
  uint16_t has_rest_ : 1 = 0;    // it is that
  uint16_t is_current_ : 1 = 0;  // object_ is
  uint16_t may_expire_ : 1 = 0;
  uint16_t length_ : 13 = 0;
  std::array<char, 2> name_{};  // and beyond
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_KEY_ENTRY_H_
