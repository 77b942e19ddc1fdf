#include "client/manifest.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

namespace kvstore::client {
namespace {

Retention LeftOf(Retention retention, Duration passed) {
  retention.soft_pin = std::max(retention.soft_pin - passed, Duration::zero());
  if (retention.ttl != Duration::zero()) retention.ttl -= passed;
  return retention;
}

}  // namespace

// In one allocation with its key, which lies behind it.
struct Manifest::Note {
  // What few notes have.
  struct More {
    std::optional<std::vector<Range>> ranges;  // unless it is one: that is below
    Retention retention;                       // as it came
    TimePoint noted_at;
    PutId replaces;
  };

  PutId put;
  uint64_t birth = 0;
  uint64_t size = 0;
  uint64_t checksum = 0;
  uint64_t version = 0;
  Range range;
  std::unique_ptr<More> more;
  uint32_t replicas = 0;
  uint32_t key_bytes = 0;

  char* key() { return reinterpret_cast<char*>(this + 1); }
  std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
  std::span<const Range> ranges() const {
    if (more != nullptr && more->ranges.has_value()) return *more->ranges;
    return {&range, 1};
  }
  uint64_t offset() const { return ranges().empty() ? 0 : ranges().front().offset; }
};

void Manifest::Free::operator()(Note* note) const {
  note->~Note();
  ::operator delete(note);
}

const PutId& Manifest::ByPut::PutOf(const OwnedNote& note) { return note->put; }

Manifest::Manifest() = default;
Manifest::~Manifest() = default;

Manifest::OwnedNote Manifest::Pack(const NoteOrder& order, TimePoint now) {
  OwnedNote note(new (::operator new(sizeof(Note) + order.key.size())) Note);
  note->put = order.put;
  note->birth = order.birth;
  note->size = order.size;
  note->checksum = order.checksum;
  note->version = order.version;
  note->replicas = order.replicas;
  note->key_bytes = static_cast<uint32_t>(order.key.size());
  std::memcpy(note->key(), order.key.data(), order.key.size());
  const bool scattered = order.ranges.size() != 1;
  if (!scattered) note->range = order.ranges[0];
  if (scattered || order.retention != Retention() || order.replaces != PutId()) {
    note->more = std::make_unique<Note::More>();
    if (scattered) note->more->ranges = order.ranges;
    note->more->retention = order.retention;
    note->more->noted_at = now;
    note->more->replaces = order.replaces;
  }
  return note;
}

bool Manifest::Keep(const NoteOrder& order, TimePoint now) {
  Notes& notes = segments_[order.segment].of(order.put);
  const auto kept = notes.find(order.put);
  if (kept != notes.end()) {
    const Note& note = **kept;
    if (note.birth > order.birth) return false;
    if (note.birth == order.birth && note.version > order.version) return true;
    notes.erase(kept);
  }
  notes.insert(Pack(order, now));
  return true;
}

void Manifest::Drop(uint32_t segment, const PutId& put, uint64_t birth) {
  const auto shelf = segments_.find(segment);
  if (shelf == segments_.end()) return;
  Notes& notes = shelf->second.of(put);
  const auto kept = notes.find(put);
  if (kept != notes.end() && (*kept)->birth <= birth) notes.erase(kept);
}

void Manifest::DropUnless(const Stands& stands) {
  for (auto& [segment, shelf] : segments_) {
    const uint32_t index = segment;
    for (Notes& notes : shelf) {
      absl::erase_if(notes, [&stands, index](const OwnedNote& note) {
        return !stands(index, note->birth, note->ranges());
      });
    }
  }
}

void Manifest::ForgetVersions() {
  for (auto& [segment, shelf] : segments_) {
    for (Notes& notes : shelf) {
      for (const OwnedNote& note : notes) note->version = 0;
    }
  }
}

void Manifest::DropExpired(TimePoint now) {
  for (auto& [segment, shelf] : segments_) {
    for (Notes& notes : shelf) {
      absl::erase_if(notes, [now](const OwnedNote& note) {
        if (note->more == nullptr) return false;
        const Duration ttl = note->more->retention.ttl;
        return ttl != Duration::zero() && ttl <= now - note->more->noted_at;
      });
    }
  }
}

size_t Manifest::size() const {
  size_t sum = 0;
  for (const auto& [segment, shelf] : segments_) {
    for (const Notes& notes : shelf) sum += notes.size();
  }
  return sum;
}

RangeSet Manifest::Named(uint32_t segment) const {
  const auto shelf = segments_.find(segment);
  if (shelf == segments_.end()) return {};
  std::vector<Range> ranges;
  for (const Notes& notes : shelf->second) {
    for (const OwnedNote& note : notes) {
      ranges.insert(ranges.end(), note->ranges().begin(), note->ranges().end());
    }
  }
  return RangeSet(std::move(ranges));
}

std::vector<NoteOrder> Manifest::Told(TimePoint now) const {
  std::vector<NoteOrder> told;
  told.reserve(size());
  for (const auto& [segment, shelf] : segments_) {
    std::vector<const Note*> sorted;  // the sets' order is another in each process
    for (const Notes& notes : shelf) {
      for (const OwnedNote& note : notes) sorted.push_back(note.get());
    }
    std::sort(sorted.begin(), sorted.end(), [](const Note* a, const Note* b) {
      return std::pair(a->offset(), a->put) < std::pair(b->offset(), b->put);
    });
    for (const Note* note : sorted) {
      NoteOrder& order = told.emplace_back();
      order.put = note->put;
      order.segment = segment;
      order.birth = note->birth;
      order.ranges.assign(note->ranges().begin(), note->ranges().end());
      order.key = note->key();
      order.size = note->size;
      order.checksum = note->checksum;
      order.replicas = note->replicas;
      order.version = note->version;
      if (note->more == nullptr) continue;
      order.retention = LeftOf(note->more->retention, now - note->more->noted_at);
      order.replaces = note->more->replaces;
    }
  }
  return told;
}

}  // namespace kvstore::client
