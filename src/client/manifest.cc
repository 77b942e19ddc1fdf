#include "client/manifest.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <new>
#include <string_view>

#include "kvstore/client.h"

namespace kvstore::client {
namespace {

Retention LeftOf(Retention retention, Duration passed) {
  retention.soft_pin = std::max(retention.soft_pin - passed, Duration::zero());
  if (retention.ttl != Duration::zero()) retention.ttl -= passed;
  return retention;
}

}  // namespace

// In one allocation with its key, whose bytes begin where its last field does.
struct Manifest::Note {
  // What few notes have.
  struct More {
    std::vector<Range> ranges;
    Retention retention;  // as it came
    TimePoint noted_at;
    PutId replaces;
  };
  static constexpr size_t kLongestKey = (1u << 11) - 1;

  Note() {}
  ~Note() {
    if (has_more) delete more;
  }

  PutId put;
  uint64_t birth = 0;
  uint64_t size = 0;
  uint64_t checksum = 0;
  uint64_t version = 0;
  union {
    Range range{};  // its only one
    More* more;
  };
  uint16_t has_more : 1 = 0;
  uint16_t replicas : 4 = 0;
  uint16_t key_bytes : 11 = 0;
  std::atomic<uint16_t> owners = 1;  // the manifest, and each that is being told
  std::array<char, 4> key_begin{};

  char* key_data() { return key_begin.data(); }
  std::string_view key() const { return {key_begin.data(), key_bytes}; }
  std::span<const Range> ranges() const {
    if (has_more) return more->ranges;
    return {&range, 1};
  }
  uint64_t offset() const { return ranges().empty() ? 0 : ranges().front().offset; }
  bool HasExpired(TimePoint now) const {
    if (!has_more) return false;
    const Duration ttl = more->retention.ttl;
    return ttl != Duration::zero() && ttl <= now - more->noted_at;
  }
};

void Manifest::Free::operator()(Note* note) const {
  if (note->owners.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  note->~Note();
  ::operator delete(note);
}

const PutId& Manifest::ByPut::PutOf(const OwnedNote& note) { return note->put; }

Manifest::Manifest() = default;
Manifest::~Manifest() = default;

Manifest::OwnedNote Manifest::Pack(const NoteOrder& order, TimePoint now) {
  static_assert(sizeof(Note) == 80, "there may be millions of them");
  static_assert(kMaxKeyBytes <= Note::kLongestKey && kMaxReplicas < 1u << 4);
  const size_t bytes = offsetof(Note, key_begin) + order.key.size();
  OwnedNote note(new (::operator new(std::max(bytes, sizeof(Note)))) Note);
  note->put = order.put;
  note->birth = order.birth;
  note->size = order.size;
  note->checksum = order.checksum;
  note->version = order.version;
  note->replicas = order.replicas & 15;
  note->key_bytes = order.key.size() & Note::kLongestKey;
  std::memcpy(note->key_data(), order.key.data(), order.key.size());
  if (order.ranges.size() != 1 || order.retention != Retention() || order.replaces != PutId()) {
    note->more = new Note::More{order.ranges, order.retention, now, order.replaces};
    note->has_more = 1;
  } else {
    note->range = order.ranges[0];
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

size_t Manifest::size() const {
  size_t sum = 0;
  for (const auto& [segment, shelf] : segments_) {
    for (const Notes& notes : shelf) sum += notes.size();
  }
  return sum;
}

Manifest::Told Manifest::Tell(TimePoint now, const Stands& stands) {
  Told told;
  told.now_ = now;
  told.notes_.reserve(size());
  std::vector<std::pair<uint64_t, Note*>> sorted;  // the sets' order is another in each process
  for (auto& [segment, shelf] : segments_) {
    sorted.clear();
    for (Notes& notes : shelf) {
      absl::erase_if(notes, [&](const OwnedNote& note) {
        if (note->HasExpired(now)) return true;
        note->version = 0;
        sorted.emplace_back(note->offset(), note.get());
        return false;
      });
    }
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first : a.second->put < b.second->put;
    });
    for (const auto& [offset, note] : sorted) {
      if (!stands(segment, note->birth, note->ranges())) {
        const PutId put = note->put;
        shelf.of(put).erase(put);
        continue;
      }
      note->owners.fetch_add(1, std::memory_order_relaxed);
      told.notes_.emplace_back(note);
    }
    told.ends_[segment] = told.notes_.size();
  }
  return told;
}

RangeSet Manifest::Told::Named(uint32_t segment) const {
  const auto end = ends_.find(segment);
  if (end == ends_.end()) return {};
  std::vector<Range> ranges;
  const size_t begin = end == ends_.begin() ? 0 : std::prev(end)->second;
  ranges.reserve(end->second - begin);
  for (size_t i = begin; i < end->second; ++i) {
    const std::span<const Range> of = notes_[i]->ranges();
    ranges.insert(ranges.end(), of.begin(), of.end());
  }
  return RangeSet(std::move(ranges));
}

std::vector<NoteOrder> Manifest::Told::Take(size_t most) {
  std::vector<NoteOrder> taken;
  taken.reserve(std::min(most, left()));
  while (taken.size() < most && left() > 0) {
    const auto end = std::find_if(ends_.begin(), ends_.end(),
                                  [this](const auto& entry) { return next_ < entry.second; });
    const OwnedNote note = std::move(notes_[next_++]);
    NoteOrder& order = taken.emplace_back();
    order.put = note->put;
    order.segment = end->first;
    order.birth = note->birth;
    order.ranges.assign(note->ranges().begin(), note->ranges().end());
    order.key = note->key();
    order.size = note->size;
    order.checksum = note->checksum;
    order.replicas = note->replicas;
    if (!note->has_more) continue;
    order.retention = LeftOf(note->more->retention, now_ - note->more->noted_at);
    order.replaces = note->more->replaces;
  }
  return taken;
}

}  // namespace kvstore::client
