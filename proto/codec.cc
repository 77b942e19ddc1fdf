#include "proto/codec.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kvstore/client.h"
#include "kvstore/v1/kvstore.pb.h"

namespace kvstore {
namespace {

// What the contract (kvstore.proto) allows.
constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxDescriptorBytes = 4096;
constexpr size_t kMaxPreferredNodes = 64;
constexpr size_t kMaxSegments = 64;
constexpr size_t kMaxPeers = 4096;
constexpr size_t kMaxOrdersOrAcks = 65'536;
constexpr size_t kMaxTextBytes = 1024;
constexpr uint64_t kMaxExtentBytes = uint64_t{1} << 44;  // of a segment or an object: 16 TiB
constexpr uint64_t kLargestGranule = uint64_t{1} << 30;
constexpr uint64_t kMaxDurationUs = uint64_t{3650} * 24 * 3600 * 1'000'000;

// What a cut reply aims at; one item and the holders that it names may exceed it by 60 KiB.
constexpr size_t kReplyBytes = 1u << 20;

Status OutOf(std::string_view what, uint64_t number, uint64_t limit) {
  return InvalidArgumentError(std::string(what) + " is " + std::to_string(number) + "; at most " +
                              std::to_string(limit) + " is allowed");
}

Status CheckAtMost(std::string_view what, uint64_t number, uint64_t limit) {
  return number <= limit ? Status::Ok() : OutOf(what, number, limit);
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

// Protobuf's parser refuses a whole message for one string that is not UTF-8.
std::string Text(std::string_view text, size_t limit = std::numeric_limits<size_t>::max()) {
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

// ---- small parts

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

// Absent means OK, so that the usual case costs nothing.
template <typename Message>
void EncodeStatus(const Status& from, Message* to) {
  if (from.ok()) return;
  to->mutable_outcome()->set_code(static_cast<int>(from.code()));
  to->mutable_outcome()->set_message(Text(from.message(), kMaxTextBytes));
}

// A code that this version does not know is kept as an internal error: one odd item must not cost
// its whole batch the answer.
Status DecodeStatus(const v1::Outcome& from) {
  if (from.code() == 0) return Status::Ok();
  const auto code = static_cast<StatusCode>(from.code());
  if (StatusCodeName(code) != "unknown") return Status(code, from.message());
  return InternalError("status code " + std::to_string(from.code()) + ": " + from.message());
}

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

template <typename Message>
void EncodeReplicas(const std::vector<Replica>& from, Message* to) {
  for (const Replica& replica : from) {
    v1::Replica* message = to->add_replicas();
    Encode(replica.segment.holder, message->mutable_holder());
    message->set_segment(replica.segment.index);
    message->set_birth(replica.birth);
    EncodeRanges(replica.ranges, message);
  }
}

template <typename Message>
Status DecodeReplicas(const Message& from, std::vector<Replica>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of replicas",
                                      static_cast<uint64_t>(from.replicas_size()), kMaxReplicas));
  to->reserve(static_cast<size_t>(from.replicas_size()));
  for (const v1::Replica& message : from.replicas()) {
    Replica replica{{Decode(message.holder()), message.segment()}, message.birth(), {}};
    KVSTORE_RETURN_IF_ERROR(DecodeRanges(message, &replica.ranges));
    to->push_back(std::move(replica));
  }
  return Status::Ok();
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

// One number per item, in every list of a batch.
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
    if (length == 0 || length > kMaxKeyBytes) {
      return InvalidArgumentError("a key of " + std::to_string(length) +
                                  " bytes; keys are 1 to 1024 bytes");
    }
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

template <typename Repeated, typename Number>
void EncodeNumbers(const std::vector<Number>& from, Repeated* to) {
  to->Add(from.begin(), from.end());
}

// ---- verbs: requests

void EncodeVerb(const StartPut& from, v1::VerbRequest* request) {
  v1::StartPut* to = request->mutable_start_put();
  EncodeKeys(from.keys, to->mutable_keys());
  EncodeNumbers(from.sequences, to->mutable_sequences());
  EncodeNumbers(from.sizes, to->mutable_sizes());
  to->set_replicas(from.replicas);
  to->set_replace(from.replace);
  to->set_placement(from.placement == Placement::kSpread ? v1::PLACEMENT_SPREAD
                                                         : v1::PLACEMENT_LOCAL_FIRST);
  for (const std::string& name : from.preferred_nodes) to->add_preferred_nodes(Text(name));
}

void EncodeVerb(const CommitPut& from, v1::VerbRequest* request) {
  v1::CommitPut* to = request->mutable_commit_put();
  EncodeNumbers(from.sequences, to->mutable_sequences());
  EncodeNumbers(from.checksums, to->mutable_checksums());
  for (const std::optional<GrantPiece>& piece : from.pieces) {
    v1::GrantPiece* message = to->add_pieces();
    if (!piece) continue;
    message->set_grant(piece->grant);
    message->set_offset(piece->offset);
    message->set_length(piece->length);
  }
}

void EncodeVerb(const AbortPut& from, v1::VerbRequest* request) {
  EncodeNumbers(from.sequences, request->mutable_abort_put()->mutable_sequences());
}

void EncodeVerb(const Locate& from, v1::VerbRequest* request) {
  EncodeKeys(from.keys, request->mutable_locate()->mutable_keys());
  request->mutable_locate()->set_no_lease(!from.want_lease);
}

void EncodeVerb(const Exists& from, v1::VerbRequest* request) {
  EncodeKeys(from.keys, request->mutable_exists()->mutable_keys());
}

void EncodeVerb(const WaitExists& from, v1::VerbRequest* request) {
  EncodeKeys(from.keys, request->mutable_wait_exists()->mutable_keys());
}

void EncodeVerb(const Remove& from, v1::VerbRequest* request) {
  EncodeKeys(from.keys, request->mutable_remove()->mutable_keys());
}

void EncodeVerb(const StatObject& from, v1::VerbRequest* request) {
  EncodeKeys(from.keys, request->mutable_stat()->mutable_keys());
}

Status DecodeVerb(v1::StartPut* from, StartPut* to) {
  KVSTORE_RETURN_IF_ERROR(DecodeKeys(from->mutable_keys(), &to->keys));
  KVSTORE_RETURN_IF_ERROR(CheckLists("sequences", from->sequences_size(), to->keys.size()));
  KVSTORE_RETURN_IF_ERROR(CheckLists("sizes", from->sizes_size(), to->keys.size()));
  for (uint64_t size : from->sizes()) {
    KVSTORE_RETURN_IF_ERROR(CheckAtMost("the size of an object in bytes", size, kMaxExtentBytes));
  }
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of replicas", from->replicas(), kMaxReplicas));
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of preferred nodes",
                                      static_cast<uint64_t>(from->preferred_nodes_size()),
                                      kMaxPreferredNodes));
  for (const std::string& name : from->preferred_nodes()) {
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the length of a preferred node's name in bytes", name.size(), kMaxNameBytes));
  }
  if (!v1::PlacementPolicy_IsValid(from->placement())) {
    return InvalidArgumentError("placement " + std::to_string(from->placement()) +
                                " is not known here; 0 (local first) and 1 (spread) are");
  }
  to->sequences.assign(from->sequences().begin(), from->sequences().end());
  to->sizes.assign(from->sizes().begin(), from->sizes().end());
  to->replicas = std::max<uint32_t>(from->replicas(), 1);
  to->replace = from->replace();
  to->placement =
      from->placement() == v1::PLACEMENT_SPREAD ? Placement::kSpread : Placement::kLocalFirst;
  to->preferred_nodes.assign(from->preferred_nodes().begin(), from->preferred_nodes().end());
  return Status::Ok();
}

Status DecodeVerb(v1::CommitPut* from, CommitPut* to) {
  const auto items = static_cast<size_t>(from->sequences_size());
  KVSTORE_RETURN_IF_ERROR(CheckItems(items));
  KVSTORE_RETURN_IF_ERROR(CheckLists("checksums", from->checksums_size(), items));
  if (!from->pieces().empty()) {
    KVSTORE_RETURN_IF_ERROR(CheckLists("pieces of grants", from->pieces_size(), items));
  }
  to->sequences.assign(from->sequences().begin(), from->sequences().end());
  to->checksums.assign(from->checksums().begin(), from->checksums().end());
  to->pieces.reserve(static_cast<size_t>(from->pieces_size()));
  for (const v1::GrantPiece& piece : from->pieces()) {
    if (piece.length() == 0) {
      to->pieces.emplace_back();
      continue;
    }
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the offset of a piece in bytes", piece.offset(), kMaxExtentBytes));
    KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of a piece in bytes", piece.length(),
                                        kMaxExtentBytes - piece.offset()));
    to->pieces.emplace_back(GrantPiece{piece.grant(), piece.offset(), piece.length()});
  }
  return Status::Ok();
}

