#ifndef KVSTORE_TESTS_TRANSFER_SHM_PEERS_H_
#define KVSTORE_TESTS_TRANSFER_SHM_PEERS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kvstore/shared_memory.h"
#include "kvstore/transfer.h"
#include "transfer/engine.h"

namespace kvstore::transfer {

inline TimePoint In(Duration duration) { return BootClock::now() + duration; }
inline TimePoint Soon() { return In(std::chrono::seconds(20)); }

// Asks again until it holds or 20 seconds are over.
inline bool Eventually(const std::function<bool()>& holds) {
  const TimePoint until = Soon();
  while (!holds()) {
    if (BootClock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// The guard of a shared region, whose words say what it would say. Thread-safe.
class WordsGuard final : public RegionGuard {
 public:
  bool Enter(Access, uint64_t, uint64_t, uint64_t, uint64_t) override { return true; }
  bool Stands(uint64_t, uint64_t) override { return true; }
  void Leave(Access, uint64_t, uint64_t, uint64_t, uint64_t) override {}
  void OthersLeft() override { ++left; }

  std::atomic<uint64_t> left = 0;
};

// A holder that shares memory, with or without a guard. Its engine ends before its memory.
class SharingHolder {
 public:
  static constexpr uint64_t kSize = 64 << 20;
  static constexpr uint64_t kGranule = 4096;

  explicit SharingHolder(const EngineOptions& options = {}, bool guarded = true,
                         const TransferGuards& guards = {}) {
    engine = CreateEngine(options, guards).value();
    region =
        engine
            ->Register(memory.base(), memory.size(),
                       {.remote = true, .guard = guarded ? &guard : nullptr, .shared = &memory})
            .value();
  }

  // All words become so much, as a holder's words do when memory changes hands.
  void Stamp(uint64_t word) {
    for (Word& each : memory.words()) each.store(word, std::memory_order_seq_cst);
  }
  std::vector<Stretch> Touched() const { return engine->TouchedByOthers(region); }
  void Fill(uint64_t offset, uint64_t length, unsigned char value) {
    std::fill_n(memory.base() + offset, length, std::byte{value});
  }
  bool IsFilled(uint64_t offset, uint64_t length, unsigned char value) const {
    return std::all_of(memory.base() + offset, memory.base() + offset + length,
                       [&](std::byte byte) { return byte == std::byte{value}; });
  }

  SharedMemory memory = SharedMemory::Create(kSize, kGranule).value();
  WordsGuard guard;
  std::unique_ptr<Engine> engine;
  RegionId region = 0;
};

// A client of it, whose copies a test can stop at each step.
class SharingClient {
 public:
  explicit SharingClient(const SharingHolder& holder, EngineOptions options = {},
                         TransferGuards guards = {})
      : region(holder.region) {
    guards.at_step = [this](ShmStep step) {
      if (at_step) at_step(step);
    };
    engine = CreateEngine(options, guards).value();
    peer = engine->Open(holder.engine->Descriptor()).value();
  }

  Copy MakeCopy(Access access, uint64_t offset, std::span<const Piece> pieces,
                uint64_t birth) const {
    return {.access = access,
            .peer = peer,
            .region = region,
            .offset = offset,
            .pieces = pieces,
            .guard = Guard{.first = 0, .birth = birth}};
  }
  Completion Run(Access access, uint64_t offset, std::vector<unsigned char>* bytes,
                 uint64_t birth = 5, TimePoint deadline = Soon()) const {
    const Piece piece{bytes->data(), bytes->size()};
    const Copy copy = MakeCopy(access, offset, std::span(&piece, 1), birth);
    return engine->Run(std::span(&copy, 1), deadline).at(0);
  }
  Result<std::unique_ptr<Mapping>> Map(Access access, uint64_t offset, uint64_t length,
                                       uint64_t birth = 5) const {
    return engine->Map({.access = access,
                        .peer = peer,
                        .region = region,
                        .offset = offset,
                        .length = length,
                        .guard = Guard{.first = 0, .birth = birth}},
                       Soon());
  }

  std::function<void(ShmStep)> at_step;
  std::unique_ptr<Engine> engine;
  PeerId peer = 0;
  RegionId region = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_SHM_PEERS_H_
