#ifndef KVSTORE_SRC_MASTER_HELD_REPLICA_H_
#define KVSTORE_SRC_MASTER_HELD_REPLICA_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvstore/clock.h"
#include "master/standing.h"
#include "proto/verbs.h"

namespace kvstore::master {

class Segment;
struct Object;

// The ranges of one replica, in order: mostly one, and that lies right here. 16 bytes.
class RangeList {
 public:
  RangeList() = default;
  RangeList(const RangeList&) = delete;
  RangeList& operator=(const RangeList&) = delete;
  ~RangeList() { Set({}); }

  // None of them is empty.
  void Set(std::span<const Range> ranges) {
    if (length_ == 0) delete several_;
    several_ = nullptr;
    length_ = 0;
    if (ranges.size() == 1) {
      offset_ = ranges[0].offset;
      length_ = ranges[0].length;
    } else if (!ranges.empty()) {
      several_ = new std::vector<Range>(ranges.begin(), ranges.end());
    }
  }

  // Takes `cut` out of the range in which it lies.
  void Cut(const Range& cut) {
    if (length_ > cut.length && offset_ == cut.offset) {
      offset_ += cut.length;
      length_ -= cut.length;
      return;
    }
    std::vector<Range> left;
    for (const Range& range : All()) {
      const uint64_t before = cut.offset - range.offset;
      if (cut.offset < range.offset || before >= range.length) {
        left.push_back(range);
        continue;
      }
      if (before > 0) left.push_back({range.offset, before});
      const uint64_t after = range.length - before - cut.length;
      if (after > 0) left.push_back({cut.offset + cut.length, after});
    }
    Set(left);
  }

  size_t size() const { return length_ > 0 ? 1 : several_ ? several_->size() : 0; }
  bool empty() const { return size() == 0; }
  Range operator[](size_t i) const {
    return length_ > 0 ? Range{offset_, length_} : (*several_)[i];
  }
  std::vector<Range> All() const {
    if (length_ > 0) return {{offset_, length_}};
    return several_ ? *several_ : std::vector<Range>();
  }
  uint64_t Bytes() const {
    uint64_t sum = length_;
    for (size_t i = 0; length_ == 0 && i < size(); ++i) sum += (*several_)[i].length;
    return sum;
  }

  template <typename IsWanted>
  bool HasAny(const IsWanted& is_wanted) const {
    for (size_t i = 0; i < size(); ++i) {
      if (is_wanted((*this)[i])) return true;
    }
    return false;
  }

 private:
  union {
    uint64_t offset_;
    std::vector<Range>* several_ = nullptr;  // null: none
  };
  uint64_t length_ = 0;  // 0: there are none, or several
};

// One copy of an object in one segment, until its memory is free or its holder is lost. The first
// one lies within its object, so that millions of objects with one replica each cost little.
struct HeldReplica {
  HeldReplica() = default;
  HeldReplica(const HeldReplica&) = delete;
  HeldReplica& operator=(const HeldReplica&) = delete;

  Object& object() const;
  // Sum of the ranges; 0 once they are free.
  uint64_t bytes() const { return freed ? 0 : ranges.Bytes(); }

  // When its retire order, or what fills it, was last sent. Not while a note is open.
  TimePoint sent() const { return has_note ? TimePoint{} : TimePoint{Duration(sent_or_note)}; }
  void set_sent(TimePoint when) { sent_or_note = when.time_since_epoch().count(); }
  // The note that its holder has not confirmed; 0: none.
  uint64_t note() const { return has_note ? static_cast<uint64_t>(sent_or_note) : 0; }
  void set_note(uint64_t note) {
    has_note = note != 0;
    sent_or_note = static_cast<int64_t>(note);
  }

  Segment* segment = nullptr;  // null: free again, or its holder is lost
  uint64_t birth = 0;
  RangeList ranges;
  HeldReplica* previous = nullptr;  // of its segment's list for `standing`
  HeldReplica* next = nullptr;
  int64_t sent_or_note = 0;  // for the functions above
  Standing standing = Standing::kUnfinished;
  bool noted : 1 = false;     // its holder keeps what it holds, as it is now, for the next master
  bool has_note : 1 = false;  // for the functions above
  bool freed : 1 = false;     // its memory is free, and it still in its segment's list
  bool reported : 1 = false;  // its holder, which was not to be known before, has named it
  bool is_first : 1 = false;  // it lies within its object
  bool is_there : 1 = false;  // that place is taken
};

// One that does not.
struct FurtherReplica : HeldReplica {
  explicit FurtherReplica(Object* object) : of(object) {}
  Object* const of;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_HELD_REPLICA_H_
