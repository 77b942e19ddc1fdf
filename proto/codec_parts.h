#ifndef KVSTORE_PROTO_CODEC_PARTS_H_
#define KVSTORE_PROTO_CODEC_PARTS_H_

// What the codec's files share: the contract's limits, and the parts that its messages have in
// common. Only proto/codec_*.cc and the master's admin_messages.cc include this.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/client.h"
#include "kvstore/result.h"
#include "kvstore/v1/kvstore.pb.h"
#include "proto/verbs.h"

namespace kvstore {

// What the contract (kvstore.proto) allows.
inline constexpr size_t kMaxNameBytes = 255;
inline constexpr size_t kMaxDescriptorBytes = 4096;
inline constexpr size_t kMaxPreferredNodes = 64;
inline constexpr size_t kMaxSegments = 64;
inline constexpr size_t kMaxPeers = 4096;
inline constexpr size_t kMaxOrdersOrAcks = 65'536;
inline constexpr size_t kMaxTextBytes = 1024;
inline constexpr size_t kMaxWays = 8;
inline constexpr uint64_t kMaxExtentBytes = uint64_t{1} << 44;  // of a segment or an object: 16 TiB
inline constexpr uint64_t kLargestGranule = uint64_t{1} << 30;
inline constexpr uint64_t kMaxDurationUs = uint64_t{3650} * 24 * 3600 * 1'000'000;

// What a message that is cut aims at; one item and the holders that it names may exceed it by 60
// KiB.
inline constexpr size_t kCutBytes = 1u << 20;

Status CheckAtMost(std::string_view what, uint64_t number, uint64_t limit);

Status CheckKeyLength(size_t length);

// Protobuf's parser refuses a whole message for one string that is not UTF-8.
std::string Text(std::string_view text, size_t limit = std::numeric_limits<size_t>::max());

uint64_t EncodeDuration(Duration d);

Status DecodeDuration(std::string_view what, uint64_t us, Duration* to);

void Encode(const Incarnation& from, v1::Id128* to);

Incarnation Decode(const v1::Id128& from);

void Encode(const PutId& from, v1::PutId* to);

PutId Decode(const v1::PutId& from);

void Encode(const Peer& from, v1::Peer* to);

Result<Peer> Decode(const v1::Peer& from);

template <typename Message>
void EncodePeers(const std::vector<Peer>& from, Message* to) {
  for (const Peer& peer : from) Encode(peer, to->add_peers());
}

template <typename Message>
Status DecodePeers(const Message& from, std::vector<Peer>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of peers of a message",
                                      static_cast<uint64_t>(from.peers_size()), kMaxPeers));
  to->reserve(static_cast<size_t>(from.peers_size()));
  for (const v1::Peer& message : from.peers()) {
    KVSTORE_ASSIGN_OR_RETURN(Peer peer, Decode(message));
    to->push_back(std::move(peer));
  }
  return Status::Ok();
}

// A TTL that is nearly or wholly over stays one, since 0 is for ever.
void Encode(const Retention& from, v1::Retention* to);

// Absent where it is the default one.
template <typename Message>
void EncodeRetention(const Retention& from, Message* to) {
  if (from != Retention()) Encode(from, to->mutable_retention());
}

Status DecodeRetention(const v1::Retention& from, Retention* to);

// An order, and what a report tells of one that was carried out.
void Encode(const NoteOrder& from, v1::Note* to);

Result<NoteOrder> Decode(const v1::Note& from);

void EncodeSegments(const std::vector<LentSegment>& from,
                    google::protobuf::RepeatedPtrField<v1::LentSegment>* to);

Status DecodeSegments(const google::protobuf::RepeatedPtrField<v1::LentSegment>& from,
                      std::vector<LentSegment>* to);

// Absent means OK, so that the usual case costs nothing.
template <typename Message>
void EncodeStatus(const Status& from, Message* to) {
  if (from.ok()) return;
  to->mutable_outcome()->set_code(static_cast<int>(from.code()));
  to->mutable_outcome()->set_message(Text(from.message(), kMaxTextBytes));
}

// A code that this version does not know is kept as an internal error: one odd item must not cost
// its whole batch the answer.
Status DecodeStatus(const v1::Outcome& from);

template <typename Message>
void EncodeRanges(const std::vector<Range>& from, Message* to) {
  for (const Range& range : from) {
    v1::Range* message = to->add_ranges();
    message->set_offset(range.offset);
    message->set_length(range.length);
  }
}

template <typename Message>
Status DecodeRanges(const Message& from, std::vector<Range>* to) {
  if (from.ranges().empty()) return InvalidArgumentError("a replica without ranges; 1 to 64");
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of ranges of a replica",
                                      static_cast<uint64_t>(from.ranges_size()),
                                      kMaxRangesPerReplica));
  to->reserve(static_cast<size_t>(from.ranges_size()));
  for (const v1::Range& range : from.ranges()) {
    if (range.length() == 0) return InvalidArgumentError("a range of length 0");
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the offset of a range in bytes", range.offset(), kMaxExtentBytes));
    KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of a range in bytes", range.length(),
                                        kMaxExtentBytes - range.offset()));
    to->push_back({range.offset(), range.length()});
  }
  return Status::Ok();
}

void Encode(const Replica& from, v1::Replica* to);

Result<Replica> Decode(const v1::Replica& from);

template <typename Message>
void EncodeReplicas(const std::vector<Replica>& from, Message* to) {
  for (const Replica& replica : from) Encode(replica, to->add_replicas());
}

template <typename Message>
Status DecodeReplicas(const Message& from, std::vector<Replica>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of replicas",
                                      static_cast<uint64_t>(from.replicas_size()), kMaxReplicas));
  to->reserve(static_cast<size_t>(from.replicas_size()));
  for (const v1::Replica& message : from.replicas()) {
    KVSTORE_ASSIGN_OR_RETURN(Replica replica, Decode(message));
    to->push_back(std::move(replica));
  }
  return Status::Ok();
}

// Upper bounds of encoded sizes, for cutting.
size_t RangesBytes(const std::vector<Range>& ranges);
size_t ReplicaBytes(const std::vector<Replica>& replicas);
size_t PeerBytes(const Peer& peer);
size_t BytesOf(const NoteOrder& note);

void EncodeKeys(const KeyBatch& from, v1::Keys* to);

Status CheckItems(size_t items);

// One number per item, in every list of a batch.
Status CheckLists(std::string_view what, int length, size_t items);

Status DecodeKeys(v1::Keys* from, KeyBatch* to);

template <typename Repeated, typename Number>
void EncodeNumbers(const std::vector<Number>& from, Repeated* to) {
  to->Add(from.begin(), from.end());
}

}  // namespace kvstore

#endif  // KVSTORE_PROTO_CODEC_PARTS_H_
