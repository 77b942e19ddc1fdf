#include "proto/codec.h"
#include "proto/codec_columns.h"
#include "proto/codec_parts.h"

namespace kvstore {
namespace {

v1::PlacementPolicy EncodePlacement(Placement placement) {
  switch (placement) {
    case Placement::kLocalFirst:
      return v1::PLACEMENT_LOCAL_FIRST;
    case Placement::kSpread:
      return v1::PLACEMENT_SPREAD;
    case Placement::kThisHost:
      return v1::PLACEMENT_THIS_HOST;
  }
  return v1::PLACEMENT_LOCAL_FIRST;
}

Status DecodePlacement(v1::PlacementPolicy from, Placement* to) {
  switch (from) {
    case v1::PLACEMENT_LOCAL_FIRST:
      *to = Placement::kLocalFirst;
      return Status::Ok();
    case v1::PLACEMENT_SPREAD:
      *to = Placement::kSpread;
      return Status::Ok();
    case v1::PLACEMENT_THIS_HOST:
      *to = Placement::kThisHost;
      return Status::Ok();
    default:
      return InvalidArgumentError("placement " + std::to_string(from) +
                                  " is not known here; 0 (local first), 1 (spread) and 2 (this "
                                  "host) are");
  }
}

void Encode(const StartPut& from, v1::StartPut* to) {
  EncodeKeys(from.keys, to->mutable_keys());
  EncodeNumbers(from.sequences, to->mutable_sequences());
  EncodeNumbers(from.sizes, to->mutable_sizes());
  to->set_replicas(from.replicas);
  to->set_replace(from.replace);
  to->set_placement(EncodePlacement(from.placement));
  for (const std::string& name : from.preferred_nodes) to->add_preferred_nodes(Text(name));
  to->set_durable(from.durable);
  EncodeRetention(from.retention, to);
  EncodeNumbers(from.positions, to->mutable_positions());
  EncodeNumbers(from.instead_of, to->mutable_instead_of());
}

void EncodeVerb(const StartPut& from, v1::VerbRequest* request) {
  Encode(from, request->mutable_start_put());
}

void EncodeVerb(const CommitPut& from, v1::VerbRequest* request) {
  v1::CommitPut* to = request->mutable_commit_put();
  EncodeNumbers(from.sequences, to->mutable_sequences());
  EncodeNumbers(from.checksums, to->mutable_checksums());
  if (from.pieces.empty()) return;
  EncodePieces(from.pieces, to->mutable_pieces());
  Encode(from.put, to->mutable_put());
  to->mutable_put()->clear_sequences();
}

void EncodeVerb(const GrantAhead& from, v1::VerbRequest* request) {
  v1::GrantAhead* to = request->mutable_grant_ahead();
  to->set_sequence(from.sequence);
  to->set_bytes(from.bytes);
  to->set_least(from.least);
  EncodeNumbers(from.done, to->mutable_done());
}

void EncodeVerb(const AbortPut& from, v1::VerbRequest* request) {
  EncodeNumbers(from.sequences, request->mutable_abort_put()->mutable_sequences());
}

void EncodeVerb(const Locate& from, v1::VerbRequest* request) {
  EncodeKeys(from.keys, request->mutable_locate()->mutable_keys());
  request->mutable_locate()->set_no_lease(!from.want_lease);
  request->mutable_locate()->set_readable(from.readable);
  if (from.await.at_most == Duration::zero()) return;
  request->mutable_locate()->set_await_us(EncodeDuration(from.await.at_most));
  request->mutable_locate()->set_await_after(from.await.after);
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

void EncodeVerb(const NoteReads& from, v1::VerbRequest* request) {
  v1::NoteReads* const to = request->mutable_note_reads();
  for (const PutId& put : from.puts) Encode(put, to->add_puts());
}

void EncodeVerb(const Pin& from, v1::VerbRequest* request) {
  v1::Pin* const to = request->mutable_pin();
  EncodeKeys(from.keys, to->mutable_keys());
  to->set_hard(from.hard);
  to->set_soft_us(EncodeDuration(from.soft));
}

void EncodeVerb(const RemoveMatching& from, v1::VerbRequest* request) {
  request->mutable_remove_matching()->set_prefix(from.prefix);
}

void EncodeVerb(const ReportFailures& from, v1::VerbRequest* request) {
  v1::ReportFailures* const to = request->mutable_report_failures();
  for (const SegmentId& segment : from.segments) {
    v1::ReportFailures::Segment* const message = to->add_segments();
    Encode(segment.holder, message->mutable_holder());
    message->set_index(segment.index);
  }
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
  KVSTORE_RETURN_IF_ERROR(DecodePlacement(from->placement(), &to->placement));
  KVSTORE_RETURN_IF_ERROR(DecodeRetention(from->retention(), &to->retention));
  if (!from->positions().empty()) {
    KVSTORE_RETURN_IF_ERROR(CheckLists("positions", from->positions_size(), to->keys.size()));
  }
  if (!from->instead_of().empty()) {
    KVSTORE_RETURN_IF_ERROR(
        CheckLists("puts to be given up", from->instead_of_size(), to->keys.size()));
  }
  to->sequences.assign(from->sequences().begin(), from->sequences().end());
  to->sizes.assign(from->sizes().begin(), from->sizes().end());
  to->replicas = std::max<uint32_t>(from->replicas(), 1);
  to->replace = from->replace();
  to->preferred_nodes.assign(from->preferred_nodes().begin(), from->preferred_nodes().end());
  to->durable = from->durable();
  to->positions.assign(from->positions().begin(), from->positions().end());
  to->instead_of.assign(from->instead_of().begin(), from->instead_of().end());
  return Status::Ok();
}

Status DecodeVerb(v1::CommitPut* from, CommitPut* to) {
  const auto items = static_cast<size_t>(from->sequences_size());
  KVSTORE_RETURN_IF_ERROR(CheckItems(items));
  KVSTORE_RETURN_IF_ERROR(CheckLists("checksums", from->checksums_size(), items));
  to->sequences.assign(from->sequences().begin(), from->sequences().end());
  to->checksums.assign(from->checksums().begin(), from->checksums().end());
  if (!from->has_pieces()) return Status::Ok();
  KVSTORE_RETURN_IF_ERROR(DecodePieces(from->pieces(), items, &to->pieces));
  from->mutable_put()->mutable_sequences()->CopyFrom(from->sequences());
  return DecodeVerb(from->mutable_put(), &to->put);
}

Status DecodeVerb(v1::GrantAhead* from, GrantAhead* to) {
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the size of a grant ahead in bytes", from->bytes(), kMaxExtentBytes));
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the least size of a grant ahead in bytes", from->least(), kMaxExtentBytes));
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the number of grants ahead that are done",
                                      static_cast<uint64_t>(from->done_size()), kMaxBatchItems));
  to->sequence = from->sequence();
  to->bytes = from->bytes();
  to->least = from->least();
  to->done.assign(from->done().begin(), from->done().end());
  return Status::Ok();
}

Status DecodeVerb(v1::AbortPut* from, AbortPut* to) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(static_cast<size_t>(from->sequences_size())));
  to->sequences.assign(from->sequences().begin(), from->sequences().end());
  return Status::Ok();
}

