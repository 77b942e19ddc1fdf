#include "client/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace kvstore::client {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

constexpr uint64_t kGranule = 4096;

TimePoint At(int second) { return TimePoint(seconds(second)); }

NoteOrder NoteOf(uint64_t sequence, uint64_t birth = 1) {
  NoteOrder note;
  note.put = {{7, 7}, sequence};
  note.segment = 3;
  note.birth = birth;
  note.ranges = {{sequence * kGranule, kGranule}};
  note.key = "key " + std::to_string(sequence);
  note.size = 100 + sequence;
  note.checksum = sequence * 31;
  note.version = 1;
  return note;
}

// All of it, whatever has become of its memory.
std::vector<NoteOrder> Tell(Manifest* manifest, TimePoint now) {
  Manifest::Told told =
      manifest->Tell(now, [](uint32_t, uint64_t, std::span<const Range>) { return true; });
  return told.Take(told.left());
}

NoteOrder WithoutVersion(NoteOrder note) {
  note.version = 0;
  return note;
}

TEST(ManifestTest, TellsAllThatANoteSays) {
  NoteOrder plain = NoteOf(1);
  plain.key = std::string("any\0bytes\xff", 10);
  NoteOrder scattered = NoteOf(2);
  scattered.ranges.push_back({9 * kGranule, 2 * kGranule});
  NoteOrder kept = NoteOf(3);
  kept.retention = {true, seconds(5), seconds(50), "group", 4};
  NoteOrder replacing = NoteOf(4);
  replacing.replaces = {{8, 8}, 2};
  NoteOrder odd = NoteOf(5);
  odd.key.clear();
  odd.ranges.clear();
  odd.size = 0;
  odd.replicas = 8;
  std::vector<NoteOrder> notes = {plain, scattered, kept, replacing, odd};
  Manifest manifest;
  for (const NoteOrder& note : notes) EXPECT_TRUE(manifest.Keep(note, At(1)));
  EXPECT_EQ(manifest.size(), notes.size());
  for (NoteOrder& note : notes) note.version = 0;
  EXPECT_THAT(Tell(&manifest, At(1)), UnorderedElementsAreArray(notes));
}

TEST(ManifestTest, DurationsAreWhatIsLeftAndWhatTheTtlOutlivedIsDropped) {
  NoteOrder note = NoteOf(1);
  note.retention.soft_pin = seconds(5);
  note.retention.ttl = seconds(10);
  Manifest manifest;
  manifest.Keep(note, At(1));
  manifest.Keep(NoteOf(2), At(1));
  note.retention.soft_pin = {};
  note.retention.ttl = seconds(1);
  EXPECT_THAT(Tell(&manifest, At(10)),
              ElementsAre(WithoutVersion(note), WithoutVersion(NoteOf(2))));
  EXPECT_THAT(Tell(&manifest, At(11)), ElementsAre(WithoutVersion(NoteOf(2))));
  EXPECT_EQ(manifest.size(), 1u);
}

TEST(ManifestTest, NamesTheRangesOfItsSegmentAlone) {
  Manifest manifest;
  manifest.Keep(NoteOf(1), At(1));
  manifest.Keep(NoteOf(2), At(1));
  NoteOrder elsewhere = NoteOf(5);
  elsewhere.segment = 4;
  manifest.Keep(elsewhere, At(1));
  const Manifest::Told told =
      manifest.Tell(At(1), [](uint32_t, uint64_t, std::span<const Range>) { return true; });
  EXPECT_THAT(told.Named(3).ranges(), ElementsAre(Range{kGranule, 2 * kGranule}));
  EXPECT_THAT(told.Named(4).ranges(), ElementsAre(Range{5 * kGranule, kGranule}));
  EXPECT_THAT(told.Named(5).ranges(), IsEmpty());
}

