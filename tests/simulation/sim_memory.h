#ifndef KVSTORE_TESTS_SIMULATION_SIM_MEMORY_H_
#define KVSTORE_TESTS_SIMULATION_SIM_MEMORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "client/holder.h"
#include "simulation/sim_engine.h"

namespace kvstore::simulation {

// The memory that a node's process lends, with the product's holder: the least that stands in for
// the segment host. Lives as long as the run.
class SimMemory final : private client::Outsiders {
 public:
  // `say` sends the acks that have become due.
  SimMemory(Scheduler* scheduler, Process* process, SimEngine* engine,
            const client::HolderGuards& guards, std::function<void(Acks)> say);
  ~SimMemory() override;

  // Segments of so many granules each, of that size.
  void Lend(const std::vector<uint64_t>& granules, uint64_t granule);
  std::vector<LentSegment> Lent() const;
  client::Holder& holder() { return holder_; }
  const client::Holder& holder() const { return holder_; }

  // Touching pages takes a while, in a thread of its own.
  void Prepare(const PrepareOrder& order);

 private:
  struct Segment;
  class SegmentGuard;

  std::vector<Range> Touched(uint32_t segment) override;

  Scheduler* const scheduler_;
  Process* const process_;
  SimEngine* const engine_;
  const std::function<void(Acks)> say_;
  client::Holder holder_;
  std::vector<std::unique_ptr<Segment>> segments_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_MEMORY_H_
