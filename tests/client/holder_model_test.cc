// Random orders, accesses and repetitions against a model that knows owners instead of words.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "client/holder.h"

namespace kvstore::client {
namespace {

using transfer::Access;

constexpr uint64_t kGranule = 4096;
constexpr uint64_t kGranules = 8;

// A master that hands out granules and takes them back by the rules, a holder, and readers and
// writers with locations old and new. What the model claims: an access is allowed exactly while its
// put is not withdrawn, and memory is free exactly when nobody is in it.
class World {
 public:
  World() {
    holder_.AddSegment(0, kGranule * kGranules, kGranule, words_);
    holder_.EnterTerm(1);
  }

  void Grant() {
    std::vector<uint64_t> free;
    for (uint64_t i = 0; i < kGranules; ++i) {
      if (!owner_[i]) free.push_back(i);
    }
    if (free.empty()) return;
    Put put{.birth = holder_.counter(), .granules = {}, .withdrawn = false, .free = false};
    const auto count = *rc::gen::inRange<size_t>(1, free.size() + 1);
    for (size_t i = 0; i < count; ++i) {
      put.granules.push_back(free[i]);
      owner_[free[i]] = puts_.size();
    }
    puts_.push_back(put);
  }

  // Now, or once more: the network repeats, and the master asks again.
  void Retire() {
    if (puts_.empty()) return;
    const auto id = *rc::gen::inRange<size_t>(0, puts_.size());
    std::vector<RetireAck> acks;
    holder_.Retire(1, OrderOf(id), &acks);
    RC_ASSERT(!acks.empty());
    RC_ASSERT(acks[0].put.sequence == id);
    RC_ASSERT(acks[0].stage == RetireStage::kWithdrawn);
    puts_[id].withdrawn = true;
    acks.erase(acks.begin());
    RC_ASSERT(acks.size() == (Busy(id) ? 0u : 1u));
    Free(acks);
  }

  void Enter() {
    if (puts_.empty()) return;
    const auto id = *rc::gen::inRange<size_t>(0, puts_.size());
    const auto granule = *rc::gen::elementOf(puts_[id].granules);
    const Access kind = *rc::gen::element(Access::kRead, Access::kWrite);
    const bool allowed =
        holder_.Enter(0, kind, granule * kGranule, granule * kGranule, kGranule, puts_[id].birth);
    RC_ASSERT(allowed == !puts_[id].withdrawn);
    if (allowed) accesses_.push_back({id, granule, kind});
  }

  void Leave() {
    if (accesses_.empty()) return;
    const auto i = *rc::gen::inRange<size_t>(0, accesses_.size());
    const Running access = accesses_[i];
    RC_ASSERT(holder_.Stands(0, access.granule * kGranule, puts_[access.put].birth) ==
              !puts_[access.put].withdrawn);
    accesses_.erase(accesses_.begin() + static_cast<std::ptrdiff_t>(i));
    std::vector<RetireAck> acks;
    holder_.Leave(0, access.kind, access.granule * kGranule, access.granule * kGranule, kGranule,
                  puts_[access.put].birth, &acks);
    for (const RetireAck& ack : acks) RC_ASSERT(ack.stage == RetireStage::kFree);
    Free(acks);
    for (size_t id = 0; id < puts_.size(); ++id) {
      RC_ASSERT(!puts_[id].withdrawn || puts_[id].free || Busy(id));
    }
  }

 private:
  struct Put {
    uint64_t birth;
    std::vector<uint64_t> granules;
    bool withdrawn;
    bool free;
  };
  struct Running {
    size_t put;
    uint64_t granule;
    Access kind;
  };

  RetireOrder OrderOf(size_t id) const {
    RetireOrder order{.put = {{1, 1}, id}, .segment = 0, .birth = puts_[id].birth, .ranges = {}};
    for (const uint64_t granule : puts_[id].granules) {
      order.ranges.push_back({granule * kGranule, kGranule});
    }
    return order;
  }

  // Whether anybody is in the memory that this put had, whoever owns it now.
  bool Busy(size_t id) const {
    return std::any_of(accesses_.begin(), accesses_.end(), [&](const Running& access) {
      const auto& granules = puts_[id].granules;
      return std::find(granules.begin(), granules.end(), access.granule) != granules.end();
    });
  }

  void Free(const std::vector<RetireAck>& acks) {
    for (const RetireAck& ack : acks) {
      const size_t id = ack.put.sequence;
      RC_ASSERT(puts_[id].withdrawn);
      RC_ASSERT(!Busy(id));
      if (puts_[id].free) continue;  // said again
      puts_[id].free = true;
      for (const uint64_t granule : puts_[id].granules) {
        RC_ASSERT(owner_[granule] == id);
        owner_[granule].reset();
      }
    }
  }

  std::array<Word, kGranules> words_{};
  Holder holder_;
  std::vector<Put> puts_;
  std::array<std::optional<size_t>, kGranules> owner_;
  std::vector<Running> accesses_;
};

RC_GTEST_PROP(HolderModel, AccessesAreAllowedExactlyWhileTheirPutStands, ()) {
  World world;
  const auto steps =
      *rc::gen::scale(3, rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4)));
  for (const int step : steps) {
    switch (step) {
      case 0:
        world.Grant();
        break;
      case 1:
        world.Retire();
        break;
      case 2:
        world.Enter();
        break;
      default:
        world.Leave();
    }
  }
}

}  // namespace
}  // namespace kvstore::client
