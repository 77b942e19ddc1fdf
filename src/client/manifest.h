#ifndef KVSTORE_SRC_CLIENT_MANIFEST_H_
#define KVSTORE_SRC_CLIENT_MANIFEST_H_

#include <absl/container/flat_hash_set.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "client/range_set.h"
#include "kvstore/clock.h"
#include "proto/verbs.h"

namespace kvstore::client {

// What the memory that a node lends holds, as its master's notes say, for the next master. One note
// per put and segment; a node may keep millions, so each is packed: about 95 bytes and its key.
// Pure and thread-compatible; times are the caller's clock's.
class Manifest {
 private:
  struct Note;
  struct Free {
    void operator()(Note* note) const;
  };
  using OwnedNote = std::unique_ptr<Note, Free>;

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
  void Clear() { segments_.clear(); }

  size_t size() const;

  // All notes of one moment, whatever the manifest keeps or drops later: by segment and where they
  // lie there, so that a master that takes them one by one cuts its free space at the edge.
  // Thread-compatible, also beside the manifest's own thread.
  class Told {
   public:
    size_t left() const { return notes_.size() - next_; }
    // The next ones, at most so many, which are not among those left any more. Their durations are
    // what was left at that moment.
    std::vector<NoteOrder> Take(size_t most);
    // Of that segment, all that is noted; before any is taken.
    RangeSet Named(uint32_t segment) const;

   private:
    friend Manifest;
    TimePoint now_;
    std::vector<OwnedNote> notes_;
    std::map<uint32_t, size_t> ends_;  // of each segment's notes
    size_t next_ = 0;
  };
  // Drops what its TTL has outlived and what does not stand any more, and forgets versions: those
  // of the next term are compared only with each other. Then tells what is left.
  Told Tell(TimePoint now, const Stands& stands);

 private:
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
