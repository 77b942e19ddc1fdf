#ifndef KVSTORE_SRC_MASTER_HASH_INDEX_H_
#define KVSTORE_SRC_MASTER_HASH_INDEX_H_

#include <array>
#include <bit>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "master/table_memory.h"

namespace kvstore::master {

// A hash table through a field `next_in_index` of T, at 8 bytes an element. It grows by one bucket
// with each element (linear hashing): nobody ever waits while millions of them are moved. It never
// shrinks. Owns nothing: elements stay where they are. `HashOf` is the hash of an element; buckets
// go by its lowest bits. Thread-compatible.
template <typename T, typename HashOf>
class HashIndex {
 public:
  HashIndex() = default;
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  size_t size() const { return size_; }

  // The first with that hash that is the `wanted`; null: there is none.
  template <typename Wanted>
  T* Find(size_t hash, const Wanted& wanted) const {
    T* element = size_ == 0 ? nullptr : At(BucketOf(hash));
    while (element && !wanted(*element)) element = element->next_in_index;
    return element;
  }

  // Has the memory brought that Find of these hashes touches, for all at once.
  void Fetch(std::span<const size_t> hashes) const {
    if (size_ == 0) return;
    for (const size_t hash : hashes) __builtin_prefetch(&At(BucketOf(hash)));
    for (const size_t hash : hashes) FetchElement(At(BucketOf(hash)));
    for (const size_t hash : hashes) {
      if (const T* const first = At(BucketOf(hash))) FetchElement(first->next_in_index);
    }
  }

  void Add(T* element, size_t hash) {
    if (size_++ == buckets_) Grow();
    T*& first = At(BucketOf(hash));
    element->next_in_index = first;
    first = element;
  }

  // Which is in it.
  void Remove(T* element, size_t hash) {
    T** link = &At(BucketOf(hash));
    while (*link != element) link = &(*link)->next_in_index;
    *link = element->next_in_index;
    --size_;
  }

  // In no particular order. `visit` adds and removes nothing.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (size_t bucket = 0; bucket < buckets_; ++bucket) ForEachIn(bucket, visit);
  }

  // Only grows.
  size_t buckets() const { return buckets_; }
  // Of those that were or would have been in `bucket` when there were `of` buckets. Who does so for
  // all of these, in however many steps, visits what has a hash that is there all the while.
  template <typename Visit>
  void ForEachOf(size_t bucket, size_t of, const Visit& visit) const {
    ForEachIn(bucket, visit);
    // Buckets that have taken elements from it since, or from one that had.
    for (size_t bit = std::bit_ceil(bucket + 1); (bucket | bit) < buckets_; bit <<= 1) {
      if ((bucket | bit) >= of) ForEachOf(bucket | bit, of, visit);
    }
  }

 private:
  static constexpr size_t kChunk = 4096;
  static constexpr size_t kLater = 4;
  using Chunk = std::array<T*, kChunk>;

  static void FetchElement(const T* element) {
    if (element) __builtin_prefetch(&element->next_in_index);
  }

  template <typename Visit>
  void ForEachIn(size_t bucket, const Visit& visit) const {
    for (T* element = At(bucket); element; element = element->next_in_index) visit(*element);
  }

  T*& At(size_t bucket) const { return (*chunks_[bucket / kChunk])[bucket % kChunk]; }

  // There are buckets for all values of the lower bits, and for some with one bit more.
  size_t BucketOf(size_t hash) const {
    const size_t bucket = hash & mask_;
    return bucket < buckets_ ? bucket : hash & (mask_ >> 1);
  }

  // One bucket more: it takes its elements from the one that was theirs with a bit less.
  void Grow() {
    const size_t added = buckets_++;
    if (added % kChunk == 0) {
      chunks_.push_back(NewTablePart<Chunk>());
      chunks_.back()->fill(nullptr);
    }
    mask_ = std::bit_ceil(buckets_) - 1;
    if (added == 0) return;
    // What is moved some elements later is on its way by then.
    FetchElement(At((added + 2 * kLater) & (mask_ >> 1)));
    if (const T* const soon = At((added + kLater) & (mask_ >> 1))) {
      FetchElement(soon->next_in_index);
    }
    T* rest = std::exchange(At(added & (mask_ >> 1)), nullptr);
    while (rest) {
      T* const element = rest;
      rest = element->next_in_index;
      T*& first = At(BucketOf(HashOf()(*element)));
      element->next_in_index = first;
      first = element;
    }
  }

  std::vector<TablePart<Chunk>> chunks_;
  size_t buckets_ = 0;
  size_t mask_ = 0;  // as many bits as the last bucket's number needs
  size_t size_ = 0;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_HASH_INDEX_H_