Status DecodeVerb(v1::AbortPut* from, AbortPut* to) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(static_cast<size_t>(from->sequences_size())));
  to->sequences.assign(from->sequences().begin(), from->sequences().end());
  return Status::Ok();
}

template <typename Verb>
Status DecodeVerb(v1::Keyed* from, Verb* to) {
  if constexpr (std::is_same_v<Verb, Locate>) to->want_lease = !from->no_lease();
  return DecodeKeys(from->mutable_keys(), &to->keys);
}

// ---- verbs: replies

void EncodeAnswers(const std::vector<StartPutAnswer>& from, v1::VerbReplyMessage* reply) {
  v1::StartedPuts* list = reply->mutable_started();
  for (const StartPutAnswer& answer : from) {
    v1::StartedPut* to = list->add_puts();
    to->set_index(answer.index);
    EncodeStatus(answer.status, to);
    EncodeReplicas(answer.replicas, to);
    to->set_grant_us(EncodeDuration(answer.grant));
    to->set_parked_us(EncodeDuration(answer.parked));
  }
}

void EncodeAnswers(const std::vector<ItemAnswer>& from, v1::VerbReplyMessage* reply) {
  v1::Items* list = reply->mutable_items();
  for (const ItemAnswer& answer : from) {
    if (answer.status.ok()) {
      list->add_ok(answer.index);
      continue;
    }
    v1::Item* to = list->add_others();
    to->set_index(answer.index);
    EncodeStatus(answer.status, to);
  }
}

