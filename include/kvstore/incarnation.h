#ifndef KVSTORE_INCARNATION_H_
#define KVSTORE_INCARNATION_H_

#include <array>
#include <compare>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace kvstore {

// 128 random bits chosen when a node starts. A restarted node is another node, whatever its name,
// address or port. All zero means "none".
struct Incarnation {
  uint64_t high = 0;
  uint64_t low = 0;

  bool IsNone() const { return high == 0 && low == 0; }

  // 32 hexadecimal digits.
  std::string ToString() const {
    std::array<char, 33> text{};
    std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(high),
                  static_cast<unsigned long long>(low));
    return text.data();
  }

  friend auto operator<=>(const Incarnation&, const Incarnation&) = default;
};

}  // namespace kvstore

template <>
struct std::hash<kvstore::Incarnation> {
  size_t operator()(const kvstore::Incarnation& i) const noexcept {
    return static_cast<size_t>(i.high ^ (i.low * 0x9e3779b97f4a7c15ULL));  // the bits are random
  }
};

#endif  // KVSTORE_INCARNATION_H_
