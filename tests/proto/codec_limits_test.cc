// Every limit of the contract, from both sides: the last value that is taken, and the first that is
// refused.

#include <gtest/gtest.h>

#include <functional>

#include "kvstore/v1/kvstore.pb.h"
#include "proto/codec.h"

namespace kvstore {
namespace {

constexpr uint64_t kExtent = uint64_t{1} << 44;
constexpr uint64_t kTenYearsUs = uint64_t{3650} * 24 * 3600 * 1'000'000;

template <typename Message>
void ExpectTaken(Message message) {
  const auto decoded = Decode(std::move(message));
  EXPECT_TRUE(decoded.ok()) << decoded.status();
}

// Refused, with these words in its message.
template <typename Message>
void ExpectRefused(Message message, const std::string& words) {
  const Status status = Decode(std::move(message)).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find(words), std::string::npos)
      << "'" << status.message() << "' says nothing of '" << words << "'";
}

v1::VerbRequest Keyed(const std::string& packed, const std::vector<uint32_t>& lengths) {
  v1::VerbRequest request;
  request.mutable_exists()->mutable_keys()->set_packed(packed);
  for (uint32_t length : lengths) request.mutable_exists()->mutable_keys()->add_lengths(length);
  return request;
}

v1::VerbRequest PutOf(size_t items) {
  v1::VerbRequest request;
  v1::StartPut* put = request.mutable_start_put();
  put->mutable_keys()->set_packed(std::string(items, 'k'));
  for (size_t i = 0; i < items; ++i) {
    put->mutable_keys()->add_lengths(1);
    put->add_sequences(i);
    put->add_sizes(1);
  }
  return request;
}

v1::Hello NodeWithSegment(uint64_t size, uint64_t granule, uint64_t ready) {
  v1::Hello hello;
  hello.mutable_self()->mutable_incarnation()->set_low(1);
  v1::LentSegment* segment = hello.add_segments();
  segment->set_index(3);
  segment->set_size(size);
  segment->set_granule(granule);
  segment->set_ready(ready);
  return hello;
}

v1::VerbReplyMessage Located(int replicas, int ranges) {
  v1::VerbReplyMessage reply;
  v1::Location* location = reply.mutable_located()->add_locations();
  for (int i = 0; i < replicas; ++i) {
    v1::Replica* replica = location->add_replicas();
    for (int r = 0; r < ranges; ++r) replica->add_ranges()->set_length(4096);
  }
  return reply;
}

TEST(CodecLimits, KeysAreOneTo1024Bytes) {
  ExpectTaken(Keyed(std::string(1025, '\0'), {1, 1024}));
  ExpectRefused(Keyed("", {0}), "a key of 0 bytes");
  ExpectRefused(Keyed(std::string(1025, 'k'), {1025}), "a key of 1025 bytes");
  ExpectRefused(Keyed("kkk", {4294967295U, 4}), "a key of 4294967295 bytes");
}

TEST(CodecLimits, LengthsOfKeysAddUpToTheKeys) {
  ExpectRefused(Keyed("abc", {1, 1}), "add up to 2");
  ExpectRefused(Keyed("abc", {2, 2}), "add up to 4");
  ExpectRefused(Keyed("abc", {}), "add up to 0");
}

TEST(CodecLimits, BatchesHave4096Items) {
  ExpectTaken(PutOf(4096));
  ExpectRefused(PutOf(4097), "items of a batch is 4097");
  ExpectTaken(Keyed(std::string(4096, 'k'), std::vector<uint32_t>(4096, 1)));
  ExpectRefused(Keyed(std::string(4097, 'k'), std::vector<uint32_t>(4097, 1)), "4097");
  v1::VerbRequest abort;
  abort.mutable_abort_put()->mutable_sequences()->Resize(4096, 0);
  ExpectTaken(abort);
  abort.mutable_abort_put()->add_sequences(1);
  ExpectRefused(abort, "4097");
  v1::VerbRequest note;
  for (int i = 0; i < 4096; ++i) note.mutable_note_reads()->add_puts();
  ExpectTaken(note);
  note.mutable_note_reads()->add_puts();
  ExpectRefused(note, "items of a batch is 4097");
  v1::VerbRequest commit;
  commit.mutable_commit_put()->mutable_sequences()->Resize(4097, 0);
  commit.mutable_commit_put()->mutable_checksums()->Resize(4097, 0);
  ExpectRefused(commit, "4097");
}

TEST(CodecLimits, EveryListHasOneEntryPerItem) {
  v1::VerbRequest put = PutOf(3);
  put.mutable_start_put()->add_sequences(9);
  ExpectRefused(put, "a batch of 3 items has 4 sequences");
  put = PutOf(3);
  put.mutable_start_put()->mutable_sizes()->RemoveLast();
  ExpectRefused(put, "a batch of 3 items has 2 sizes");
  v1::VerbRequest commit;
  commit.mutable_commit_put()->add_sequences(1);
  ExpectRefused(commit, "0 checksums");
  commit.mutable_commit_put()->add_checksums(1);
  ExpectTaken(commit);
  commit.mutable_commit_put()->add_pieces();
  ExpectTaken(commit);
  commit.mutable_commit_put()->add_pieces();
  ExpectRefused(commit, "2 pieces of grants");
}

TEST(CodecLimits, ObjectsAreAtMost16TiB) {
  v1::VerbRequest put = PutOf(1);
  put.mutable_start_put()->set_sizes(0, kExtent);
  ExpectTaken(put);
  put.mutable_start_put()->set_sizes(0, kExtent + 1);
  ExpectRefused(put, "the size of an object in bytes is 17592186044417");
  put.mutable_start_put()->set_sizes(0, ~uint64_t{0});
  ExpectRefused(put, "the size of an object");
}

TEST(CodecLimits, PutsHaveOneToEightReplicas) {
  v1::VerbRequest put = PutOf(1);
  const Result<VerbRequest> absent = Decode(v1::VerbRequest(put));
  ASSERT_TRUE(absent.ok()) << absent.status();
  EXPECT_EQ(std::get<StartPut>(absent->verb).replicas, 1U);
  put.mutable_start_put()->set_replicas(8);
  ExpectTaken(put);
  put.mutable_start_put()->set_replicas(9);
  ExpectRefused(put, "the number of replicas is 9; at most 8");
}

TEST(CodecLimits, PlacementIsOneOfThree) {
  v1::VerbRequest put = PutOf(1);
  put.mutable_start_put()->set_placement(static_cast<v1::PlacementPolicy>(3));
  ExpectRefused(put, "placement 3");
}

TEST(CodecLimits, PreferredNodesAreFewAndShort) {
  v1::VerbRequest put = PutOf(1);
  for (int i = 0; i < 64; ++i) put.mutable_start_put()->add_preferred_nodes(std::string(255, 'n'));
  ExpectTaken(put);
  put.mutable_start_put()->add_preferred_nodes("n");
  ExpectRefused(put, "preferred nodes is 65");
  put = PutOf(1);
  put.mutable_start_put()->add_preferred_nodes(std::string(256, 'n'));
  ExpectRefused(put, "256");
}

TEST(CodecLimits, PatienceIsAtMostTenYears) {
  v1::VerbRequest request = Keyed("k", {1});
  request.set_patience_us(kTenYearsUs);
  ExpectTaken(request);
  request.set_patience_us(kTenYearsUs + 1);
  ExpectRefused(request, "the patience");
  request.set_patience_us(~uint64_t{0});
  ExpectRefused(request, "the patience");
}

TEST(CodecLimits, RequestsHaveAVerb) { ExpectRefused(v1::VerbRequest(), "without a verb"); }

TEST(CodecLimits, PiecesOfGrantsDoNotOverflow) {
  v1::VerbRequest commit;
  commit.mutable_commit_put()->add_sequences(1);
  commit.mutable_commit_put()->add_checksums(1);
  v1::GrantPiece* piece = commit.mutable_commit_put()->add_pieces();
  piece->set_length(1);
  piece->set_offset(~uint64_t{0});
  ExpectRefused(commit, "the offset of a piece");
  piece->set_offset(kExtent);
  ExpectRefused(commit, "the length of a piece");
}

TEST(CodecLimits, SegmentsAreWholeGranulesThatArePowersOfTwo) {
  ExpectTaken(NodeWithSegment(8192, 4096, 8192));
  ExpectTaken(NodeWithSegment(kExtent, 1 << 30, 0));
  ExpectRefused(NodeWithSegment(8191, 4096, 0), "segment 3 has a granule of 4096");
  ExpectRefused(NodeWithSegment(8192, 0, 0), "segment 3 has a granule of 0");
  ExpectRefused(NodeWithSegment(8192, 2048, 0), "segment 3 has a granule of 2048");
  ExpectRefused(NodeWithSegment(12288, 12288, 0), "powers of two");
  ExpectRefused(NodeWithSegment(uint64_t{2} << 30, uint64_t{2} << 30, 0), "1 GiB");
  ExpectRefused(NodeWithSegment(8192, 4096, 8193), "the ready part of segment 3");
  ExpectRefused(NodeWithSegment(2 * kExtent, 4096, 0), "the size of segment 3");
}

TEST(CodecLimits, NodesLend64DifferentSegments) {
  v1::Hello hello = NodeWithSegment(4096, 4096, 0);
  *hello.add_segments() = hello.segments(0);
  ExpectRefused(hello, "segment 3 is named twice");
  hello.clear_segments();
  for (uint32_t i = 0; i < 64; ++i) {
    *hello.add_segments() = NodeWithSegment(4096, 4096, 0).segments(0);
    hello.mutable_segments()->rbegin()->set_index(i);
  }
  ExpectTaken(hello);
  hello.add_segments();
  ExpectRefused(hello, "lent segments is 65");
}

TEST(CodecLimits, PeersHaveAnIncarnationAndShortNames) {
  v1::Hello hello;
  ExpectRefused(hello, "without an incarnation");
  v1::Peer* self = hello.mutable_self();
  self->mutable_incarnation()->set_high(1);
  self->set_name(std::string(255, 'n'));
  self->set_host(std::string(255, 'h'));
  self->set_transfer_descriptor(std::string(4096, 'd'));
  ExpectTaken(hello);
  self->set_name(std::string(256, 'n'));
  ExpectRefused(hello, "node's name in bytes is 256; at most 255");
  self->clear_name();
  self->set_host(std::string(256, 'h'));
  ExpectRefused(hello, "host's name");
  self->clear_host();
  self->set_transfer_descriptor(std::string(4097, 'd'));
  ExpectRefused(hello, "descriptor in bytes is 4097");
}

TEST(CodecLimits, WelcomesHaveATerm) {
  ExpectRefused(v1::Welcome(), "term 0");
  v1::Welcome welcome;
  welcome.set_term(1);
  welcome.set_suspect_after_us(kTenYearsUs + 1);
  ExpectRefused(welcome, "the suspicion time");
}

TEST(CodecLimits, RepliesHaveAtMost8ReplicasOf64Ranges) {
  ExpectTaken(Located(8, 64));
  ExpectRefused(Located(9, 1), "the number of replicas is 9");
  ExpectRefused(Located(1, 65), "ranges of a replica is 65");
  ExpectRefused(Located(1, 0), "without ranges");
}

TEST(CodecLimits, RangesAreNotEmptyAndDoNotOverflow) {
  v1::VerbReplyMessage reply = Located(1, 1);
  v1::Range* range =
      reply.mutable_located()->mutable_locations(0)->mutable_replicas(0)->mutable_ranges(0);
  range->set_offset(kExtent - 4096);
  ExpectTaken(reply);
  range->set_offset(kExtent - 4095);
  ExpectRefused(reply, "the length of a range");
  range->set_offset(~uint64_t{0});
  ExpectRefused(reply, "the offset of a range");
  range->set_length(0);
  ExpectRefused(reply, "length 0");
}

TEST(CodecLimits, IndicesOfAnswersAreBelow4096) {
  v1::VerbReplyMessage reply;
  ExpectRefused(reply, "without answers");
  reply.mutable_items()->add_ok(4095);
  ExpectTaken(reply);
  reply.mutable_items()->add_ok(4096);
  ExpectRefused(reply, "the index of an item is 4096");
  reply.mutable_items()->clear_ok();
  reply.mutable_items()->add_others()->set_index(4096);
  ExpectRefused(reply, "the index of an item is 4096");
}

TEST(CodecLimits, RepliesHaveAtMost4096AnswersAndPeers) {
  v1::VerbReplyMessage reply;
  reply.mutable_items()->mutable_ok()->Resize(4096, 0);
  ExpectTaken(reply);
  reply.mutable_items()->add_others();
  ExpectRefused(reply, "items of a batch is 4097");
  v1::VerbReplyMessage peers;
  peers.mutable_stats();
  for (int i = 0; i < 4097; ++i) peers.add_peers()->mutable_incarnation()->set_low(1);
  ExpectRefused(peers, "the number of peers of a message is 4097");
}

TEST(CodecLimits, OrdersAreKnownBoundedAndOfSaneRanges) {
  v1::Orders orders;
  orders.add_orders();
  ExpectRefused(orders, "an order that is not known here");
  orders.mutable_orders(0)->mutable_retire();
  ExpectRefused(orders, "without ranges");
  orders.mutable_orders(0)->mutable_prepare()->set_limit(kExtent);
  ExpectTaken(orders);
  orders.mutable_orders(0)->mutable_prepare()->set_limit(kExtent + 1);
  ExpectRefused(orders, "the limit of a segment's pages");
  for (int i = 0; i < 65'536; ++i) orders.add_orders();
  ExpectRefused(orders, "the number of orders is 65537");
}

TEST(CodecLimits, AcksAreBounded) {
  v1::Acks acks;
  for (int i = 0; i < 65'536; ++i) acks.add_retired();
  ExpectTaken(acks);
  acks.add_retired();
  ExpectRefused(acks, "the number of acks is 65537");
  v1::Acks ready;
  ready.add_ready()->set_problem(std::string(1025, 'p'));
  ExpectRefused(ready, "a problem");
  ready.mutable_ready(0)->set_limit(kExtent + 1);
  ExpectRefused(ready, "the limit");
}

}  // namespace
}  // namespace kvstore
