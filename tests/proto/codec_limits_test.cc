// Every limit of verbs and their answers, from both sides: the last value that is taken, and the
// first that is refused.

#include <gtest/gtest.h>

#include "kvstore/v1/kvstore.pb.h"
#include "proto/codec.h"
#include "proto/limits.h"

namespace kvstore {
namespace {

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

// Of a commit.
void AddPiece(uint64_t offset, uint64_t length, v1::VerbRequest* request) {
  v1::GrantPieces* const pieces = request->mutable_commit_put()->mutable_pieces();
  pieces->add_grants(1);
  pieces->add_offsets(offset);
  pieces->add_lengths(length);
  pieces->add_terms(1);
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
  AddPiece(0, 0, &commit);
  ExpectRefused(commit, "a piece of a grant has bytes");
  commit.mutable_commit_put()->mutable_pieces()->set_lengths(0, 1);
  ExpectRefused(commit, "a batch of 0 items has 1 sequences");
  *commit.mutable_commit_put()->mutable_put() = PutOf(1).start_put();
  ExpectTaken(commit);
  commit.mutable_commit_put()->mutable_pieces()->add_terms(1);
  ExpectRefused(commit, "2 terms");
  commit.mutable_commit_put()->clear_pieces();
  commit.mutable_commit_put()->mutable_pieces();
  ExpectRefused(commit, "0 pieces of grants");
  AddPiece(0, 1, &commit);
  AddPiece(1, 1, &commit);
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

TEST(CodecLimits, PositionsAreNoneOrOnePerKey) {
  v1::VerbRequest put = PutOf(2);
  put.mutable_start_put()->add_positions(1);
  ExpectRefused(put, "a batch of 2 items has 1 positions");
  put.mutable_start_put()->add_positions(~uint32_t{0});
  ExpectTaken(put);
  put.mutable_start_put()->add_positions(1);
  ExpectRefused(put, "a batch of 2 items has 3 positions");
  put.mutable_start_put()->clear_positions();
  put.mutable_start_put()->add_instead_of(1);
  ExpectRefused(put, "a batch of 2 items has 1 puts to be given up");
}

TEST(CodecLimits, GroupsAreAtMost255BytesOfAnyValue) {
  v1::VerbRequest put = PutOf(1);
  put.mutable_start_put()->mutable_retention()->set_group(std::string(255, '\xff'));
  ExpectTaken(put);
  put.mutable_start_put()->mutable_retention()->set_group(std::string(256, 'g'));
  ExpectRefused(put, "a group's name in bytes is 256; at most 255");
  v1::VerbReplyMessage stat;
  stat.mutable_stats()->add_stats()->mutable_retention()->set_group(std::string(256, 'g'));
  ExpectRefused(stat, "a group's name in bytes is 256");
}

TEST(CodecLimits, PinsAndTtlsAreAtMostTenYears) {
  v1::VerbRequest put = PutOf(1);
  v1::Retention* retention = put.mutable_start_put()->mutable_retention();
  retention->set_soft_pin_us(kTenYearsUs);
  retention->set_ttl_us(kTenYearsUs);
  ExpectTaken(put);
  retention->set_ttl_us(kTenYearsUs + 1);
  ExpectRefused(put, "a TTL");
  retention->set_soft_pin_us(kTenYearsUs + 1);
  ExpectRefused(put, "a soft pin");
  v1::VerbRequest pin;
  pin.mutable_pin()->set_soft_us(kTenYearsUs);
  ExpectTaken(pin);
  pin.mutable_pin()->set_soft_us(kTenYearsUs + 1);
  ExpectRefused(pin, "a soft pin");
}

TEST(CodecLimits, PinsNameKeysLikeOtherVerbs) {
  v1::VerbRequest pin;
  pin.mutable_pin()->mutable_keys()->set_packed(std::string(1025, 'k'));
  pin.mutable_pin()->mutable_keys()->add_lengths(1025);
  ExpectRefused(pin, "a key of 1025 bytes");
  pin.mutable_pin()->mutable_keys()->mutable_lengths()->Resize(4097, 1);
  ExpectRefused(pin, "items of a batch is 4097");
}

TEST(CodecLimits, PrefixesAreAtMost1024BytesOfAnyValue) {
  v1::VerbRequest remove;
  remove.mutable_remove_matching();
  ExpectTaken(remove);
  remove.mutable_remove_matching()->set_prefix(std::string(1024, '\xff'));
  ExpectTaken(remove);
  remove.mutable_remove_matching()->set_prefix(std::string(1025, 'p'));
  ExpectRefused(remove, "a prefix in bytes is 1025; at most 1024");
}

TEST(CodecLimits, FailuresAreOfAtMost4096Segments) {
  v1::VerbRequest failures;
  for (int i = 0; i < 4096; ++i) failures.mutable_report_failures()->add_segments();
  ExpectTaken(failures);
  failures.mutable_report_failures()->add_segments();
  ExpectRefused(failures, "items of a batch is 4097");
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
  AddPiece(~uint64_t{0}, 1, &commit);
  ExpectRefused(commit, "the offset of a piece");
  commit.mutable_commit_put()->mutable_pieces()->set_offsets(0, kExtent);
  ExpectRefused(commit, "the length of a piece");
}

TEST(CodecLimits, RepliesHaveAtMost8ReplicasOf64Ranges) {
  ExpectTaken(Located(8, 64));
  ExpectRefused(Located(9, 1), "the number of replicas is 9");
  ExpectRefused(Located(1, 65), "ranges of a replica is 65");
  ExpectRefused(Located(1, 0), "without ranges");
}

TEST(CodecLimits, WhatIsFoundAlikeIsAsLongInEachColumnAndOfSaneRanges) {
  v1::VerbReplyMessage reply;
  v1::Found* const found = reply.mutable_located()->mutable_found();
  found->add_indices(4095);
  ExpectRefused(reply, "1 items has 0 sequences");
  found->add_sequences(1);
  found->add_sizes(kExtent);
  found->add_checksums(1);
  found->add_offsets(0);
  found->add_lengths(1);
  ExpectRefused(reply, "the runs of a list have 0 items");
  found->add_runs()->set_items(1);
  ExpectTaken(reply);
  found->add_runs()->set_items(~uint32_t{0});
  ExpectRefused(reply, "the runs of a list have 4294967296 items");
  found->mutable_runs()->RemoveLast();
  found->set_offsets(0, kExtent);
  ExpectRefused(reply, "the length of a range");
  found->set_offsets(0, kExtent + 1);
  ExpectRefused(reply, "the offset of a range");
  found->set_offsets(0, 0);
  found->set_lengths(0, 0);
  ExpectRefused(reply, "length 0");
  found->set_lengths(0, 1);
  found->set_sizes(0, kExtent + 1);
  ExpectRefused(reply, "the size of an object");
  found->set_sizes(0, 1);
  found->set_indices(0, 4096);
  ExpectRefused(reply, "the index of an item");
  found->set_indices(0, 0);
  found->mutable_runs(0)->set_lease_us(kTenYearsUs + 1);
  ExpectRefused(reply, "a lease");
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
  reply.mutable_counts()->add_counts()->set_index(4095);
  ExpectTaken(reply);
  reply.mutable_counts()->mutable_counts(0)->set_index(4096);
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

}  // namespace
}  // namespace kvstore