void EncodeAnswers(const std::vector<LocateAnswer>& from, v1::VerbReplyMessage* reply) {
  v1::Locations* list = reply->mutable_located();
  for (const LocateAnswer& answer : from) {
    v1::Location* to = list->add_locations();
    to->set_index(answer.index);
    EncodeStatus(answer.status, to);
    Encode(answer.put, to->mutable_put());
    to->set_size(answer.size);
    to->set_checksum(answer.checksum);
    EncodeReplicas(answer.replicas, to);
    to->set_lease_us(EncodeDuration(answer.lease));
    to->set_parked_us(EncodeDuration(answer.parked));
  }
}

void EncodeAnswers(const std::vector<StatAnswer>& from, v1::VerbReplyMessage* reply) {
  v1::Stats* list = reply->mutable_stats();
  for (const StatAnswer& answer : from) {
    v1::Stat* to = list->add_stats();
    to->set_index(answer.index);
    EncodeStatus(answer.status, to);
    Encode(answer.put, to->mutable_put());
    to->set_size(answer.size);
    to->set_checksum(answer.checksum);
    to->set_age_us(EncodeDuration(answer.age));
    to->set_lease_left_us(EncodeDuration(answer.lease_left));
    EncodeReplicas(answer.replicas, to);
  }
}

Status CheckIndex(uint32_t index) {
  return CheckAtMost("the index of an item", index, kMaxBatchItems - 1);
}

Status DecodeAnswer(const v1::StartedPut& from, StartPutAnswer* to) {
  to->index = from.index();
  to->status = DecodeStatus(from.outcome());
  KVSTORE_RETURN_IF_ERROR(DecodeReplicas(from, &to->replicas));
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("a grant in microseconds", from.grant_us(), &to->grant));
  return DecodeDuration("a wait in microseconds", from.parked_us(), &to->parked);
}

Status DecodeAnswer(const v1::Item& from, ItemAnswer* to) {
  to->index = from.index();
  to->status = DecodeStatus(from.outcome());
  return Status::Ok();
}

