#ifndef KVSTORE_TESTS_SIMULATION_SIM_COPIER_H_
#define KVSTORE_TESTS_SIMULATION_SIM_COPIER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <tuple>

#include "proto/verbs.h"
#include "simulation/sim_engine.h"

namespace kvstore::simulation {

// Executes the master's copy orders as the product's replicator does: each once, a thread for each,
// and an order that comes again is answered as it was. Confined to the baton.
class SimCopier {
 public:
  // `say` is called with each outcome.
  SimCopier(Scheduler* scheduler, Process* process, SimEngine* engine,
            std::function<void(CopyAck)> say)
      : scheduler_(scheduler), process_(process), engine_(engine), say_(std::move(say)) {}

  // Orders of another term than before: what came earlier is called off and forgotten. (That these
  // are not of an older one is the caller's to know.)
  void Take(const Orders& orders);
  uint64_t copied() const { return copied_; }

 private:
  using Name = std::tuple<PutId, uint32_t, uint64_t>;  // put, segment, birth

  void Begin(const CopyOrder& order, const std::string& source);

  Scheduler* const scheduler_;
  Process* const process_;
  SimEngine* const engine_;
  const std::function<void(CopyAck)> say_;
  uint64_t term_ = 0;
  std::map<Name, std::optional<Status>> known_;  // of the term; none: it has not ended
  uint64_t copied_ = 0;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_COPIER_H_
