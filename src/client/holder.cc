#include "client/holder.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace kvstore::client {
namespace {

RetireAck Confirm(const RetireOrder& order, RetireStage stage) {
  return {order.put, order.segment, order.birth, stage};
}

bool Within(uint64_t offset, uint64_t length, uint64_t size) {
  return length <= size && offset <= size - length;
}

}  // namespace

Holder::Holder(const HolderGuards& guards, Outsiders* outsiders)
    : guards_(guards), outsiders_(outsiders) {}

void Holder::AddSegment(uint32_t index, uint64_t size, uint64_t granule, std::span<Word> words,
                        uint64_t granted_below) {
  Segment& segment = segments_[index];
  segment.size = size;
  segment.granule = granule;
  segment.words = words;
  segment.granted_below = std::min(granted_below, size);
  // Words that an earlier incarnation left must not be greater than births to come.
  if (!guards_.counter_covers_old_words) return;
  for (const Word& word : words.first(segment.granted_below / granule)) {
    counter_ = std::max(counter_, word.load(std::memory_order_acquire));
  }
}

void Holder::RaiseGranted(uint32_t index, uint64_t granted_below) {
  Segment& segment = segments_.at(index);
  segment.granted_below = std::max(segment.granted_below, std::min(granted_below, segment.size));
}

void Holder::EnterTerm(uint64_t term) { term_ = std::max(term_, term); }

void Holder::Retire(const Orders& orders, std::vector<RetireAck>* acks) {
  std::vector<const RetireOrder*> withdrawn;
  for (const Order& order : orders.orders) {
    const auto* const retire = std::get_if<RetireOrder>(&order);
    if (retire == nullptr || !Withdraw(orders.term, *retire)) continue;
    acks->push_back(Confirm(*retire, RetireStage::kWithdrawn));
    withdrawn.push_back(retire);
  }
  // Outsiders are asked after all words are stored: whom they don't name then, the words refuse.
  std::map<uint32_t, std::pair<RangeSet, RangeSet>> touched;
  for (const RetireOrder* order : withdrawn) {
    Segment& segment = segments_.at(order->segment);
    auto asked = touched.find(order->segment);
    if (asked == touched.end()) {
      std::pair now(TouchedInside(segment), TouchedOutside(order->segment));
      asked = touched.emplace(order->segment, std::move(now)).first;
    }
    const bool inside = asked->second.first.Meets(order->ranges);
    const bool outside = asked->second.second.Meets(order->ranges);
    if (!inside && !outside) {
      acks->push_back(Confirm(*order, RetireStage::kFree));
    } else if (!IsWaiting(segment, *order)) {
      ++counters_.free_delayed;
      if (!inside) ++counters_.free_delayed_by_outsiders;
      segment.not_yet_free.push_back(*order);
    }
  }
}

bool Holder::Withdraw(uint64_t term, const RetireOrder& order) {
  const auto found = segments_.find(order.segment);
  if (IsDeposed(term) || found == segments_.end() ||
      !InBounds(found->second, order.ranges, order.birth)) {
    ++counters_.orders_refused;
    return false;
  }
  manifest_.Drop(order.segment, order.put, order.birth);
  Segment& segment = found->second;
  std::vector<Range> standing;
  for (const Range& range : order.ranges) {
    if (!guards_.orders_name_the_birth || WordAt(segment, range.offset) <= order.birth) {
      standing.push_back(range);
    }
  }
  if (standing.empty()) {
    ++counters_.retired_again;
  } else {
    ++counters_.retired;
    ++counter_;
    Stamp(&segment, standing);
  }
  return true;
}

void Holder::Note(const Orders& orders, TimePoint now, std::vector<NoteAck>* acks) {
  for (const Order& order : orders.orders) {
    const auto* const note = std::get_if<NoteOrder>(&order);
    if (note == nullptr) continue;
    const bool deposed = IsDeposed(orders.term);
    const bool kept = !deposed && StillHolds(note->segment, note->birth, note->ranges) &&
                      manifest_.Keep(*note, now);
    ++(kept ? counters_.notes_kept : counters_.notes_refused);
    if (!deposed) acks->push_back({note->put, note->segment, note->birth, kept, note->version});
  }
}

