#include <algorithm>
#include <bit>
#include <string>

#include "proto/codec.h"
#include "proto/codec_parts.h"

namespace kvstore {

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

void Encode(const Beat& from, v1::Beat* to) {
  Encode(from.self, to->mutable_incarnation());
  to->set_term(from.term);
}

Beat Decode(const v1::Beat& from) { return {Decode(from.incarnation()), from.term()}; }

void Encode(const BeatReply& from, v1::BeatReply* to) {
  to->set_term(from.term);
  to->set_unknown(from.unknown);
}

BeatReply Decode(const v1::BeatReply& from) { return {from.term(), from.unknown()}; }

void Encode(const VerbHello& from, v1::VerbHello* to) {
  to->set_oldest_version(from.oldest_version);
  to->set_newest_version(from.newest_version);
  Encode(from.self, to->mutable_incarnation());
  to->set_term(from.term);
}

VerbHello Decode(const v1::VerbHello& from) {
  return {from.oldest_version(), from.newest_version(), Decode(from.incarnation()), from.term()};
}

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
