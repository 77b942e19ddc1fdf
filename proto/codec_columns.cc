#include "proto/codec_columns.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "proto/codec.h"
#include "proto/codec_parts.h"

namespace kvstore {
namespace {

// `lists` that should be as long as the number of items.
using Lengths = std::initializer_list<std::pair<std::string_view, int>>;

Status CheckColumns(Lengths lists, size_t items) {
  for (const auto& [what, length] : lists) {
    KVSTORE_RETURN_IF_ERROR(CheckLists(what, length, items));
  }
  return Status::Ok();
}

// The items of all runs of a list, which must be as many as `items`.
template <typename Runs>
Status CheckRuns(const Runs& runs, size_t items) {
  uint64_t sum = 0;
  for (const auto& run : runs) sum += run.items();
  if (sum == items) return Status::Ok();
  return InvalidArgumentError("the runs of a list have " + std::to_string(sum) + " items, and " +
                              std::to_string(items) + " are there");
}

Status CheckRange(uint64_t offset, uint64_t length) {
  if (length == 0) return InvalidArgumentError("a range of length 0");
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the offset of a range in bytes", offset, kMaxExtentBytes));
  return CheckAtMost("the length of a range in bytes", length, kMaxExtentBytes - offset);
}

void AddGrant(const PutId& put, uint32_t segment, uint64_t birth, v1::Grants* to) {
  const int last = to->runs_size() - 1;
  v1::GrantRun* run = last < 0 ? nullptr : to->mutable_runs(last);
  if (run == nullptr || run->birth() != birth || run->segment() != segment ||
      Decode(run->writer()) != put.writer) {
    run = to->add_runs();
    Encode(put.writer, run->mutable_writer());
    run->set_segment(segment);
    run->set_birth(birth);
  }
  run->set_items(run->items() + 1);
  to->add_sequences(put.sequence);
}

// Calls `take(place, put, segment, birth)` for each.
template <typename Take>
Status ForEachGrant(const v1::Grants& from, const Take& take) {
  KVSTORE_RETURN_IF_ERROR(CheckRuns(from.runs(), static_cast<size_t>(from.sequences_size())));
  int place = 0;
  for (const v1::GrantRun& run : from.runs()) {
    const Incarnation writer = Decode(run.writer());
    for (uint32_t i = 0; i < run.items(); ++i, ++place) {
      take(place, PutId{writer, from.sequences(place)}, run.segment(), run.birth());
    }
  }
  return Status::Ok();
}

Status CheckAcks(const v1::Grants& grants) {
  return CheckAtMost("the number of acks", static_cast<uint64_t>(grants.sequences_size()),
                     kMaxOrdersOrAcks);
}

bool SameRun(const v1::FoundRun& run, const LocateAnswer& answer) {
  const Replica& replica = answer.replicas.front();
  return run.birth() == replica.birth && run.segment() == replica.segment.index &&
         Decode(run.holder()) == replica.segment.holder &&
         Decode(run.writer()) == answer.put.writer &&
         run.lease_us() == EncodeDuration(answer.lease) &&
         run.parked_us() == EncodeDuration(answer.parked);
}

void BeginRun(const LocateAnswer& answer, v1::FoundRun* run) {
  const Replica& replica = answer.replicas.front();
  Encode(answer.put.writer, run->mutable_writer());
  Encode(replica.segment.holder, run->mutable_holder());
  run->set_segment(replica.segment.index);
  run->set_birth(replica.birth);
  run->set_lease_us(EncodeDuration(answer.lease));
  run->set_parked_us(EncodeDuration(answer.parked));
}

}  // namespace

bool IsPlainNote(const Order& order) {
  const auto* const note = std::get_if<NoteOrder>(&order);
  return note != nullptr && note->ranges.size() == 1 && note->replicas == 1 &&
         note->replaces == PutId() && note->retention == Retention();
}

size_t EncodeNotes(const std::vector<Order>& from, size_t begin, v1::Notes* to) {
  size_t end = begin;
  while (end < from.size() && end - begin < kMaxBatchItems && IsPlainNote(from[end])) ++end;
  const auto count = static_cast<int>(end - begin);
  for (auto* const column :
       {to->mutable_grants()->mutable_sequences(), to->mutable_sizes(), to->mutable_checksums(),
        to->mutable_offsets(), to->mutable_lengths(), to->mutable_versions()}) {
    column->Reserve(count);
  }
  KeyBatch keys;
  for (size_t i = begin; i < end; ++i) {
    const NoteOrder& note = std::get<NoteOrder>(from[i]);
    AddGrant(note.put, note.segment, note.birth, to->mutable_grants());
    keys.Add(note.key);
    to->add_sizes(note.size);
    to->add_checksums(note.checksum);
    to->add_offsets(note.ranges.front().offset);
    to->add_lengths(note.ranges.front().length);
    to->add_versions(note.version);
  }
  EncodeKeys(keys, to->mutable_keys());
  return end;
}

Status DecodeNotes(const v1::Notes& from, std::vector<Order>* to) {
  const auto items = static_cast<size_t>(from.grants().sequences_size());
  KVSTORE_RETURN_IF_ERROR(CheckItems(items));
  KVSTORE_RETURN_IF_ERROR(CheckColumns({{"keys", from.keys().lengths_size()},
                                        {"sizes", from.sizes_size()},
                                        {"checksums", from.checksums_size()},
                                        {"offsets", from.offsets_size()},
                                        {"lengths", from.lengths_size()},
                                        {"versions", from.versions_size()}},
                                       items));
  for (int i = 0; i < from.sizes_size(); ++i) {
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the size of an object in bytes", from.sizes(i), kMaxExtentBytes));
    KVSTORE_RETURN_IF_ERROR(CheckRange(from.offsets(i), from.lengths(i)));
  }
  v1::Keys packed = from.keys();
  KeyBatch keys;
  KVSTORE_RETURN_IF_ERROR(DecodeKeys(&packed, &keys));
  return ForEachGrant(
      from.grants(), [&](int i, const PutId& put, uint32_t segment, uint64_t birth) {
        NoteOrder& note = std::get<NoteOrder>(to->emplace_back(std::in_place_type<NoteOrder>));
        note.put = put;
        note.segment = segment;
        note.birth = birth;
        note.ranges.push_back({from.offsets(i), from.lengths(i)});
        note.key = keys[static_cast<size_t>(i)];
        note.size = from.sizes(i);
        note.checksum = from.checksums(i);
        note.version = from.versions(i);
      });
}

void EncodeAcks(const std::vector<RetireAck>& from, v1::RetireAcks* to) {
  for (const RetireAck& ack : from) {
    AddGrant(ack.put, ack.segment, ack.birth, to->mutable_grants());
    to->add_free(ack.stage == RetireStage::kFree);
  }
}

void EncodeAcks(const std::vector<NoteAck>& from, v1::NoteAcks* to) {
  for (uint32_t i = 0; i < from.size(); ++i) {
    AddGrant(from[i].put, from[i].segment, from[i].birth, to->mutable_grants());
    to->add_versions(from[i].version);
    if (!from[i].kept) to->add_refused(i);
  }
}

Status DecodeAcks(const v1::RetireAcks& from, std::vector<RetireAck>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckAcks(from.grants()));
  const auto items = static_cast<size_t>(from.grants().sequences_size());
  KVSTORE_RETURN_IF_ERROR(CheckLists("stages", from.free_size(), items));
  to->reserve(items);
  return ForEachGrant(
      from.grants(), [&](int i, const PutId& put, uint32_t segment, uint64_t birth) {
        to->push_back(
            {put, segment, birth, from.free(i) ? RetireStage::kFree : RetireStage::kWithdrawn});
      });
}

