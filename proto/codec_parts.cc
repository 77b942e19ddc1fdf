#include "proto/codec_parts.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

namespace kvstore {
namespace {

Status OutOf(std::string_view what, uint64_t number, uint64_t limit) {
  return InvalidArgumentError(std::string(what) + " is " + std::to_string(number) + "; at most " +
                              std::to_string(limit) + " is allowed");
}

// How many bytes at the front of `text` are one well-formed UTF-8 character; 0: none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool beyond = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

Status CheckAtMost(std::string_view what, uint64_t number, uint64_t limit) {
  return number <= limit ? Status::Ok() : OutOf(what, number, limit);
}

std::string Text(std::string_view text, size_t limit) {
  std::string out;
  out.reserve(std::min(text.size(), limit));
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (out.size() + std::max<size_t>(length, 1) > limit) break;
    if (length == 0) {
      out += '?';
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

Status CheckKeyLength(size_t length) {
  if (length >= 1 && length <= kMaxKeyBytes) return Status::Ok();
  return InvalidArgumentError("a key of " + std::to_string(length) +
                              " bytes; keys are 1 to 1024 bytes");
}

uint64_t EncodeDuration(Duration d) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  return us <= 0 ? 0 : std::min<uint64_t>(static_cast<uint64_t>(us), kMaxDurationUs);
}

Status DecodeDuration(std::string_view what, uint64_t us, Duration* to) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost(what, us, kMaxDurationUs));
  *to = std::chrono::microseconds(us);
  return Status::Ok();
}

void Encode(const Incarnation& from, v1::Id128* to) {
  to->set_high(from.high);
  to->set_low(from.low);
}

Incarnation Decode(const v1::Id128& from) { return {from.high(), from.low()}; }

void Encode(const PutId& from, v1::PutId* to) {
  Encode(from.writer, to->mutable_writer());
  to->set_sequence(from.sequence);
}

PutId Decode(const v1::PutId& from) { return {Decode(from.writer()), from.sequence()}; }

void Encode(const Peer& from, v1::Peer* to) {
  Encode(from.incarnation, to->mutable_incarnation());
  to->set_name(Text(from.name));
  to->set_host(Text(from.host));
  to->set_transfer_descriptor(from.descriptor);
}

Result<Peer> Decode(const v1::Peer& from) {
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the length of a node's name in bytes", from.name().size(), kMaxNameBytes));
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the length of a host's name in bytes", from.host().size(), kMaxNameBytes));
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of a descriptor in bytes",
                                      from.transfer_descriptor().size(), kMaxDescriptorBytes));
  if (Decode(from.incarnation()).IsNone()) {
    return InvalidArgumentError("a peer without an incarnation; it must be 128 random bits");
  }
  return Peer{Decode(from.incarnation()), from.name(), from.host(), from.transfer_descriptor()};
}

void Encode(const Retention& from, v1::Retention* to) {
  to->set_hard_pin(from.hard_pin);
  to->set_soft_pin_us(EncodeDuration(from.soft_pin));
  if (from.ttl != Duration::zero()) {
    to->set_ttl_us(std::max<uint64_t>(EncodeDuration(from.ttl), 1));
  }
  to->set_group(from.group);
  to->set_position(from.position);
}

Status DecodeRetention(const v1::Retention& from, Retention* to) {
  to->hard_pin = from.hard_pin();
  KVSTORE_RETURN_IF_ERROR(
      DecodeDuration("a soft pin in microseconds", from.soft_pin_us(), &to->soft_pin));
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("a TTL in microseconds", from.ttl_us(), &to->ttl));
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the length of a group's name in bytes", from.group().size(), kMaxGroupBytes));
  to->group = from.group();
  to->position = from.position();
  return Status::Ok();
}

void Encode(const NoteOrder& from, v1::Note* to) {
  Encode(from.put, to->mutable_put());
  to->set_segment(from.segment);
  to->set_birth(from.birth);
  EncodeRanges(from.ranges, to);
  to->set_key(from.key);
  to->set_size(from.size);
  to->set_checksum(from.checksum);
  to->set_replicas(from.replicas);
  to->set_version(from.version);
  if (!from.replaces.writer.IsNone()) Encode(from.replaces, to->mutable_replaces());
  EncodeRetention(from.retention, to);
}

Result<NoteOrder> Decode(const v1::Note& from) {
  KVSTORE_RETURN_IF_ERROR(CheckKeyLength(from.key().size()));
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the size of an object in bytes", from.size(), kMaxExtentBytes));
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of replicas", from.replicas(), kMaxReplicas));
  NoteOrder to;
  to.put = Decode(from.put());
  to.segment = from.segment();
  to.birth = from.birth();
  KVSTORE_RETURN_IF_ERROR(DecodeRanges(from, &to.ranges));
  to.key = from.key();
  to.size = from.size();
  to.checksum = from.checksum();
  to.replicas = std::max<uint32_t>(from.replicas(), 1);
  to.version = from.version();
  if (from.has_replaces()) to.replaces = Decode(from.replaces());
  KVSTORE_RETURN_IF_ERROR(DecodeRetention(from.retention(), &to.retention));
  return to;
}

