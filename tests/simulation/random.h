#ifndef KVSTORE_TESTS_SIMULATION_RANDOM_H_
#define KVSTORE_TESTS_SIMULATION_RANDOM_H_

#include <cstddef>
#include <cstdint>

#include "kvstore/clock.h"

namespace kvstore::simulation {

// The run's only source of chance: splitmix64, since the standard's distributions may differ from
// library to library and a seed has to mean the same run everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 0x853c49e6748fea9bULL) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // 0 to n - 1; n is not 0.
  uint64_t Below(uint64_t n) { return Next() % n; }
  // Both ends included.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  Duration Between(Duration low, Duration high) {
    return low + Duration(Below(static_cast<uint64_t>((high - low).count()) + 1));
  }
  bool Chance(double probability) {
    return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability;
  }

 private:
  uint64_t state_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_RANDOM_H_
