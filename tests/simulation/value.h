#ifndef KVSTORE_TESTS_SIMULATION_VALUE_H_
#define KVSTORE_TESTS_SIMULATION_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kvstore::simulation {

// Values describe themselves: each 16-byte cell names the value and the cell's place in it, so that
// whoever reads bytes knows which put every cell came from. Values shorter than a cell, other than
// empty ones, are not used, since they could not say it.
inline constexpr uint64_t kCellBytes = 16;

// Writes value `number` over all of `bytes`.
void FillWithValue(uint64_t number, std::span<std::byte> bytes);

struct Seen {
  uint64_t number = 0;  // of the value that the first cell names
  std::string problem;  // not empty: not all cells are that value's, in their places
};
// Of a whole value, or of the part that begins with that cell.
Seen ReadValue(std::span<const std::byte> bytes, uint64_t first_cell = 0);

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_VALUE_H_