Status DecodeAcks(const v1::NoteAcks& from, std::vector<NoteAck>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckAcks(from.grants()));
  const auto items = static_cast<size_t>(from.grants().sequences_size());
  KVSTORE_RETURN_IF_ERROR(CheckLists("versions", from.versions_size(), items));
  to->reserve(items);
  KVSTORE_RETURN_IF_ERROR(
      ForEachGrant(from.grants(), [&](int i, const PutId& put, uint32_t segment, uint64_t birth) {
        to->push_back({put, segment, birth, true, from.versions(i)});
      }));
  for (const uint32_t place : from.refused()) {
    if (place >= to->size()) {
      return InvalidArgumentError("ack " + std::to_string(place) + " is refused, and " +
                                  std::to_string(to->size()) + " are there");
    }
    (*to)[place].kept = false;
  }
  return Status::Ok();
}

void EncodePieces(const std::vector<GrantPiece>& from, v1::GrantPieces* to) {
  for (const GrantPiece& piece : from) {
    to->add_grants(piece.grant);
    to->add_offsets(piece.offset);
    to->add_lengths(piece.length);
    to->add_terms(piece.term);
  }
}

Status DecodePieces(const v1::GrantPieces& from, size_t items, std::vector<GrantPiece>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckColumns({{"pieces of grants", from.grants_size()},
                                        {"offsets", from.offsets_size()},
                                        {"lengths", from.lengths_size()},
                                        {"terms", from.terms_size()}},
                                       items));
  to->reserve(items);
  for (int i = 0; i < from.grants_size(); ++i) {
    const GrantPiece piece{from.grants(i), from.terms(i), from.offsets(i), from.lengths(i)};
    if (piece.length == 0) return InvalidArgumentError("a piece of a grant has bytes");
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the offset of a piece in bytes", piece.offset, kMaxExtentBytes));
    KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of a piece in bytes", piece.length,
                                        kMaxExtentBytes - piece.offset));
    to->push_back(piece);
  }
  return Status::Ok();
}

