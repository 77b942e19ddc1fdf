#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "proto/codec.h"
#include "proto/codec_columns.h"
#include "proto/codec_parts.h"

namespace kvstore {
namespace {

void EncodeAnswers(const std::vector<StartPutAnswer>& from, v1::VerbReplyMessage* reply) {
  v1::StartedPuts* list = reply->mutable_started();
  for (const StartPutAnswer& answer : from) {
    v1::StartedPut* to = list->add_puts();
    to->set_index(answer.index);
    EncodeStatus(answer.status, to);
    EncodeReplicas(answer.replicas, to);
    to->set_grant_us(EncodeDuration(answer.grant));
    to->set_parked_us(EncodeDuration(answer.parked));
    to->set_term(answer.term);
    to->set_granule(answer.granule);
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
  EncodeFound(from, list->mutable_found());
  for (const LocateAnswer& answer : from) {
    if (IsPlain(answer)) continue;
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
    to->set_durable(answer.durable);
    EncodeRetention(answer.retention, to);
  }
}

void EncodeAnswers(const std::vector<CountAnswer>& from, v1::VerbReplyMessage* reply) {
  v1::Counts* list = reply->mutable_counts();
  for (const CountAnswer& answer : from) {
    v1::Count* to = list->add_counts();
    to->set_index(answer.index);
    EncodeStatus(answer.status, to);
    to->set_count(answer.count);
  }
}

Status CheckIndex(uint32_t index) {
  return CheckAtMost("the index of an item", index, kMaxBatchItems - 1);
}

Status DecodeAnswer(const v1::StartedPut& from, StartPutAnswer* to) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("a granule in bytes", from.granule(), kLargestGranule));
  to->index = from.index();
  to->term = from.term();
  to->granule = from.granule();
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
  KVSTORE_RETURN_IF_ERROR(DecodeReplicas(from, &to->replicas));
  to->durable = from.durable();
  return DecodeRetention(from.retention(), &to->retention);
}

Status DecodeAnswer(const v1::Count& from, CountAnswer* to) {
  to->index = from.index();
  to->status = DecodeStatus(from.outcome());
  to->count = from.count();
  return Status::Ok();
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

Status DecodeLocations(const v1::Locations& from, std::vector<LocateAnswer>* to) {
  KVSTORE_RETURN_IF_ERROR(DecodeFound(from.found(), to));
  return DecodeAnswers(from.locations(), to);
}

template <typename Answer>
const std::vector<Replica>& ReplicasOf(const Answer& answer) {
  static const std::vector<Replica> none;
  if constexpr (requires { answer.replicas; }) {
    return answer.replicas;
  } else {
    return none;
  }
}

template <typename Answer>
size_t AnswerBytes(const Answer& answer) {
  size_t bytes = 128 + std::min(answer.status.message().size(), kMaxTextBytes);
  if constexpr (requires { answer.retention; }) bytes += answer.retention.group.size();
  return bytes + ReplicaBytes(ReplicasOf(answer));
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
    if (list == nullptr || bytes > kCutBytes || list->size() == kMaxBatchItems) {
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
    bytes += AnswerBytes(answer);
    list->push_back(std::move(answer));
  }
  if (replies.empty()) replies.push_back(VerbReply{id, std::vector<Answer>{}, {}});
  return replies;
}

}  // namespace

void Encode(const VerbReply& from, uint64_t term, v1::VerbReplyMessage* to) {
  to->set_term(term);
  to->set_id(from.id);
  std::visit([to](const auto& answers) { EncodeAnswers(answers, to); }, from.answers);
  EncodePeers(from.peers, to);
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
      status = DecodeLocations(from.located(), &to.answers.emplace<std::vector<LocateAnswer>>());
      break;
    case v1::VerbReplyMessage::kStats:
      status = DecodeAnswers(from.stats().stats(), &to.answers.emplace<std::vector<StatAnswer>>());
      break;
    case v1::VerbReplyMessage::kCounts:
      status =
          DecodeAnswers(from.counts().counts(), &to.answers.emplace<std::vector<CountAnswer>>());
      break;
    case v1::VerbReplyMessage::ANSWERS_NOT_SET:
      status = InvalidArgumentError("a reply without answers that are known here");
      break;
  }
  if (!status.ok()) return status;
  KVSTORE_RETURN_IF_ERROR(DecodePeers(from, &to.peers));
  return to;
}

std::vector<VerbReply> CutToMessages(VerbReply reply) {
  return std::visit(
      [&reply](auto& answers) { return Cut(reply.id, std::move(answers), std::move(reply.peers)); },
      reply.answers);
}

}  // namespace kvstore
