#ifndef KVSTORE_PROTO_CODEC_H_
#define KVSTORE_PROTO_CODEC_H_

// Between the plain structs of proto/verbs.h and the messages of kvstore.proto, both ways. Decoding
// checks every limit that the contract states, so that no later code meets a key of 2 KiB or a
// batch whose lists differ in length; it answers invalid_argument with the limit and the number.
//
// Decode(Encode(x)) == x for everything within the limits, with durations in whole microseconds and
// item answers in the order "OK first" (tests/proto/codec_test.cc). Encoding makes what is not
// UTF-8 in names and messages '?', since a parser would refuse the whole message, and cuts a
// status's message at 1024 bytes and durations at 10 years. A TTL that is less than a microsecond,
// or over, is encoded as one microsecond: 0 is for ever.

#include <string>
#include <vector>

#include "kvstore/result.h"
#include "proto/verbs.h"

namespace kvstore::v1 {
class Acks;
class Beat;
class BeatReply;
class Hello;
class Lend;
class Orders;
class Report;
class Tally;
class VerbHello;
class VerbReplyMessage;
class VerbRequest;
class Welcome;
}  // namespace kvstore::v1

namespace kvstore {

void Encode(const Hello& from, v1::Hello* to);
void Encode(const Welcome& from, v1::Welcome* to);
void Encode(const Beat& from, v1::Beat* to);
void Encode(const BeatReply& from, v1::BeatReply* to);
void Encode(const VerbHello& from, v1::VerbHello* to);
void Encode(const Orders& from, v1::Orders* to);
void Encode(const Acks& from, v1::Acks* to);
void Encode(const Report& from, v1::Report* to);
void Encode(const Lend& from, v1::Lend* to);
void Encode(const ClientTally& from, v1::Tally* to);
void Encode(const VerbRequest& from, v1::VerbRequest* to);
void Encode(const VerbReply& from, uint64_t term, v1::VerbReplyMessage* to);

// These have no limits that could be broken.
Beat Decode(const v1::Beat& from);
BeatReply Decode(const v1::BeatReply& from);
VerbHello Decode(const v1::VerbHello& from);

// Messages that are taken by rvalue give up their packed keys instead of copying them.
Result<Hello> Decode(const v1::Hello& from);
Result<Welcome> Decode(const v1::Welcome& from);
Result<Orders> Decode(const v1::Orders& from);
Result<Acks> Decode(const v1::Acks& from);
Result<Report> Decode(const v1::Report& from);
Result<Lend> Decode(const v1::Lend& from);
Result<ClientTally> Decode(const v1::Tally& from);
Result<VerbRequest> Decode(v1::VerbRequest&& from);
Result<VerbReply> Decode(const v1::VerbReplyMessage& from);

// The answer to a request that Decode refused with `status`: the same for each of its items. An
// error when its items can't be told or are too many.
Result<VerbReply> Refusal(const v1::VerbRequest& request, const Status& status);

// An upper bound of the encoded size of one item with this key, for cutting batches into messages.
size_t EncodedItemBytes(std::string_view key);

// Cuts a reply into messages of at most about 1 MiB that together answer the same items; each
// brings the peers that its own answers name. At least one reply.
std::vector<VerbReply> CutToMessages(VerbReply reply);

// Cuts orders likewise, in their order; no orders are no message.
std::vector<Orders> CutToMessages(Orders orders);

// Cuts a whole report into parts of at most about 1 MiB. At least one; only the last is `last` and
// brings the segments.
std::vector<Report> CutToMessages(Report report);

// The protocol version that both sides speak; failed_precondition names the side that is too old.
Result<uint32_t> ChooseVersion(uint32_t peer_oldest, uint32_t peer_newest,
                               std::string_view peer_name);

}  // namespace kvstore

#endif  // KVSTORE_PROTO_CODEC_H_
