// Every limit of what is said in a session, from both sides: the last value that is taken, and the
// first that is refused.

#include <gtest/gtest.h>

#include "kvstore/v1/kvstore.pb.h"
#include "proto/codec.h"
#include "proto/limits.h"

namespace kvstore {
namespace {

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

v1::Note NoteOf(const std::string& key) {
  v1::Note note;
  note.set_key(key);
  note.add_ranges()->set_length(4096);
  return note;
}

v1::Orders Noting(const v1::Note& note) {
  v1::Orders orders;
  *orders.add_orders()->mutable_note() = note;
  return orders;
}

v1::Report Reporting(const v1::Note& note) {
  v1::Report report;
  *report.add_notes() = note;
  return report;
}

// Notes come as orders and in reports.
void ExpectNoteTaken(const v1::Note& note) {
  ExpectTaken(Noting(note));
  ExpectTaken(Reporting(note));
}

void ExpectNoteRefused(const v1::Note& note, const std::string& words) {
  ExpectRefused(Noting(note), words);
  ExpectRefused(Reporting(note), words);
}

void GrantsOf(int items, v1::Grants* grants) {
  grants->Clear();
  for (int i = 0; i < items; ++i) grants->add_sequences(1);
  grants->add_runs()->set_items(static_cast<uint32_t>(items));
}

void NotesOf(int items, v1::Notes* notes) {
  GrantsOf(items, notes->mutable_grants());
  for (int i = 0; i < items; ++i) {
    notes->mutable_keys()->mutable_packed()->push_back('k');
    notes->mutable_keys()->add_lengths(1);
    notes->add_sizes(1);
    notes->add_checksums(1);
    notes->add_offsets(0);
    notes->add_lengths(4096);
    notes->add_versions(1);
  }
}

void RetiredOf(int items, v1::Acks* acks) {
  GrantsOf(items, acks->mutable_retired()->mutable_grants());
  acks->mutable_retired()->mutable_free()->Resize(items, true);
}

void NotedOf(int items, v1::Acks* acks) {
  GrantsOf(items, acks->mutable_noted()->mutable_grants());
  acks->mutable_noted()->mutable_versions()->Resize(items, 1);
}

v1::Report Holding(uint64_t sequence) {
  v1::Report report;
  report.add_held()->set_sequence(sequence);
  report.mutable_held(0)->add_ranges()->set_length(4096);
  return report;
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
  orders.mutable_orders(0)->mutable_release()->set_limit(kExtent);
  ExpectTaken(orders);
  orders.mutable_orders(0)->mutable_release()->set_limit(kExtent + 1);
  ExpectRefused(orders, "the limit of a segment's pages");
  orders.mutable_orders(0)->mutable_leave();
  ExpectTaken(orders);
  for (int i = 0; i < 65'536; ++i) orders.add_orders();
  ExpectRefused(orders, "the number of orders is 65537");
}

TEST(CodecLimits, NotesAreOfKeysOfOneTo1024Bytes) {
  ExpectNoteTaken(NoteOf("\xff"));
  ExpectNoteTaken(NoteOf(std::string(1024, '\0')));
  ExpectNoteRefused(NoteOf(""), "a key of 0 bytes");
  ExpectNoteRefused(NoteOf(std::string(1025, 'k')), "a key of 1025 bytes");
}

TEST(CodecLimits, NotesAreOfObjectsThatCanBe) {
  v1::Note note = NoteOf("key");
  note.set_size(kExtent);
  note.set_replicas(8);
  ExpectNoteTaken(note);
  note.set_size(kExtent + 1);
  ExpectNoteRefused(note, "the size of an object");
  note = NoteOf("key");
  note.set_replicas(9);
  ExpectNoteRefused(note, "the number of replicas is 9");
  note = NoteOf("key");
  note.clear_ranges();
  ExpectNoteRefused(note, "without ranges");
  note = NoteOf("key");
  note.mutable_ranges(0)->set_offset(kExtent);
  ExpectNoteRefused(note, "the length of a range");
  note = NoteOf("key");
  for (int i = 0; i < 64; ++i) note.add_ranges()->set_length(1);
  ExpectNoteRefused(note, "ranges of a replica is 65");
}

TEST(CodecLimits, NotesSayHowLongTheyAreKeptWithinBounds) {
  v1::Note note = NoteOf("key");
  note.mutable_retention()->set_group(std::string(255, 'g'));
  note.mutable_retention()->set_ttl_us(kTenYearsUs);
  ExpectNoteTaken(note);
  note.mutable_retention()->set_ttl_us(kTenYearsUs + 1);
  ExpectNoteRefused(note, "a TTL");
  note.mutable_retention()->clear_ttl_us();
  note.mutable_retention()->set_soft_pin_us(kTenYearsUs + 1);
  ExpectNoteRefused(note, "a soft pin");
  note.mutable_retention()->clear_soft_pin_us();
  note.mutable_retention()->set_group(std::string(256, 'g'));
  ExpectNoteRefused(note, "a group's name");
}

TEST(CodecLimits, ANoteWithoutAReplicaCountIsOfOne) {
  const Result<Orders> orders = Decode(Noting(NoteOf("key")));
  ASSERT_TRUE(orders.ok()) << orders.status();
  EXPECT_EQ(std::get<NoteOrder>(orders->orders.at(0)).replicas, 1U);
}

TEST(CodecLimits, CopiesAreFromRangesToRanges) {
  v1::Orders orders;
  v1::Copy* copy = orders.add_orders()->mutable_copy();
  copy->set_size(kExtent);
  copy->add_ranges()->set_length(4096);
  ExpectRefused(orders, "without ranges");
  copy->mutable_from()->add_ranges()->set_length(4096);
  ExpectTaken(orders);
  copy->set_size(kExtent + 1);
  ExpectRefused(orders, "the size of an object");
  copy->set_size(1);
  copy->mutable_from()->mutable_ranges(0)->set_length(0);
  ExpectRefused(orders, "length 0");
  copy->mutable_from()->mutable_ranges(0)->set_length(1);
  copy->clear_ranges();
  ExpectRefused(orders, "without ranges");
}

TEST(CodecLimits, OrdersNameAtMost4096Peers) {
  v1::Orders orders;
  for (int i = 0; i < 4096; ++i) orders.add_peers()->mutable_incarnation()->set_low(1);
  ExpectTaken(orders);
  orders.add_peers()->mutable_incarnation()->set_low(1);
  ExpectRefused(orders, "the number of peers of a message is 4097");
}

TEST(CodecLimits, ListsByColumnAreOfTheirRuns) {
  v1::Orders orders;
  v1::Notes* const notes = orders.add_orders()->mutable_notes();
  notes->mutable_grants()->add_sequences(1);
  ExpectRefused(orders, "1 items has 0 keys");
  notes->mutable_keys()->set_packed("k");
  notes->mutable_keys()->add_lengths(1);
  notes->add_sizes(kExtent);
  notes->add_checksums(1);
  notes->add_offsets(0);
  notes->add_lengths(4096);
  ExpectRefused(orders, "1 items has 0 versions");
  notes->add_versions(1);
  ExpectRefused(orders, "the runs of a list have 0 items, and 1 are there");
  notes->mutable_grants()->add_runs()->set_items(1);
  ExpectTaken(orders);
  notes->set_offsets(0, kExtent);
  ExpectRefused(orders, "the length of a range");
  notes->set_offsets(0, 0);
  notes->set_sizes(0, kExtent + 1);
  ExpectRefused(orders, "the size of an object");
  notes->set_sizes(0, 0);
  notes->mutable_keys()->set_packed("kk");
  ExpectRefused(orders, "the lengths of the keys add up");
  v1::Acks acks;
  GrantsOf(2, acks.mutable_noted()->mutable_grants());
  acks.mutable_noted()->add_versions(1);
  ExpectRefused(acks, "2 items has 1 versions");
  acks.mutable_noted()->add_versions(1);
  acks.mutable_noted()->add_refused(1);
  ExpectTaken(acks);
  acks.mutable_noted()->add_refused(2);
  ExpectRefused(acks, "ack 2 is refused, and 2 are there");
  v1::Acks retired;
  GrantsOf(1, retired.mutable_retired()->mutable_grants());
  ExpectRefused(retired, "1 items has 0 stages");
}

TEST(CodecLimits, ManyNotesInFewOrdersAreManyOrders) {
  v1::Orders orders;
  for (int i = 0; i < 16; ++i) NotesOf(4096, orders.add_orders()->mutable_notes());
  ExpectTaken(orders);
  NotesOf(1, orders.add_orders()->mutable_notes());
  ExpectRefused(orders, "the number of orders is 65537");
  v1::Orders many;
  NotesOf(4097, many.add_orders()->mutable_notes());
  ExpectRefused(many, "the number of items of a batch is 4097");
}

TEST(CodecLimits, AcksAreBounded) {
  v1::Acks ready;
  ready.add_ready()->set_problem(std::string(1025, 'p'));
  ExpectRefused(ready, "a problem");
  ready.mutable_ready(0)->set_limit(kExtent + 1);
  ExpectRefused(ready, "the limit");
  v1::Acks copied;
  copied.add_copied()->mutable_outcome()->set_code(5);
  copied.mutable_copied(0)->mutable_outcome()->set_message(std::string(1024, 'p'));
  ExpectTaken(copied);
  copied.mutable_copied(0)->mutable_outcome()->set_message(std::string(1025, 'p'));
  ExpectRefused(copied, "a problem");
  v1::Acks released;
  released.add_released()->set_limit(kExtent);
  ExpectTaken(released);
  released.mutable_released(0)->set_limit(kExtent + 1);
  ExpectRefused(released, "the limit");
}

TEST(CodecLimits, EveryListOfAcksIsBounded) {
  v1::Acks noted;
  v1::Acks copied;
  v1::Acks released;
  v1::Acks ready;
  v1::Acks retired;
  RetiredOf(65'536, &retired);
  NotedOf(65'536, &noted);
  for (int i = 0; i < 65'536; ++i) {
    copied.add_copied();
    released.add_released();
    ready.add_ready();
  }
  for (const v1::Acks& acks : {retired, noted, copied, released, ready}) ExpectTaken(acks);
  RetiredOf(65'537, &retired);
  NotedOf(65'537, &noted);
  copied.add_copied();
  released.add_released();
  ready.add_ready();
  for (const v1::Acks& acks : {retired, noted, copied, released, ready}) {
    ExpectRefused(acks, "the number of acks is 65537");
  }
}

TEST(CodecLimits, HeldMemoryHasSequencesOfItsOwn) {
  ExpectTaken(Holding(kFirstHeldSequence));
  ExpectTaken(Holding(~uint64_t{0}));
  ExpectRefused(Holding(kFirstHeldSequence - 1), "held memory of sequence 9223372036854775807");
  v1::Report report = Holding(kFirstHeldSequence);
  report.mutable_held(0)->clear_ranges();
  ExpectRefused(report, "without ranges");
}

TEST(CodecLimits, ReportsAreBounded) {
  v1::Report notes;
  for (int i = 0; i < 65'536; ++i) *notes.add_notes() = NoteOf("k");
  ExpectTaken(notes);
  *notes.add_notes() = NoteOf("k");
  ExpectRefused(notes, "notes of a report is 65537");
  v1::Report held;
  for (int i = 0; i < 65'536; ++i) *held.add_held() = Holding(kFirstHeldSequence).held(0);
  ExpectTaken(held);
  held.add_held();
  ExpectRefused(held, "held pieces of a report is 65537");
}

TEST(CodecLimits, SegmentsAreInTheLastPartOfAReport) {
  v1::Report report;
  *report.add_segments() = NodeWithSegment(8192, 4096, 0).segments(0);
  ExpectRefused(report, "not the last");
  report.set_last(true);
  ExpectTaken(report);
}

// As a hello does.
TEST(CodecLimits, ReportsAndLendsCheckTheirSegments) {
  v1::Report report;
  report.set_last(true);
  *report.add_segments() = NodeWithSegment(8191, 4096, 0).segments(0);
  ExpectRefused(report, "segment 3 has a granule of 4096");
  v1::Lend lend;
  *lend.add_segments() = NodeWithSegment(8192, 4096, 8192).segments(0);
  ExpectTaken(lend);
  *lend.add_segments() = lend.segments(0);
  ExpectRefused(lend, "segment 3 is named twice");
  lend.mutable_segments()->Clear();
  for (int i = 0; i < 65; ++i) lend.add_segments();
  ExpectRefused(lend, "lent segments is 65");
}

TEST(CodecLimits, TalliesNameEightWays) {
  v1::Tally tally;
  tally.mutable_bytes_by_way()->Resize(8, ~uint64_t{0});
  ExpectTaken(tally);
  tally.add_bytes_by_way(0);
  ExpectRefused(tally, "ways of a tally is 9");
}

}  // namespace
}  // namespace kvstore
