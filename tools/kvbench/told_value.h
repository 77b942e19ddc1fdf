#ifndef KVSTORE_TOOLS_KVBENCH_TOLD_VALUE_H_
#define KVSTORE_TOOLS_KVBENCH_TOLD_VALUE_H_

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kvstore::bench {

// Values that tell which key and version each of their 16-byte cells belongs to, so that a reader
// can verify every byte without knowing what was put.

inline uint64_t KeyMark(std::string_view key) { return std::hash<std::string_view>()(key) | 1; }

inline constexpr size_t kCellBytes = 16;

// What the cell at that place of a key's value begins with: other for every place and version, so
// that no cell with a flipped bit tells anything.
inline uint64_t CellMark(uint64_t key_mark, uint64_t place) {
  uint64_t mixed = place + 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return key_mark ^ mixed ^ (mixed >> 31);
}

// `cells` cells of (the cell's mark, version and position), of which the first is the value's
// `first`.
inline std::string ToldValue(std::string_view key, uint32_t version, size_t cells,
                             size_t first = 0) {
  std::string value(cells * kCellBytes, '\0');
  const uint64_t mark = KeyMark(key);
  for (size_t i = 0; i < cells; ++i) {
    const uint64_t place = (static_cast<uint64_t>(version) << 32) | (first + i);
    const uint64_t cell_mark = CellMark(mark, place);
    std::memcpy(value.data() + i * kCellBytes, &cell_mark, 8);
    std::memcpy(value.data() + i * kCellBytes + 8, &place, 8);
  }
  return value;
}

// The version, if every cell of the value, or of the part of it that begins with its cell `first`,
// belongs to this key, this version and its place.
inline std::optional<uint32_t> VersionTold(std::string_view key, std::string_view value,
                                           size_t first = 0) {
  if (value.size() < kCellBytes || value.size() % kCellBytes != 0) return std::nullopt;
  uint64_t place = 0;
  std::memcpy(&place, value.data() + 8, 8);
  const auto version = static_cast<uint32_t>(place >> 32);
  if (value != ToldValue(key, version, value.size() / kCellBytes, first)) return std::nullopt;
  return version;
}

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_TOLD_VALUE_H_
