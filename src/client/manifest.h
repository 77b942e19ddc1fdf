#ifndef KVSTORE_SRC_CLIENT_MANIFEST_H_
#define KVSTORE_SRC_CLIENT_MANIFEST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "client/range_set.h"
#include "kvstore/clock.h"
#include "proto/verbs.h"

namespace kvstore::client {

// What the memory that a node lends holds, as its master's notes say, for the next master. One note
// per put and segment. Pure and thread-compatible; times are the caller's clock's.
class Manifest {
 public:
  // In place of what was noted of that put in that segment before, unless that is a newer version
  // for the same grant. False: a later grant to the same put is noted there already.
  bool Keep(NoteOrder note, TimePoint now);
  // What was granted to the put in the segment under that birth, or earlier, holds nothing any
  // more.
  void Drop(uint32_t segment, const PutId& put, uint64_t birth);
  void DropUnless(const std::function<bool(const NoteOrder&)>& stands);
  // Versions of the next term are compared only with each other.
  void ForgetVersions();
  // What its TTL has outlived.
  void DropExpired(TimePoint now);
  void Clear() { segments_.clear(); }

  size_t size() const;
  // Of that segment, all that is noted.
  RangeSet Named(uint32_t segment) const;
  // All notes, in no order; their durations are what is left at `now`, at which none has expired.
  std::vector<NoteOrder> Told(TimePoint now) const;

 private:
  struct Note {
    NoteOrder order;  // its durations: as they came
    TimePoint noted_at;
  };

  std::map<uint32_t, std::unordered_map<PutId, Note>> segments_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_MANIFEST_H_
