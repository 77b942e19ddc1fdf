// The nodes of a large pool, as they say hello and report: for tests in which all come at once.

#ifndef KVSTORE_TESTS_FAKES_LARGE_POOL_H_
#define KVSTORE_TESTS_FAKES_LARGE_POOL_H_

#include <cstdint>
#include <string>
#include <utility>

#include "proto/verbs.h"

namespace kvstore::large_pool {

constexpr uint64_t kNodes = 200;
constexpr uint64_t kNotesPerNode = 500;
constexpr uint64_t kGranule = 4096;

inline Hello HelloOf(uint64_t number) {
  Hello hello;
  hello.self = {{number, number}, "node-" + std::to_string(number), "host", "descriptor"};
  hello.counter = 1;
  const uint64_t bytes = 2 * kNotesPerNode * kGranule;
  hello.segments.push_back({0, bytes, kGranule, bytes});
  return hello;
}

// All of it, with every second granule noted.
inline Report ReportOf(uint64_t number, uint64_t term) {
  Report report;
  report.term = term;
  report.counter = 1;
  report.segments = HelloOf(number).segments;
  report.last = true;
  for (uint64_t i = 0; i < kNotesPerNode; ++i) {
    NoteOrder note;
    note.put = {{number, number}, i + 1};
    note.birth = 1;
    note.ranges = {{2 * i * kGranule, kGranule}};
    note.key = std::to_string(number) + "/" + std::to_string(i);
    note.size = kGranule;
    report.notes.push_back(std::move(note));
  }
  return report;
}

}  // namespace kvstore::large_pool

#endif  // KVSTORE_TESTS_FAKES_LARGE_POOL_H_
