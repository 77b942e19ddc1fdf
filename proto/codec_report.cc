// What a node tells of its memory and of itself: Report, Lend, ClientTally.

#include <string>
#include <utility>

#include "proto/codec.h"
#include "proto/codec_parts.h"

namespace kvstore {
namespace {

struct TallyField {
  uint64_t ClientTally::*field;
  uint64_t (v1::Tally::*get)() const;
  void (v1::Tally::*set)(uint64_t);
};

constexpr TallyField kTallyFields[] = {
    {&ClientTally::gets_ok, &v1::Tally::gets_ok, &v1::Tally::set_gets_ok},
    {&ClientTally::gets_missed, &v1::Tally::gets_missed, &v1::Tally::set_gets_missed},
    {&ClientTally::gets_failed, &v1::Tally::gets_failed, &v1::Tally::set_gets_failed},
    {&ClientTally::gets_remembered, &v1::Tally::gets_remembered, &v1::Tally::set_gets_remembered},
    {&ClientTally::puts_ok, &v1::Tally::puts_ok, &v1::Tally::set_puts_ok},
    {&ClientTally::puts_failed, &v1::Tally::puts_failed, &v1::Tally::set_puts_failed},
    {&ClientTally::bytes_got, &v1::Tally::bytes_got, &v1::Tally::set_bytes_got},
    {&ClientTally::bytes_put, &v1::Tally::bytes_put, &v1::Tally::set_bytes_put},
    {&ClientTally::reads_refused, &v1::Tally::reads_refused, &v1::Tally::set_reads_refused},
    {&ClientTally::checksum_mismatches, &v1::Tally::checksum_mismatches,
     &v1::Tally::set_checksum_mismatches},
    {&ClientTally::entries_refused, &v1::Tally::entries_refused, &v1::Tally::set_entries_refused},
    {&ClientTally::accesses_refused, &v1::Tally::accesses_refused,
     &v1::Tally::set_accesses_refused},
};

Result<HeldMemory> DecodeHeld(const v1::Held& from) {
  if (from.sequence() < kFirstHeldSequence) {
    return InvalidArgumentError("held memory of sequence " + std::to_string(from.sequence()) +
                                "; its sequences begin at 2^63");
  }
  HeldMemory to{from.sequence(), from.segment(), from.birth(), {}};
  KVSTORE_RETURN_IF_ERROR(DecodeRanges(from, &to.ranges));
  return to;
}

// An upper bound of the encoded size.
size_t BytesOf(const HeldMemory& held) { return 48 + RangesBytes(held.ranges); }

// Fills one part of a report after another.
class Parts {
 public:
  explicit Parts(const Report& whole) : term_(whole.term), counter_(whole.counter) { Begin(); }

  template <typename Item>
  void Add(std::vector<Item> Report::*list, std::vector<Item> items) {
    for (Item& item : items) {
      const size_t bytes = BytesOf(item);
      if (bytes_ > 0 && bytes_ + bytes > kCutBytes) Begin();
      bytes_ += bytes;
      (parts_.back().*list).push_back(std::move(item));
    }
  }

  std::vector<Report> End(std::vector<LentSegment> segments) {
    parts_.back().segments = std::move(segments);
    parts_.back().last = true;
    return std::move(parts_);
  }

 private:
  void Begin() {
    parts_.emplace_back();
    parts_.back().term = term_;
    parts_.back().counter = counter_;
    bytes_ = 0;
  }

  const uint64_t term_;
  const uint64_t counter_;
  std::vector<Report> parts_;
  size_t bytes_ = 0;  // of the last part
};

}  // namespace

void Encode(const Report& from, v1::Report* to) {
  to->set_term(from.term);
  to->set_counter(from.counter);
  EncodeSegments(from.segments, to->mutable_segments());
  for (const NoteOrder& note : from.notes) Encode(note, to->add_notes());
  for (const HeldMemory& held : from.held) {
    v1::Held* message = to->add_held();
    message->set_sequence(held.sequence);
    message->set_segment(held.segment);
    message->set_birth(held.birth);
    EncodeRanges(held.ranges, message);
  }
  to->set_last(from.last);
}

Result<Report> Decode(const v1::Report& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of notes of a report",
                                      static_cast<uint64_t>(from.notes_size()), kMaxOrdersOrAcks));
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of held pieces of a report",
                                      static_cast<uint64_t>(from.held_size()), kMaxOrdersOrAcks));
  if (!from.last() && !from.segments().empty()) {
    return InvalidArgumentError("segments in a part of a report that is not the last");
  }
  Report to;
  to.term = from.term();
  to.counter = from.counter();
  KVSTORE_RETURN_IF_ERROR(DecodeSegments(from.segments(), &to.segments));
  to.notes.reserve(static_cast<size_t>(from.notes_size()));
  for (const v1::Note& message : from.notes()) {
    KVSTORE_ASSIGN_OR_RETURN(NoteOrder note, Decode(message));
    to.notes.push_back(std::move(note));
  }
  to.held.reserve(static_cast<size_t>(from.held_size()));
  for (const v1::Held& message : from.held()) {
    KVSTORE_ASSIGN_OR_RETURN(HeldMemory held, DecodeHeld(message));
    to.held.push_back(std::move(held));
  }
  to.last = from.last();
  return to;
}

std::vector<Report> CutToMessages(Report report) {
  Parts parts(report);
  parts.Add(&Report::notes, std::move(report.notes));
  parts.Add(&Report::held, std::move(report.held));
  return parts.End(std::move(report.segments));
}

void Encode(const Lend& from, v1::Lend* to) {
  EncodeSegments(from.segments, to->mutable_segments());
}

Result<Lend> Decode(const v1::Lend& from) {
  Lend to;
  KVSTORE_RETURN_IF_ERROR(DecodeSegments(from.segments(), &to.segments));
  return to;
}

void Encode(const ClientTally& from, v1::Tally* to) {
  for (const TallyField& field : kTallyFields) (to->*field.set)(from.*field.field);
  EncodeNumbers(from.bytes_by_way, to->mutable_bytes_by_way());
}

Result<ClientTally> Decode(const v1::Tally& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of ways of a tally",
                                      static_cast<uint64_t>(from.bytes_by_way_size()), kMaxWays));
  ClientTally to;
  for (const TallyField& field : kTallyFields) to.*field.field = (from.*field.get)();
  to.bytes_by_way.assign(from.bytes_by_way().begin(), from.bytes_by_way().end());
  return to;
}

}  // namespace kvstore
