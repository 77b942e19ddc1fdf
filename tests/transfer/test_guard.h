#ifndef KVSTORE_TESTS_TRANSFER_TEST_GUARD_H_
#define KVSTORE_TESTS_TRANSFER_TEST_GUARD_H_

#include <atomic>
#include <cstdint>
#include <thread>

#include "kvstore/transfer.h"

namespace kvstore::transfer {

// A guard that a test holds in its hand: one word for the whole region. Thread-safe.
class TestGuard final : public RegionGuard {
 public:
  bool Enter(Access, uint64_t, uint64_t, uint64_t, uint64_t birth) override {
    while (!gate_open) std::this_thread::yield();
    if (word > birth) return false;
    ++inside;
    ++entered;
    return true;
  }
  bool Stands(uint64_t, uint64_t birth) override {
    const uint64_t asked = ++stands_asked;
    if (retire_at_question != 0 && asked >= retire_at_question) word = UINT64_MAX;
    return word <= birth;
  }
  void Leave(Access, uint64_t, uint64_t, uint64_t, uint64_t) override { --inside; }

  std::atomic<uint64_t> word = 0;                // greater than a birth: refused
  std::atomic<uint64_t> retire_at_question = 0;  // the so-many-th Stands finds it retired; 0: never
  std::atomic<bool> gate_open = true;            // shut: accesses wait before they enter
  std::atomic<int64_t> inside = 0;
  std::atomic<uint64_t> entered = 0;
  std::atomic<uint64_t> stands_asked = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_TEST_GUARD_H_