Status DecodeAnswer(const v1::Location& from, LocateAnswer* to) {
  to->index = from.index();
  to->status = DecodeStatus(from.outcome());
  to->put = Decode(from.put());
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the size of an object in bytes", from.size(), kMaxExtentBytes));
  to->size = from.size();
  to->checksum = from.checksum();
  KVSTORE_RETURN_IF_ERROR(DecodeReplicas(from, &to->replicas));
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("a lease in microseconds", from.lease_us(), &to->lease));
  return DecodeDuration("a wait in microseconds", from.parked_us(), &to->parked);
}

Status DecodeAnswer(const v1::Stat& from, StatAnswer* to) {
  to->index = from.index();
  to->status = DecodeStatus(from.outcome());
  to->put = Decode(from.put());
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the size of an object in bytes", from.size(), kMaxExtentBytes));
  to->size = from.size();
  to->checksum = from.checksum();
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("an age in microseconds", from.age_us(), &to->age));
  KVSTORE_RETURN_IF_ERROR(
      DecodeDuration("a lease in microseconds", from.lease_left_us(), &to->lease_left));
  return DecodeReplicas(from, &to->replicas);
}

// Appends to `to`, which begins empty or with the OK items.
template <typename Answer, typename Messages>
Status DecodeAnswers(const Messages& from, std::vector<Answer>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(to->size() + static_cast<size_t>(from.size())));
  to->reserve(to->size() + static_cast<size_t>(from.size()));
  for (const auto& message : from) {
    KVSTORE_RETURN_IF_ERROR(CheckIndex(message.index()));
    Answer answer;
    KVSTORE_RETURN_IF_ERROR(DecodeAnswer(message, &answer));
    to->push_back(std::move(answer));
  }
  return Status::Ok();
}

Status DecodeItems(const v1::Items& from, std::vector<ItemAnswer>* to) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(static_cast<size_t>(from.ok_size())));
  to->reserve(static_cast<size_t>(from.ok_size()));
  for (uint32_t index : from.ok()) {
    KVSTORE_RETURN_IF_ERROR(CheckIndex(index));
    to->push_back({index, Status::Ok()});
  }
  return DecodeAnswers(from.others(), to);
}

// ---- cutting replies

size_t PeerBytes(const Peer& peer) {
  return 64 + peer.name.size() + peer.host.size() + peer.descriptor.size();
}

size_t ReplicaBytes(const std::vector<Replica>& replicas) {
  size_t bytes = 0;
  for (const Replica& replica : replicas) bytes += 48 + 24 * replica.ranges.size();
  return bytes;
}

template <typename Answer>
const std::vector<Replica>& ReplicasOf(const Answer& answer) {
  return answer.replicas;
}

const std::vector<Replica>& ReplicasOf(const ItemAnswer&) {
  static const std::vector<Replica> none;
  return none;
}

// Fills one reply after another with answers and the peers that they name.
template <typename Answer>
std::vector<VerbReply> Cut(uint64_t id, std::vector<Answer> answers, std::vector<Peer> peers) {
  std::unordered_map<Incarnation, const Peer*> by_incarnation;
  for (const Peer& peer : peers) by_incarnation.emplace(peer.incarnation, &peer);

  std::vector<VerbReply> replies;
  std::vector<Answer>* list = nullptr;
  std::unordered_set<Incarnation> named;
  size_t bytes = 0;
  for (Answer& answer : answers) {
    if (list == nullptr || bytes > kReplyBytes || list->size() == kMaxBatchItems) {
      replies.push_back(VerbReply{id, std::vector<Answer>{}, {}});
      list = &std::get<std::vector<Answer>>(replies.back().answers);
      named.clear();
      bytes = 0;
    }
    for (const Replica& replica : ReplicasOf(answer)) {
      const auto peer = by_incarnation.find(replica.segment.holder);
      if (peer == by_incarnation.end() || !named.insert(peer->first).second) continue;
      replies.back().peers.push_back(*peer->second);
      bytes += PeerBytes(*peer->second);
    }
    bytes += 128 + std::min(answer.status.message().size(), kMaxTextBytes) +
             ReplicaBytes(ReplicasOf(answer));
    list->push_back(std::move(answer));
  }
  if (replies.empty()) replies.push_back(VerbReply{id, std::vector<Answer>{}, {}});
  return replies;
}