TEST(ManifestTest, TellsOfEachSegmentInTheOrderOfItsMemory) {
  Manifest manifest;
  std::vector<NoteOrder> notes;
  for (const auto& [segment, granule] : {std::pair(4, 2), {3, 9}, {4, 1}, {3, 8}, {3, 10}}) {
    NoteOrder note = NoteOf(100 - static_cast<uint64_t>(granule));
    note.segment = static_cast<uint32_t>(segment);
    note.ranges[0].offset = static_cast<uint64_t>(granule) * kGranule;
    manifest.Keep(note, At(1));
    notes.push_back(WithoutVersion(note));
  }
  EXPECT_THAT(Tell(&manifest, At(1)),
              ElementsAre(notes[3], notes[1], notes[4], notes[2], notes[0]));
}

TEST(ManifestTest, WhatIsToldIsOfOneMomentWhateverIsKeptOrDroppedMeanwhile) {
  Manifest manifest;
  std::vector<NoteOrder> notes;
  for (uint64_t i = 1; i <= 5; ++i) notes.push_back(NoteOf(i));
  notes[1].retention.group = "group";
  for (const NoteOrder& note : notes) manifest.Keep(note, At(1));
  for (NoteOrder& note : notes) note.version = 0;
  Manifest::Told told = manifest.Tell(
      At(1), [](uint32_t, uint64_t, std::span<const Range> of) { return of[0].offset > kGranule; });
  EXPECT_EQ(manifest.size(), 4u);
  EXPECT_THAT(told.Take(1), ElementsAre(notes[1]));
  for (const NoteOrder& note : notes) manifest.Drop(3, note.put, 1);
  manifest.Keep(NoteOf(4, 2), At(1));
  EXPECT_EQ(told.left(), 3u);
  EXPECT_THAT(told.Take(2), ElementsAre(notes[2], notes[3]));
  manifest.Clear();
  EXPECT_THAT(told.Take(9), ElementsAre(notes[4]));
  EXPECT_THAT(told.Take(9), IsEmpty());
}

// Any order of any notes leaves what the contract says, as a map of plain notes does.
TEST(ManifestTest, DoesWhatAMapOfPlainNotesWouldDo) {
  std::mt19937 random(1);
  const auto pick = [&](uint32_t below) { return static_cast<uint64_t>(random() % below); };
  Manifest manifest;
  std::map<std::pair<uint32_t, PutId>, NoteOrder> plain;
  for (int step = 0; step < 20'000; ++step) {
    NoteOrder note = NoteOf(1 + pick(200), 1 + pick(4));
    note.segment = static_cast<uint32_t>(pick(2));
    note.version = pick(5);
    if (pick(4) == 0) note.retention.group = "group";
    if (pick(4) == 0) note.ranges.push_back({pick(1000) * kGranule, kGranule});
    const auto name = std::pair(note.segment, note.put);
    const auto found = plain.find(name);
    switch (pick(40)) {
      case 0: {
        const uint64_t least = pick(3);
        manifest.Tell(At(1), [&](uint32_t segment, uint64_t birth, std::span<const Range> ranges) {
          return segment == 1 || birth >= least || ranges.size() > 1;
        });
        std::erase_if(plain, [&](const auto& entry) {
          return entry.first.first != 1 && entry.second.birth < least &&
                 entry.second.ranges.size() == 1;
        });
        for (auto& [of, order] : plain) order.version = 0;
        break;
      }
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        manifest.Drop(note.segment, note.put, note.birth);
        if (found != plain.end() && found->second.birth <= note.birth) plain.erase(found);
        break;
      default: {
        const bool newer = found != plain.end() && found->second.birth > note.birth;
        const bool same = found != plain.end() && found->second.birth == note.birth &&
                          found->second.version > note.version;
        EXPECT_EQ(manifest.Keep(note, At(1)), !newer);
        if (!newer && !same) plain[name] = note;
      }
    }
    ASSERT_EQ(manifest.size(), plain.size());
    if (step % 500 != 0) continue;
    std::vector<NoteOrder> expected;
    for (auto& [of, order] : plain) {
      order.version = 0;
      expected.push_back(order);
    }
    ASSERT_THAT(Tell(&manifest, At(1)), UnorderedElementsAreArray(expected));
  }
}

}  // namespace
}  // namespace kvstore::client