void Encode(const Replica& from, v1::Replica* to) {
  Encode(from.segment.holder, to->mutable_holder());
  to->set_segment(from.segment.index);
  to->set_birth(from.birth);
  EncodeRanges(from.ranges, to);
}

Result<Replica> Decode(const v1::Replica& from) {
  Replica to{{Decode(from.holder()), from.segment()}, from.birth(), {}};
  KVSTORE_RETURN_IF_ERROR(DecodeRanges(from, &to.ranges));
  return to;
}

void EncodeSegments(const std::vector<LentSegment>& from,
                    google::protobuf::RepeatedPtrField<v1::LentSegment>* to) {
  for (const LentSegment& segment : from) {
    v1::LentSegment* message = to->Add();
    message->set_index(segment.index);
    message->set_size(segment.size);
    message->set_granule(segment.granule);
    message->set_ready(segment.ready);
  }
}

Status DecodeSegments(const google::protobuf::RepeatedPtrField<v1::LentSegment>& from,
                      std::vector<LentSegment>* to) {
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the number of lent segments", static_cast<uint64_t>(from.size()), kMaxSegments));
  std::unordered_set<uint32_t> indices;
  for (const v1::LentSegment& segment : from) {
    const std::string name = "segment " + std::to_string(segment.index());
    if (!indices.insert(segment.index()).second) {
      return InvalidArgumentError(name + " is named twice");
    }
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the size of " + name + " in bytes", segment.size(), kMaxExtentBytes));
    if (!std::has_single_bit(segment.granule()) || segment.granule() < kDefaultGranule ||
        segment.granule() > kLargestGranule || segment.size() % segment.granule() != 0) {
      return InvalidArgumentError(
          name + " has a granule of " + std::to_string(segment.granule()) + " and " +
          std::to_string(segment.size()) +
          " bytes; granules are powers of two, 4096 bytes to 1 GiB, and a segment is whole ones");
    }
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the ready part of " + name + " in bytes", segment.ready(), segment.size()));
    to->push_back({segment.index(), segment.size(), segment.granule(), segment.ready()});
  }
  return Status::Ok();
}

Status DecodeStatus(const v1::Outcome& from) {
  if (from.code() == 0) return Status::Ok();
  const auto code = static_cast<StatusCode>(from.code());
  if (StatusCodeName(code) != "unknown") return Status(code, from.message());
  return InternalError("status code " + std::to_string(from.code()) + ": " + from.message());
}

size_t RangesBytes(const std::vector<Range>& ranges) { return 24 * ranges.size(); }

size_t ReplicaBytes(const std::vector<Replica>& replicas) {
  size_t bytes = 0;
  for (const Replica& replica : replicas) bytes += 48 + RangesBytes(replica.ranges);
  return bytes;
}

size_t PeerBytes(const Peer& peer) {
  return 64 + peer.name.size() + peer.host.size() + peer.descriptor.size();
}

size_t BytesOf(const NoteOrder& note) {
  return 216 + RangesBytes(note.ranges) + note.key.size() + note.retention.group.size();
}

void EncodeKeys(const KeyBatch& from, v1::Keys* to) {
  to->set_packed(from.bytes());
  uint32_t begin = 0;
  to->mutable_lengths()->Reserve(static_cast<int>(from.size()));
  for (uint32_t end : from.ends()) {
    to->add_lengths(end - begin);
    begin = end;
  }
}

Status CheckItems(size_t items) {
  return CheckAtMost("the number of items of a batch", items, kMaxBatchItems);
}

Status CheckLists(std::string_view what, int length, size_t items) {
  if (static_cast<size_t>(length) == items) return Status::Ok();
  return InvalidArgumentError("a batch of " + std::to_string(items) + " items has " +
                              std::to_string(length) + " " + std::string(what) +
                              "; one per item is needed");
}

Status DecodeKeys(v1::Keys* from, KeyBatch* to) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(static_cast<size_t>(from->lengths_size())));
  std::vector<uint32_t> ends;
  ends.reserve(static_cast<size_t>(from->lengths_size()));
  uint32_t end = 0;  // at most 4096 * 1024
  for (uint32_t length : from->lengths()) {
    KVSTORE_RETURN_IF_ERROR(CheckKeyLength(length));
    ends.push_back(end += length);
  }
  if (end != from->packed().size()) {
    return InvalidArgumentError("the lengths of the keys add up to " + std::to_string(end) +
                                " bytes, but " + std::to_string(from->packed().size()) +
                                " bytes of keys are there");
  }
  *to = KeyBatch(std::move(*from->mutable_packed()), std::move(ends));
  return Status::Ok();
}

}  // namespace kvstore