// How many items a request names, and of which kind its answers are.
template <typename Answer>
Result<VerbReply> Refuse(uint64_t id, int items, const Status& status) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(static_cast<size_t>(items)));
  std::vector<Answer> answers(static_cast<size_t>(items));
  for (uint32_t i = 0; i < answers.size(); ++i) {
    answers[i].index = i;
    answers[i].status = status;
  }
  return VerbReply{id, std::move(answers), {}};
}

}  // namespace

// ---- session

void Encode(const Hello& from, v1::Hello* to) {
  to->set_oldest_version(from.oldest_version);
  to->set_newest_version(from.newest_version);
  to->set_software(Text(from.software));
  Encode(from.pool, to->mutable_pool());
  to->set_term(from.term);
  Encode(from.self, to->mutable_self());
  to->set_counter(from.counter);
  for (const LentSegment& segment : from.segments) {
    v1::LentSegment* message = to->add_segments();
    message->set_index(segment.index);
    message->set_size(segment.size);
    message->set_granule(segment.granule);
    message->set_ready(segment.ready);
  }
}

Result<Hello> Decode(const v1::Hello& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of the software's version in bytes",
                                      from.software().size(), kMaxNameBytes));
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of lent segments",
                                      static_cast<uint64_t>(from.segments_size()), kMaxSegments));
  Hello to;
  to.oldest_version = from.oldest_version();
  to.newest_version = from.newest_version();
  to.software = from.software();
  to.pool = Decode(from.pool());
  to.term = from.term();
  KVSTORE_ASSIGN_OR_RETURN(to.self, Decode(from.self()));
  to.counter = from.counter();
  std::unordered_set<uint32_t> indices;
  for (const v1::LentSegment& segment : from.segments()) {
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
    to.segments.push_back({segment.index(), segment.size(), segment.granule(), segment.ready()});
  }
  return to;
}

void Encode(const Welcome& from, v1::Welcome* to) {
  to->set_version(from.version);
  to->set_software(Text(from.software));
  Encode(from.pool, to->mutable_pool());
  to->set_term(from.term);
  to->set_heartbeat_interval_us(EncodeDuration(from.heartbeat_interval));
  to->set_suspect_after_us(EncodeDuration(from.suspect_after));
}

Result<Welcome> Decode(const v1::Welcome& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of the software's version in bytes",
                                      from.software().size(), kMaxNameBytes));
  if (from.term() == 0) return InvalidArgumentError("a welcome of term 0; terms begin at 1");
  Welcome to;
  to.version = from.version();
  to.software = from.software();
  to.pool = Decode(from.pool());
  to.term = from.term();
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("the heartbeat interval in microseconds",
                                         from.heartbeat_interval_us(), &to.heartbeat_interval));
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("the suspicion time in microseconds",
                                         from.suspect_after_us(), &to.suspect_after));
  return to;
}

// ---- orders and acks

void Encode(const Orders& from, v1::Orders* to) {
  to->set_term(from.term);
  for (const Order& order : from.orders) {
    v1::Order* message = to->add_orders();
    if (const auto* retire = std::get_if<RetireOrder>(&order)) {
      Encode(retire->put, message->mutable_retire()->mutable_put());
      message->mutable_retire()->set_segment(retire->segment);
      message->mutable_retire()->set_birth(retire->birth);
      EncodeRanges(retire->ranges, message->mutable_retire());
    } else {
      const auto& prepare = std::get<PrepareOrder>(order);
      message->mutable_prepare()->set_segment(prepare.segment);
      message->mutable_prepare()->set_limit(prepare.limit);
    }
  }
}

Result<Orders> Decode(const v1::Orders& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of orders",
                                      static_cast<uint64_t>(from.orders_size()), kMaxOrdersOrAcks));
  Orders to;
  to.term = from.term();
  to.orders.reserve(static_cast<size_t>(from.orders_size()));
  for (const v1::Order& message : from.orders()) {
    if (message.has_retire()) {
      const v1::Retire& retire = message.retire();
      RetireOrder order{Decode(retire.put()), retire.segment(), retire.birth(), {}};
      KVSTORE_RETURN_IF_ERROR(DecodeRanges(retire, &order.ranges));
      to.orders.emplace_back(std::move(order));
    } else if (message.has_prepare()) {
      KVSTORE_RETURN_IF_ERROR(CheckAtMost("the limit of a segment's pages in bytes",
                                          message.prepare().limit(), kMaxExtentBytes));
      to.orders.emplace_back(PrepareOrder{message.prepare().segment(), message.prepare().limit()});
    } else {
      return InvalidArgumentError("an order that is neither retire nor prepare");
    }
  }
  return to;
}

