#ifndef KVSTORE_SRC_MASTER_OBJECT_LISTING_H_
#define KVSTORE_SRC_MASTER_OBJECT_LISTING_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "master/catalog.h"

namespace kvstore::master {

// One page of objects in key order, gathered a slice of all keys at a time, so that nobody waits
// for the catalog while all of them are looked at: see Catalog::ListSome. A key is found once at
// most, and certainly where there is an object of it from the first slice to the last, replaced or
// not.
class ObjectListing {
 public:
  // Up to `limit` objects with the prefix and a key greater than `after`.
  ObjectListing(std::string_view prefix, std::string_view after, size_t limit)
      : prefix_(prefix), after_(after), limit_(limit) {}

  // For the catalog. The next slice of a table of keys that has so many buckets by now: those that
  // are, or have come, from [first, last) of the buckets that there were at first.
  struct Slice {
    size_t first;
    size_t last;
    size_t of;
  };
  Slice Next(size_t buckets);
  // Whether the slices so far were all.
  bool ended() const { return next_ == buckets_; }
  bool Wants(std::string_view key) const;
  // Which it wants.
  void Add(ObjectLine line);

  // In key order.
  std::vector<ObjectLine> Take() &&;

 private:
  const std::string prefix_;
  const std::string after_;
  const size_t limit_;
  size_t next_ = 0;
  std::optional<size_t> buckets_;  // when it began
  std::vector<ObjectLine> least_;  // a heap: the greatest key first
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_OBJECT_LISTING_H_
