#include "client/manifest.h"

#include <algorithm>
#include <utility>

namespace kvstore::client {
namespace {

Retention LeftOf(Retention retention, Duration passed) {
  retention.soft_pin = std::max(retention.soft_pin - passed, Duration::zero());
  if (retention.ttl != Duration::zero()) retention.ttl -= passed;
  return retention;
}

}  // namespace

bool Manifest::Keep(NoteOrder note, TimePoint now) {
  auto& notes = segments_[note.segment];
  const PutId put = note.put;
  const auto kept = notes.find(put);
  if (kept != notes.end() && kept->second.order.birth > note.birth) return false;
  if (kept != notes.end() && kept->second.order.birth == note.birth &&
      kept->second.order.version > note.version) {
    return true;
  }
  notes.insert_or_assign(put, Note{std::move(note), now});
  return true;
}

void Manifest::Drop(uint32_t segment, const PutId& put, uint64_t birth) {
  const auto notes = segments_.find(segment);
  if (notes == segments_.end()) return;
  const auto kept = notes->second.find(put);
  if (kept != notes->second.end() && kept->second.order.birth <= birth) notes->second.erase(kept);
}

void Manifest::DropUnless(const std::function<bool(const NoteOrder&)>& stands) {
  for (auto& [segment, notes] : segments_) {
    std::erase_if(notes, [&](const auto& entry) { return !stands(entry.second.order); });
  }
}

void Manifest::ForgetVersions() {
  for (auto& [segment, notes] : segments_) {
    for (auto& [put, note] : notes) note.order.version = 0;
  }
}

void Manifest::DropExpired(TimePoint now) {
  for (auto& [segment, notes] : segments_) {
    std::erase_if(notes, [now](const auto& entry) {
      const Duration ttl = entry.second.order.retention.ttl;
      return ttl != Duration::zero() && ttl <= now - entry.second.noted_at;
    });
  }
}

size_t Manifest::size() const {
  size_t sum = 0;
  for (const auto& [segment, notes] : segments_) sum += notes.size();
  return sum;
}

RangeSet Manifest::Named(uint32_t segment) const {
  const auto notes = segments_.find(segment);
  if (notes == segments_.end()) return {};
  std::vector<Range> ranges;
  for (const auto& [put, note] : notes->second) {
    ranges.insert(ranges.end(), note.order.ranges.begin(), note.order.ranges.end());
  }
  return RangeSet(std::move(ranges));
}

std::vector<NoteOrder> Manifest::Told(TimePoint now) const {
  std::vector<NoteOrder> told;
  told.reserve(size());
  for (const auto& [segment, notes] : segments_) {
    for (const auto& [put, note] : notes) {
      told.push_back(note.order);
      told.back().retention = LeftOf(note.order.retention, now - note.noted_at);
    }
  }
  return told;
}

}  // namespace kvstore::client
