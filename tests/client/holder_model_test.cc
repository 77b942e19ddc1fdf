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
// writers with locations old and new: some ask the holder, outsiders look at the word themselves.
// What the model claims: an access is allowed exactly while its put is not withdrawn, and memory is
// free exactly when nobody is in it.
class World : private Outsiders {
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

  // Some puts, now or once more: the network repeats, and the master asks again.
  void Retire() {
    if (puts_.empty()) return;
    const auto ids = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, puts_.size())));
    Orders orders{1, {}};
    for (const size_t id : ids) orders.orders.push_back(OrderOf(id));
    std::vector<RetireAck> acks;
    asked_ = 0;
    holder_.Retire(orders, &acks);
    RC_ASSERT(asked_ == 1);
    RC_ASSERT(acks.size() >= ids.size());
    size_t idle = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      RC_ASSERT(acks[i].put.sequence == ids[i]);
      RC_ASSERT(acks[i].stage == RetireStage::kWithdrawn);
      puts_[ids[i]].withdrawn = true;
      if (!Busy(ids[i])) ++idle;
    }
    acks.erase(acks.begin(), acks.begin() + static_cast<std::ptrdiff_t>(ids.size()));
    RC_ASSERT(acks.size() == idle);
    Free(acks);
  }

  // An outsider announces itself, then reads the word.
  void EnterOutside() {
    if (puts_.empty()) return;
    const auto id = *rc::gen::inRange<size_t>(0, puts_.size());
    const auto granule = *rc::gen::elementOf(puts_[id].granules);
    const bool allowed = words_[granule].load() <= puts_[id].birth;
    RC_ASSERT(allowed == !puts_[id].withdrawn);
    if (allowed) outside_.push_back({id, granule, Access::kWrite});
  }

  void LeaveOutside() {
    if (outside_.empty()) return;
    const auto i = *rc::gen::inRange<size_t>(0, outside_.size());
    outside_.erase(outside_.begin() + static_cast<std::ptrdiff_t>(i));
    std::vector<RetireAck> acks;
    holder_.OthersLeft(0, &acks);
    CheckFreed(acks);
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
    CheckFreed(acks);
  }

  void CheckIdle() { RC_ASSERT(holder_.idle() == (accesses_.empty() && outside_.empty())); }

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

  std::vector<Range> Touched(uint32_t /*segment*/) override {
    ++asked_;
    std::vector<Range> touched;
    for (const Running& access : outside_) touched.push_back({access.granule * kGranule, kGranule});
    return touched;
  }

  // Whether anybody is in the memory that this put had, whoever owns it now.
  bool Busy(size_t id) const {
    const auto is_in = [&](const Running& access) {
      const auto& granules = puts_[id].granules;
      return std::find(granules.begin(), granules.end(), access.granule) != granules.end();
    };
    return std::any_of(accesses_.begin(), accesses_.end(), is_in) ||
           std::any_of(outside_.begin(), outside_.end(), is_in);
  }

  // Somebody has let go: all that could become free by it is said to be, and nothing else.
  void CheckFreed(const std::vector<RetireAck>& acks) {
    for (const RetireAck& ack : acks) RC_ASSERT(ack.stage == RetireStage::kFree);
    Free(acks);
    for (size_t id = 0; id < puts_.size(); ++id) {
      RC_ASSERT(!puts_[id].withdrawn || puts_[id].free || Busy(id));
    }
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
  Holder holder_{{}, this};
  std::vector<Put> puts_;
  std::array<std::optional<size_t>, kGranules> owner_;
  std::vector<Running> accesses_;
  std::vector<Running> outside_;
  int asked_ = 0;
};

RC_GTEST_PROP(HolderModel, AccessesAreAllowedExactlyWhileTheirPutStands, ()) {
  World world;
  const auto steps =
      *rc::gen::scale(3, rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6)));
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
      case 3:
        world.EnterOutside();
        break;
      case 4:
        world.LeaveOutside();
        break;
      default:
        world.Leave();
    }
    world.CheckIdle();
  }
}

}  // namespace
}  // namespace kvstore::client