void Encode(const Acks& from, v1::Acks* to) {
  to->set_term(from.term);
  to->set_counter(from.counter);
  for (const RetireAck& ack : from.retired) {
    v1::RetireAck* message = to->add_retired();
    Encode(ack.put, message->mutable_put());
    message->set_segment(ack.segment);
    message->set_birth(ack.birth);
    message->set_free(ack.stage == RetireStage::kFree);
  }
  for (const ReadyAck& ack : from.ready) {
    v1::ReadyAck* message = to->add_ready();
    message->set_segment(ack.segment);
    message->set_limit(ack.limit);
    message->set_problem(Text(ack.problem, kMaxTextBytes));
  }
}

Result<Acks> Decode(const v1::Acks& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost(
      "the number of acks", static_cast<uint64_t>(from.retired_size()), kMaxOrdersOrAcks));
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of acks",
                                      static_cast<uint64_t>(from.ready_size()), kMaxOrdersOrAcks));
  Acks to;
  to.term = from.term();
  to.counter = from.counter();
  to.retired.reserve(static_cast<size_t>(from.retired_size()));
  for (const v1::RetireAck& ack : from.retired()) {
    to.retired.push_back({Decode(ack.put()), ack.segment(), ack.birth(),
                          ack.free() ? RetireStage::kFree : RetireStage::kWithdrawn});
  }
  to.ready.reserve(static_cast<size_t>(from.ready_size()));
  for (const v1::ReadyAck& ack : from.ready()) {
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the limit of a segment's pages in bytes", ack.limit(), kMaxExtentBytes));
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the length of a problem in bytes", ack.problem().size(), kMaxTextBytes));
    to.ready.push_back({ack.segment(), ack.limit(), ack.problem()});
  }
  return to;
}

// ---- verbs

void Encode(const VerbRequest& from, v1::VerbRequest* to) {
  to->set_id(from.id);
  to->set_patience_us(EncodeDuration(from.patience));
  std::visit([to](const auto& verb) { EncodeVerb(verb, to); }, from.verb);
}

Result<VerbRequest> Decode(v1::VerbRequest&& from) {
  VerbRequest to;
  to.id = from.id();
  KVSTORE_RETURN_IF_ERROR(
      DecodeDuration("the patience in microseconds", from.patience_us(), &to.patience));
  Status status;
  switch (from.verb_case()) {
    case v1::VerbRequest::kStartPut:
      status = DecodeVerb(from.mutable_start_put(), &to.verb.emplace<StartPut>());
      break;
    case v1::VerbRequest::kCommitPut:
      status = DecodeVerb(from.mutable_commit_put(), &to.verb.emplace<CommitPut>());
      break;
    case v1::VerbRequest::kAbortPut:
      status = DecodeVerb(from.mutable_abort_put(), &to.verb.emplace<AbortPut>());
      break;
    case v1::VerbRequest::kLocate:
      status = DecodeVerb(from.mutable_locate(), &to.verb.emplace<Locate>());
      break;
    case v1::VerbRequest::kExists:
      status = DecodeVerb(from.mutable_exists(), &to.verb.emplace<Exists>());
      break;
    case v1::VerbRequest::kWaitExists:
      status = DecodeVerb(from.mutable_wait_exists(), &to.verb.emplace<WaitExists>());
      break;
    case v1::VerbRequest::kRemove:
      status = DecodeVerb(from.mutable_remove(), &to.verb.emplace<Remove>());
      break;
    case v1::VerbRequest::kStat:
      status = DecodeVerb(from.mutable_stat(), &to.verb.emplace<StatObject>());
      break;
    case v1::VerbRequest::VERB_NOT_SET:
      status = InvalidArgumentError("a request without a verb that is known here");
      break;
  }
  if (!status.ok()) return status;
  return to;
}