Status DecodeVerb(v1::NoteReads* from, NoteReads* to) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(static_cast<size_t>(from->puts_size())));
  to->puts.reserve(static_cast<size_t>(from->puts_size()));
  for (const v1::PutId& put : from->puts()) to->puts.push_back(Decode(put));
  return Status::Ok();
}

Status DecodeVerb(v1::Pin* from, Pin* to) {
  to->hard = from->hard();
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("a soft pin in microseconds", from->soft_us(), &to->soft));
  return DecodeKeys(from->mutable_keys(), &to->keys);
}

Status DecodeVerb(v1::RemoveMatching* from, RemoveMatching* to) {
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the length of a prefix in bytes", from->prefix().size(), kMaxKeyBytes));
  to->prefix = std::move(*from->mutable_prefix());
  return Status::Ok();
}

Status DecodeVerb(v1::ReportFailures* from, ReportFailures* to) {
  KVSTORE_RETURN_IF_ERROR(CheckItems(static_cast<size_t>(from->segments_size())));
  to->segments.reserve(static_cast<size_t>(from->segments_size()));
  for (const v1::ReportFailures::Segment& segment : from->segments()) {
    to->segments.push_back({Decode(segment.holder()), segment.index()});
  }
  return Status::Ok();
}

template <typename Verb>
Status DecodeVerb(v1::Keyed* from, Verb* to) {
  if constexpr (std::is_same_v<Verb, Locate>) {
    to->want_lease = !from->no_lease();
    to->readable = from->readable();
    KVSTORE_RETURN_IF_ERROR(DecodeDuration("how long a put is awaited in microseconds",
                                           from->await_us(), &to->await.at_most));
    KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of the key before the first in bytes",
                                        from->await_after().size(), kMaxKeyBytes));
    to->await.after = std::move(*from->mutable_await_after());
  }
  return DecodeKeys(from->mutable_keys(), &to->keys);
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
    case v1::VerbRequest::kNoteReads:
      status = DecodeVerb(from.mutable_note_reads(), &to.verb.emplace<NoteReads>());
      break;
    case v1::VerbRequest::kPin:
      status = DecodeVerb(from.mutable_pin(), &to.verb.emplace<Pin>());
      break;
    case v1::VerbRequest::kRemoveMatching:
      status = DecodeVerb(from.mutable_remove_matching(), &to.verb.emplace<RemoveMatching>());
      break;
    case v1::VerbRequest::kReportFailures:
      status = DecodeVerb(from.mutable_report_failures(), &to.verb.emplace<ReportFailures>());
      break;
    case v1::VerbRequest::kGrantAhead:
      status = DecodeVerb(from.mutable_grant_ahead(), &to.verb.emplace<GrantAhead>());
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
    case v1::VerbRequest::kPin:
      return Refuse<ItemAnswer>(request.id(), request.pin().keys().lengths_size(), status);
    case v1::VerbRequest::kRemoveMatching:
      return Refuse<CountAnswer>(request.id(), 1, status);
    case v1::VerbRequest::kGrantAhead:
      return Refuse<StartPutAnswer>(request.id(), 1, status);
    case v1::VerbRequest::kNoteReads:
    case v1::VerbRequest::kReportFailures:
      break;  // never answered, nor refused
    case v1::VerbRequest::VERB_NOT_SET:
      break;
  }
  return status;
}

size_t EncodedItemBytes(std::string_view key) {
  // Length 2, sequence and size 10 each, position 5, checksum 8, piece of a grant 46 at most.
  return key.size() + 96;
}

}  // namespace kvstore
