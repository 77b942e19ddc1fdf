#ifndef KVSTORE_SRC_CLIENT_MANIFEST_H_
#define KVSTORE_SRC_CLIENT_MANIFEST_H_

#include <absl/container/flat_hash_set.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "client/range_set.h"
#include "kvstore/clock.h"
#include "proto/verbs.h"

namespace kvstore::client {

// What the memory that a node lends holds, as its master's notes say, for the next master. One note
// per put and segment; a node may keep millions, so each is packed: about 110 bytes and its key.
// Pure and thread-compatible; times are the caller's clock's.
class Manifest {
 public:
  Manifest();
  ~Manifest();

  // In place of what was noted of that put in that segment before, unless that is a newer version
  // for the same grant. False: a later grant to the same put is noted there already.
  bool Keep(const NoteOrder& note, TimePoint now);
  // What was granted to the put in the segment under that birth, or earlier, holds nothing any
  // more.
  void Drop(uint32_t segment, const PutId& put, uint64_t birth);
  // `stands`: whether those ranges of the segment still hold what was granted under that birth.
  using Stands =
      std::function<bool(uint32_t segment, uint64_t birth, std::span<const Range> ranges)>;
  void DropUnless(const Stands& stands);
  // Versions of the next term are compared only with each other.
  void ForgetVersions();
  // What its TTL has outlived.
  void DropExpired(TimePoint now);
  void Clear() { segments_.clear(); }

  size_t size() const;
  // Of that segment, all that is noted.
  RangeSet Named(uint32_t segment) const;
  // All notes, by segment and where they lie there, so that a master that takes them one by one
  // cuts its free space at the edge; their durations are what is left at `now`, at which none has
  // expired.
  std::vector<NoteOrder> Told(TimePoint now) const;

 private:
  struct Note;
  struct Free {
    void operator()(Note* note) const;
  };
  using OwnedNote = std::unique_ptr<Note, Free>;
  struct ByPut {
    using is_transparent = void;
    static const PutId& PutOf(const PutId& put) { return put; }
    static const PutId& PutOf(const OwnedNote& note);
  };
  struct HashOfPut : ByPut {
    template <typename T>
    size_t operator()(const T& of) const {
      return std::hash<PutId>()(PutOf(of));
    }
  };
  struct SamePut : ByPut {
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return PutOf(a) == PutOf(b);
    }
  };
  using Notes = absl::flat_hash_set<OwnedNote, HashOfPut, SamePut>;
  // Of one segment, in parts that grow one by one: to make room in all at once takes seconds when
  // there are millions, and copies wait for that.
  class Shelf {
   public:
    // By bits of the hash that the sets themselves use least.
    Notes& of(const PutId& put) { return parts_[std::hash<PutId>()(put) >> (64 - kPartBits)]; }
    auto begin() { return parts_.begin(); }
    auto end() { return parts_.end(); }
    auto begin() const { return parts_.begin(); }
    auto end() const { return parts_.end(); }

   private:
    static constexpr int kPartBits = 8;
    std::array<Notes, size_t{1} << kPartBits> parts_;
  };

  static OwnedNote Pack(const NoteOrder& order, TimePoint now);

  std::map<uint32_t, Shelf> segments_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_MANIFEST_H_