bool IsPlain(const LocateAnswer& answer) {
  return answer.status.ok() && answer.replicas.size() == 1 &&
         answer.replicas.front().ranges.size() == 1;
}

void EncodeFound(const std::vector<LocateAnswer>& from, v1::Found* to) {
  v1::FoundRun* run = nullptr;
  for (const LocateAnswer& answer : from) {
    if (!IsPlain(answer)) continue;
    if (run == nullptr || !SameRun(*run, answer)) {
      run = to->add_runs();
      BeginRun(answer, run);
    }
    run->set_items(run->items() + 1);
    to->add_indices(answer.index);
    to->add_sequences(answer.put.sequence);
    to->add_sizes(answer.size);
    to->add_checksums(answer.checksum);
    to->add_offsets(answer.replicas.front().ranges.front().offset);
    to->add_lengths(answer.replicas.front().ranges.front().length);
  }
}

Status DecodeFound(const v1::Found& from, std::vector<LocateAnswer>* to) {
  const auto items = static_cast<size_t>(from.indices_size());
  KVSTORE_RETURN_IF_ERROR(CheckItems(items));
  KVSTORE_RETURN_IF_ERROR(CheckColumns({{"sequences", from.sequences_size()},
                                        {"sizes", from.sizes_size()},
                                        {"checksums", from.checksums_size()},
                                        {"offsets", from.offsets_size()},
                                        {"lengths", from.lengths_size()}},
                                       items));
  KVSTORE_RETURN_IF_ERROR(CheckRuns(from.runs(), items));
  to->reserve(items);
  int place = 0;
  for (const v1::FoundRun& run : from.runs()) {
    const Incarnation writer = Decode(run.writer());
    const SegmentId segment{Decode(run.holder()), run.segment()};
    Duration lease;
    Duration parked;
    KVSTORE_RETURN_IF_ERROR(DecodeDuration("a lease in microseconds", run.lease_us(), &lease));
    KVSTORE_RETURN_IF_ERROR(DecodeDuration("a wait in microseconds", run.parked_us(), &parked));
    for (uint32_t i = 0; i < run.items(); ++i, ++place) {
      KVSTORE_RETURN_IF_ERROR(
          CheckAtMost("the index of an item", from.indices(place), kMaxBatchItems - 1));
      KVSTORE_RETURN_IF_ERROR(
          CheckAtMost("the size of an object in bytes", from.sizes(place), kMaxExtentBytes));
      KVSTORE_RETURN_IF_ERROR(CheckRange(from.offsets(place), from.lengths(place)));
      LocateAnswer& answer = to->emplace_back();
      answer.index = from.indices(place);
      answer.put = {writer, from.sequences(place)};
      answer.size = from.sizes(place);
      answer.checksum = from.checksums(place);
      answer.replicas.push_back(
          {segment, run.birth(), {{from.offsets(place), from.lengths(place)}}});
      answer.lease = lease;
      answer.parked = parked;
    }
  }
  return Status::Ok();
}

}  // namespace kvstore