bool Holder::StillHolds(uint32_t index, uint64_t birth, std::span<const Range> ranges) const {
  const auto found = segments_.find(index);
  if (found == segments_.end()) return false;
  const Segment& segment = found->second;
  if (!InBounds(segment, ranges, birth)) return false;
  return !guards_.note_refused_when_retired ||
         std::all_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return WordAt(segment, range.offset) <= birth; });
}

std::optional<ReignReport> Holder::EnterReign(const Incarnation& self, uint64_t term, TimePoint now,
                                              std::vector<LentSegment> segments) {
  if (IsDeposed(term)) return std::nullopt;
  term_ = term;
  ReignReport reign;
  // The master's own orders retire what they name; this is for a note that outlived its memory.
  reign.notes =
      manifest_.Tell(now, [this](uint32_t segment, uint64_t birth, std::span<const Range> ranges) {
        return StillHolds(segment, birth, ranges);
      });
  ++counter_;
  std::map<uint32_t, RangeSet> unnamed;
  for (auto& [index, segment] : segments_) {
    segment.not_yet_free.clear();
    unnamed[index] = reign.notes.Named(index).GapsBelow(segment.granted_below);
    if (guards_.stamp_unnamed_on_reign) Stamp(&segment, unnamed[index].ranges());
  }
  Report& report = reign.rest;
  report.term = term;
  report.counter = counter_;
  report.segments = std::move(segments);
  // Outsiders are asked after all words are stored: whom they don't name then, the words refuse.
  for (const auto& [index, ranges] : unnamed) Hold(self, index, ranges, &report);
  return reign;
}

void Holder::Hold(const Incarnation& self, uint32_t index, const RangeSet& unnamed,
                  Report* report) {
  if (!guards_.hold_touched_on_reign) return;
  Segment& segment = segments_.at(index);
  std::vector<Range> touched = TouchedInside(segment).ranges();
  const RangeSet outside = TouchedOutside(index);
  touched.insert(touched.end(), outside.ranges().begin(), outside.ranges().end());
  const auto told = std::find_if(report->segments.begin(), report->segments.end(),
                                 [index](const LentSegment& lent) { return lent.index == index; });
  const RangeSet ready({{0, told == report->segments.end() ? 0 : told->ready}});
  const RangeSet held = RangeSet(std::move(touched))
                            .InWholeGranules(segment.granule)
                            .CommonWith(unnamed)
                            .CommonWith(ready);
  const uint64_t birth = counter_ - 1;
  for (const Range& range : held.ranges()) {
    const uint64_t sequence = next_held_++;
    segment.not_yet_free.push_back({{self, sequence}, index, birth, {range}});
    report->held.push_back({sequence, index, birth, {range}});
  }
}

bool Holder::Enter(uint32_t segment, transfer::Access access, uint64_t first, uint64_t offset,
                   uint64_t length, uint64_t birth) {
  const auto found = segments_.find(segment);
  // Memory below `first` was never part of what that granule's word speaks for.
  if (found == segments_.end() || offset < first || !Within(offset, length, found->second.size) ||
      !Names(found->second, first) ||
      (guards_.check_birth_on_enter && !Vouches(found->second, first, birth))) {
    ++counters_.refused_on_enter;
    return false;
  }
  found->second.accesses.push_back({{offset, length}, access});
  ++counters_.entered;
  return true;
}

bool Holder::Stands(uint32_t segment, uint64_t first, uint64_t birth) {
  const auto found = segments_.find(segment);
  if (found != segments_.end() && Names(found->second, first) &&
      (!guards_.check_birth_after || Vouches(found->second, first, birth))) {
    return true;
  }
  ++counters_.refused_after;
  return false;
}

void Holder::Leave(uint32_t segment, transfer::Access access, uint64_t /*first*/, uint64_t offset,
                   uint64_t length, uint64_t /*birth*/, std::vector<RetireAck>* acks) {
  const auto found = segments_.find(segment);
  if (found == segments_.end()) return;
  Segment& left = found->second;
  const auto ended = std::find_if(left.accesses.begin(), left.accesses.end(), [&](const Access& a) {
    return a.kind == access && a.range == Range{offset, length};
  });
  if (ended == left.accesses.end()) return;
  *ended = left.accesses.back();
  left.accesses.pop_back();

  FreeWhatIsLeft(segment, &left, acks);
}

