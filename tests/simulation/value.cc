#include "simulation/value.h"

#include <algorithm>
#include <cstring>

namespace kvstore::simulation {

namespace {

struct Cell {
  uint64_t number;
  uint32_t place;
  uint32_t mix;
};
static_assert(sizeof(Cell) == kCellBytes);

Cell MakeCell(uint64_t number, uint32_t place) {
  const uint64_t mixed = (number * 0x9e3779b97f4a7c15ULL) ^ (place * 0x94d049bb133111ebULL);
  return {number, place, static_cast<uint32_t>(mixed >> 32)};
}

}  // namespace

void FillWithValue(uint64_t number, std::span<std::byte> bytes) {
  for (uint32_t place = 0; place * kCellBytes < bytes.size(); ++place) {
    const Cell cell = MakeCell(number, place);
    const uint64_t at = place * kCellBytes;
    std::memcpy(bytes.data() + at, &cell, std::min(kCellBytes, bytes.size() - at));
  }
}

Seen ReadValue(std::span<const std::byte> bytes, uint64_t first_cell) {
  Seen seen;
  if (bytes.size() < kCellBytes) {
    seen.problem = bytes.empty() ? "" : "too short to name a value";
    return seen;
  }
  Cell first;
  std::memcpy(&first, bytes.data(), sizeof first);
  seen.number = first.number;
  for (uint32_t place = 0; place * kCellBytes < bytes.size(); ++place) {
    const Cell wanted = MakeCell(seen.number, static_cast<uint32_t>(first_cell + place));
    const uint64_t at = place * kCellBytes;
    const uint64_t n = std::min(kCellBytes, bytes.size() - at);
    if (std::memcmp(bytes.data() + at, &wanted, n) == 0) continue;
    Cell found{};
    std::memcpy(&found, bytes.data() + at, n);
    seen.problem = "cell " + std::to_string(first_cell + place) + " holds value " +
                   std::to_string(found.number) + " cell " + std::to_string(found.place) +
                   ", the first cell value " + std::to_string(seen.number);
    return seen;
  }
  return seen;
}

}  // namespace kvstore::simulation
