#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "proto/codec.h"
#include "proto/codec_columns.h"
#include "proto/codec_parts.h"

namespace kvstore {
namespace {

Status CheckAcks(int acks) {
  return CheckAtMost("the number of acks", static_cast<uint64_t>(acks), kMaxOrdersOrAcks);
}

Status CheckOrders(size_t orders) {
  return CheckAtMost("the number of orders", orders, kMaxOrdersOrAcks);
}

Status CheckPages(uint64_t limit) {
  return CheckAtMost("the limit of a segment's pages in bytes", limit, kMaxExtentBytes);
}

void EncodeOrder(const RetireOrder& from, v1::Order* order) {
  v1::Retire* to = order->mutable_retire();
  Encode(from.put, to->mutable_put());
  to->set_segment(from.segment);
  to->set_birth(from.birth);
  EncodeRanges(from.ranges, to);
}

void EncodeOrder(const PrepareOrder& from, v1::Order* order) {
  order->mutable_prepare()->set_segment(from.segment);
  order->mutable_prepare()->set_limit(from.limit);
}

void EncodeOrder(const NoteOrder& from, v1::Order* order) { Encode(from, order->mutable_note()); }

void EncodeOrder(const CopyOrder& from, v1::Order* order) {
  v1::Copy* to = order->mutable_copy();
  Encode(from.put, to->mutable_put());
  to->set_size(from.size);
  to->set_checksum(from.checksum);
  Encode(from.from, to->mutable_from());
  to->set_segment(from.segment);
  to->set_birth(from.birth);
  EncodeRanges(from.ranges, to);
}

void EncodeOrder(const ReleaseOrder& from, v1::Order* order) {
  order->mutable_release()->set_segment(from.segment);
  order->mutable_release()->set_limit(from.limit);
  order->mutable_release()->set_number(from.number);
}

void EncodeOrder(const LeaveOrder&, v1::Order* order) { order->mutable_leave(); }

Result<Order> DecodeCopy(const v1::Copy& from) {
  CopyOrder to;
  to.put = Decode(from.put());
  KVSTORE_RETURN_IF_ERROR(
      CheckAtMost("the size of an object in bytes", from.size(), kMaxExtentBytes));
  to.size = from.size();
  to.checksum = from.checksum();
  KVSTORE_ASSIGN_OR_RETURN(to.from, Decode(from.from()));
  to.segment = from.segment();
  to.birth = from.birth();
  KVSTORE_RETURN_IF_ERROR(DecodeRanges(from, &to.ranges));
  return Order(std::move(to));
}

Result<Order> DecodeOrder(const v1::Order& from) {
  switch (from.what_case()) {
    case v1::Order::kRetire: {
      const v1::Retire& retire = from.retire();
      RetireOrder to{Decode(retire.put()), retire.segment(), retire.birth(), {}};
      KVSTORE_RETURN_IF_ERROR(DecodeRanges(retire, &to.ranges));
      return Order(std::move(to));
    }
    case v1::Order::kPrepare:
      KVSTORE_RETURN_IF_ERROR(CheckPages(from.prepare().limit()));
      return Order(PrepareOrder{from.prepare().segment(), from.prepare().limit()});
    case v1::Order::kNote: {
      KVSTORE_ASSIGN_OR_RETURN(NoteOrder to, Decode(from.note()));
      return Order(std::move(to));
    }
    case v1::Order::kCopy:
      return DecodeCopy(from.copy());
    case v1::Order::kRelease:
      KVSTORE_RETURN_IF_ERROR(CheckPages(from.release().limit()));
      return Order(
          ReleaseOrder{from.release().segment(), from.release().limit(), from.release().number()});
    case v1::Order::kLeave:
      return Order(LeaveOrder{});
    case v1::Order::kNotes:  // several
    case v1::Order::WHAT_NOT_SET:
      break;
  }
  return InvalidArgumentError("an order that is not known here");
}

// An upper bound of the encoded size.
size_t OrderBytes(const Order& order) {
  if (const auto* note = std::get_if<NoteOrder>(&order)) return BytesOf(*note);
  size_t bytes = 128;
  if (const auto* retire = std::get_if<RetireOrder>(&order)) bytes += RangesBytes(retire->ranges);
  if (const auto* copy = std::get_if<CopyOrder>(&order)) {
    bytes += RangesBytes(copy->ranges) + RangesBytes(copy->from.ranges);
  }
  return bytes;
}

}  // namespace

void Encode(const Orders& from, v1::Orders* to) {
  to->set_term(from.term);
  for (size_t i = 0; i < from.orders.size();) {
    v1::Order* const message = to->add_orders();
    if (IsPlainNote(from.orders[i])) {
      i = EncodeNotes(from.orders, i, message->mutable_notes());
    } else {
      std::visit([message](const auto& one) { EncodeOrder(one, message); }, from.orders[i++]);
    }
  }
  EncodePeers(from.peers, to);
}

Result<Orders> Decode(const v1::Orders& from) {
  KVSTORE_RETURN_IF_ERROR(CheckOrders(static_cast<size_t>(from.orders_size())));
  Orders to;
  to.term = from.term();
  to.orders.reserve(static_cast<size_t>(from.orders_size()));
  for (const v1::Order& message : from.orders()) {
    if (message.has_notes()) {
      KVSTORE_RETURN_IF_ERROR(DecodeNotes(message.notes(), &to.orders));
      KVSTORE_RETURN_IF_ERROR(CheckOrders(to.orders.size()));
      continue;
    }
    KVSTORE_ASSIGN_OR_RETURN(Order order, DecodeOrder(message));
    to.orders.push_back(std::move(order));
  }
  KVSTORE_RETURN_IF_ERROR(DecodePeers(from, &to.peers));
  return to;
}

std::vector<Orders> CutToMessages(Orders orders) {
  std::unordered_map<Incarnation, const Peer*> by_incarnation;
  for (const Peer& peer : orders.peers) by_incarnation.emplace(peer.incarnation, &peer);

  std::vector<Orders> parts;
  std::unordered_set<Incarnation> named;
  size_t bytes = 0;
  for (Order& order : orders.orders) {
    if (parts.empty() || bytes > kCutBytes || parts.back().orders.size() == kMaxPeers) {
      parts.push_back({orders.term, {}, {}});
      parts.back().orders.reserve(std::min(orders.orders.size(), kMaxPeers));
      named.clear();
      bytes = 0;
    }
    if (const auto* copy = std::get_if<CopyOrder>(&order)) {
      const auto peer = by_incarnation.find(copy->from.segment.holder);
      if (peer != by_incarnation.end() && named.insert(peer->first).second) {
        parts.back().peers.push_back(*peer->second);
        bytes += PeerBytes(*peer->second);
      }
    }
    bytes += OrderBytes(order);
    parts.back().orders.push_back(std::move(order));
  }
  return parts;
}

void Encode(const Acks& from, v1::Acks* to) {
  to->set_term(from.term);
  to->set_counter(from.counter);
  if (!from.retired.empty()) EncodeAcks(from.retired, to->mutable_retired());
  for (const ReadyAck& ack : from.ready) {
    v1::ReadyAck* message = to->add_ready();
    message->set_segment(ack.segment);
    message->set_limit(ack.limit);
    message->set_problem(Text(ack.problem, kMaxTextBytes));
  }
  if (!from.noted.empty()) EncodeAcks(from.noted, to->mutable_noted());
  for (const CopyAck& ack : from.copied) {
    v1::CopyAck* message = to->add_copied();
    Encode(ack.put, message->mutable_put());
    message->set_segment(ack.segment);
    message->set_birth(ack.birth);
    EncodeStatus(ack.status, message);
  }
  for (const ReleaseAck& ack : from.released) {
    v1::ReleaseAck* message = to->add_released();
    message->set_segment(ack.segment);
    message->set_limit(ack.limit);
    message->set_number(ack.number);
  }
}

Result<Acks> Decode(const v1::Acks& from) {
  for (int acks : {from.ready_size(), from.copied_size(), from.released_size()}) {
    KVSTORE_RETURN_IF_ERROR(CheckAcks(acks));
  }
  Acks to;
  to.term = from.term();
  to.counter = from.counter();
  KVSTORE_RETURN_IF_ERROR(DecodeAcks(from.retired(), &to.retired));
  to.ready.reserve(static_cast<size_t>(from.ready_size()));
  for (const v1::ReadyAck& ack : from.ready()) {
    KVSTORE_RETURN_IF_ERROR(CheckPages(ack.limit()));
    KVSTORE_RETURN_IF_ERROR(
        CheckAtMost("the length of a problem in bytes", ack.problem().size(), kMaxTextBytes));
    to.ready.push_back({ack.segment(), ack.limit(), ack.problem()});
  }
  KVSTORE_RETURN_IF_ERROR(DecodeAcks(from.noted(), &to.noted));
  to.copied.reserve(static_cast<size_t>(from.copied_size()));
  for (const v1::CopyAck& ack : from.copied()) {
    KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of a problem in bytes",
                                        ack.outcome().message().size(), kMaxTextBytes));
    to.copied.push_back(
        {Decode(ack.put()), ack.segment(), ack.birth(), DecodeStatus(ack.outcome())});
  }
  to.released.reserve(static_cast<size_t>(from.released_size()));
  for (const v1::ReleaseAck& ack : from.released()) {
    KVSTORE_RETURN_IF_ERROR(CheckPages(ack.limit()));
    to.released.push_back({ack.segment(), ack.limit(), ack.number()});
  }
  return to;
}

}  // namespace kvstore
