#ifndef KVSTORE_TESTS_SIMULATION_SIM_MEMORY_H_
#define KVSTORE_TESTS_SIMULATION_SIM_MEMORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "client/extent.h"
#include "client/holder.h"
#include "simulation/sim_engine.h"

namespace kvstore::simulation {

// The memory that a node's process lends, with the product's holder and extents: the least that
// stands in for the segment host. Pages that go back to the machine are gone a while after it was
// told, and what they held then. Lives as long as the run.
class SimMemory final : private client::Outsiders {
 public:
  // `say` sends the acks that have become due.
  SimMemory(Scheduler* scheduler, Process* process, SimEngine* engine,
            const client::HolderGuards& guards, std::function<void(Acks)> say);
  ~SimMemory() override;

  // Another segment of so many granules, all of which are lent.
  void AddSegment(uint64_t granules, uint64_t granule);
  // Lends so many granules in all, as SegmentHost::Lend: in another segment what does not fit.
  void Lend(uint64_t granules, uint64_t granule);
  // Whether it lends memory, or wishes to.
  bool lends() const { return !Lent().empty(); }
  uint64_t capacity() const;  // bytes
  uint64_t wished() const;
  uint64_t times_released() const { return times_released_; }
  // For a hello, and for a report.
  std::vector<LentSegment> Lent() const;
  // What is wished anew, if the master is to hear of it: once after each Lend, and after Welcomed.
  std::optional<kvstore::Lend> TakeLend();
  void Welcomed();
  client::Holder& holder() { return holder_; }
  const client::Holder& holder() const { return holder_; }

  // Touching pages, and giving them back, takes a while, in a thread of its own.
  void Execute(const PrepareOrder& order);
  void Execute(const ReleaseOrder& order);
  // It was drained, and is to tell of nothing once it is emptied.
  void BeginToLeave();
  // For another incarnation.
  void Empty();

 private:
  struct Segment;
  class SegmentGuard;

  std::vector<Range> Touched(uint32_t segment) override;
  Segment* Find(uint32_t index) const;
  // One piece of work at a time, each after some time.
  void WorkOnPages();
  void SayReady(const Segment& segment);
  void GiveBack(Segment* segment, const client::Extent::Work& work, const ReleaseOrder& order,
                uint64_t term);

  Scheduler* const scheduler_;
  Process* const process_;
  SimEngine* const engine_;
  const std::function<void(Acks)> say_;
  client::Holder holder_;
  std::vector<std::unique_ptr<Segment>> segments_;
  bool working_ = false;
  bool lend_due_ = false;
  bool leaving_ = false;
  uint64_t times_released_ = 0;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_MEMORY_H_