Result<VerbReply> Refusal(const v1::VerbRequest& request, const Status& status) {
  switch (request.verb_case()) {
    case v1::VerbRequest::kStartPut:
      return Refuse<StartPutAnswer>(request.id(), request.start_put().keys().lengths_size(),
                                    status);
    case v1::VerbRequest::kCommitPut:
      return Refuse<ItemAnswer>(request.id(), request.commit_put().sequences_size(), status);
    case v1::VerbRequest::kAbortPut:
      return Refuse<ItemAnswer>(request.id(), request.abort_put().sequences_size(), status);
    case v1::VerbRequest::kLocate:
      return Refuse<LocateAnswer>(request.id(), request.locate().keys().lengths_size(), status);
    case v1::VerbRequest::kExists:
      return Refuse<ItemAnswer>(request.id(), request.exists().keys().lengths_size(), status);
    case v1::VerbRequest::kWaitExists:
      return Refuse<ItemAnswer>(request.id(), request.wait_exists().keys().lengths_size(), status);
    case v1::VerbRequest::kRemove:
      return Refuse<ItemAnswer>(request.id(), request.remove().keys().lengths_size(), status);
    case v1::VerbRequest::kStat:
      return Refuse<StatAnswer>(request.id(), request.stat().keys().lengths_size(), status);
    case v1::VerbRequest::VERB_NOT_SET:
      break;
  }
  return status;
}

void Encode(const VerbReply& from, uint64_t term, v1::VerbReplyMessage* to) {
  to->set_term(term);
  to->set_id(from.id);
  std::visit([to](const auto& answers) { EncodeAnswers(answers, to); }, from.answers);
  for (const Peer& peer : from.peers) Encode(peer, to->add_peers());
}

Result<VerbReply> Decode(const v1::VerbReplyMessage& from) {
  VerbReply to;
  to.id = from.id();
  Status status;
  switch (from.answers_case()) {
    case v1::VerbReplyMessage::kStarted:
      status =
          DecodeAnswers(from.started().puts(), &to.answers.emplace<std::vector<StartPutAnswer>>());
      break;
    case v1::VerbReplyMessage::kItems:
      status = DecodeItems(from.items(), &to.answers.emplace<std::vector<ItemAnswer>>());
      break;
    case v1::VerbReplyMessage::kLocated:
      status = DecodeAnswers(from.located().locations(),
                             &to.answers.emplace<std::vector<LocateAnswer>>());
      break;
    case v1::VerbReplyMessage::kStats:
      status = DecodeAnswers(from.stats().stats(), &to.answers.emplace<std::vector<StatAnswer>>());
      break;
    case v1::VerbReplyMessage::ANSWERS_NOT_SET:
      status = InvalidArgumentError("a reply without answers that are known here");
      break;
  }
  if (!status.ok()) return status;
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of peers of a reply",
                                      static_cast<uint64_t>(from.peers_size()), kMaxPeers));
  for (const v1::Peer& message : from.peers()) {
    KVSTORE_ASSIGN_OR_RETURN(Peer peer, Decode(message));
    to.peers.push_back(std::move(peer));
  }
  return to;
}

size_t EncodedItemBytes(std::string_view key) {
  // Length 2, sequence and size 10 each, checksum 8, piece of a grant 36 at most.
  return key.size() + 80;
}

std::vector<VerbReply> CutToMessages(VerbReply reply) {
  return std::visit(
      [&reply](auto& answers) { return Cut(reply.id, std::move(answers), std::move(reply.peers)); },
      reply.answers);
}

Result<uint32_t> ChooseVersion(uint32_t peer_oldest, uint32_t peer_newest,
                               std::string_view peer_name) {
  const std::string name(peer_name);
  const std::string both = name + " speaks protocol versions " + std::to_string(peer_oldest) +
                           " to " + std::to_string(peer_newest) + ", its peer (kvstore " +
                           KVSTORE_VERSION + ") " + std::to_string(kOldestProtocolVersion) +
                           " to " + std::to_string(kProtocolVersion);
  if (peer_oldest > peer_newest) {
    return InvalidArgumentError(both + ": the first is not a range");
  }
  if (peer_newest < kOldestProtocolVersion) {
    return FailedPreconditionError(both + "; the older side is " + name + ": upgrade it");
  }
  if (peer_oldest > kProtocolVersion) {
    return FailedPreconditionError(both + "; the older side is the peer of " + name +
                                   ": upgrade it");
  }
  return std::min(peer_newest, kProtocolVersion);
}

}  // namespace kvstore