void Holder::FreeWhatIsLeft(uint32_t index, Segment* segment, std::vector<RetireAck>* acks) {
  if (segment->not_yet_free.empty()) return;
  const RangeSet inside = TouchedInside(*segment);
  const RangeSet outside = TouchedOutside(index);
  std::erase_if(segment->not_yet_free, [&](const RetireOrder& order) {
    if (inside.Meets(order.ranges) || outside.Meets(order.ranges)) return false;
    acks->push_back(Confirm(order, RetireStage::kFree));
    return true;
  });
}

RangeSet Holder::TouchedInside(const Segment& segment) const {
  std::vector<Range> ranges;
  if (guards_.free_waits_for_accesses) {
    for (const Access& access : segment.accesses) ranges.push_back(access.range);
  }
  return RangeSet(std::move(ranges));
}

RangeSet Holder::TouchedOutside(uint32_t index) const {
  if (outsiders_ == nullptr || !guards_.free_waits_for_outsiders) return {};
  return RangeSet(outsiders_->Touched(index));
}

void Holder::Empty() {
  ++counter_;
  for (auto& [index, segment] : segments_) {
    const Range granted{0, segment.granted_below};
    Stamp(&segment, {&granted, 1});
    segment.not_yet_free.clear();
  }
  manifest_.Clear();
  term_ = 0;
}

void Holder::OthersLeft(uint32_t segment, std::vector<RetireAck>* acks) {
  const auto found = segments_.find(segment);
  if (found != segments_.end()) FreeWhatIsLeft(segment, &found->second, acks);
}

bool Holder::idle() const {
  return std::all_of(segments_.begin(), segments_.end(), [this](const auto& entry) {
    return entry.second.accesses.empty() && TouchedOutside(entry.first).bytes() == 0;
  });
}

bool Holder::TouchedFrom(uint32_t segment, uint64_t offset) const {
  const auto found = segments_.find(segment);
  if (found == segments_.end() || offset >= found->second.size) return false;
  const Range rest{offset, found->second.size - offset};
  return TouchedInside(found->second).Meets({&rest, 1}) ||
         TouchedOutside(segment).Meets({&rest, 1});
}

Holder::Touched Holder::touched() const {
  Touched sum;
  for (const auto& [index, segment] : segments_) {
    sum.inside += TouchedInside(segment).bytes();
    sum.outside += TouchedOutside(index).bytes();
  }
  return sum;
}

bool Holder::InBounds(const Segment& segment, std::span<const Range> ranges, uint64_t birth) const {
  return !ranges.empty() && birth <= counter_ &&
         std::all_of(ranges.begin(), ranges.end(), [&](const Range& range) {
           return range.length > 0 && range.offset % segment.granule == 0 &&
                  range.length % segment.granule == 0 &&
                  Within(range.offset, range.length, segment.size);
         });
}

bool Holder::Names(const Segment& segment, uint64_t first) {
  return first < segment.size && first % segment.granule == 0;
}

bool Holder::Vouches(const Segment& segment, uint64_t first, uint64_t birth) const {
  return birth <= counter_ && WordAt(segment, first) <= birth;
}

uint64_t Holder::WordAt(const Segment& segment, uint64_t first) {
  return segment.words[first / segment.granule].load(std::memory_order_acquire);
}

bool Holder::IsWaiting(const Segment& segment, const RetireOrder& order) {
  return std::any_of(segment.not_yet_free.begin(), segment.not_yet_free.end(),
                     [&](const RetireOrder& waiting) {
                       return waiting.put == order.put && waiting.birth == order.birth;
                     });
}

void Holder::Stamp(Segment* segment, std::span<const Range> ranges) {
  for (const Range& range : ranges) {
    const uint64_t begin = range.offset / segment->granule;
    const uint64_t end = guards_.every_word_is_stamped
                             ? (range.offset + range.length) / segment->granule
                             : begin + 1;
    for (uint64_t i = begin; i < end; ++i) {
      // Sequentially consistent: an outsider announces itself, then reads the word; the holder
      // stores the word, then looks who has announced himself. One of the two sees the other.
      segment->words[i].store(counter_, std::memory_order_seq_cst);
    }
  }
}

}  // namespace kvstore::client
