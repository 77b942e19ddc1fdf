#ifndef KVSTORE_TESTS_SIMULATION_SIM_ENGINE_H_
#define KVSTORE_TESTS_SIMULATION_SIM_ENGINE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation/connection.h"

namespace kvstore::simulation {

// transfer::Engine over the simulated network, with the TCP way's rules (see transfer.h): frames
// checked at the holder when they land, bytes that move over time, completions that are final, and
// writes in doubt when a connection breaks or time runs out with frames unanswered.
// Confined to the baton. Lives as long as the run; its process may have died.
class SimEngine final : public transfer::Engine {
 public:
  SimEngine(Fabric* fabric, Place place, Process* process, Incarnation incarnation);

  Result<transfer::RegionId> Register(void* base, uint64_t size,
                                      const transfer::RegionOptions& options) override;
  Status Unregister(transfer::RegionId region) override;
  std::string Descriptor() const override;
  Incarnation incarnation() const override { return incarnation_; }
  void Rename(Incarnation incarnation) override;
  Result<transfer::PeerId> Open(std::string_view descriptor) override;
  void Close(transfer::PeerId peer) override;
  std::unique_ptr<transfer::Batch> Submit(std::span<const transfer::Copy> copies,
                                          TimePoint deadline) override;
  std::vector<transfer::Completion> Run(std::span<const transfer::Copy> copies,
                                        TimePoint deadline) override;
  std::vector<transfer::Stretch> TouchedByOthers(transfer::RegionId) override { return {}; }
  Result<std::unique_ptr<transfer::Mapping>> Map(const transfer::MapRequest&, TimePoint) override {
    return UnimplementedError("not simulated");
  }
  transfer::WayCounters counters(transfer::Way) const override { return {}; }
  transfer::ServedCounters served() const override { return {}; }

  // Carries one frame out at this engine's end, step by step; `answer` comes unless it is
  // abandoned.
  void Serve(std::shared_ptr<Request> request, bool late, Serving::Answer answer);

  // Fault: each connection to or from here breaks with this probability.
  void BreakConnections(double share);
  // The process has died.
  void Vanish();

 private:
  struct Peer {
    Incarnation incarnation;
    std::vector<Connection*> connections;  // those in use
  };

  void Start(const std::shared_ptr<BatchState>& batch, size_t index, const transfer::Copy& copy);
  void StartHere(const std::shared_ptr<BatchState>& batch, size_t index, const transfer::Copy& copy,
                 uint64_t size);
  void StartThere(const std::shared_ptr<BatchState>& batch, size_t index,
                  const transfer::Copy& copy, uint64_t size);
  Connection* Connect(Peer* peer);
  void Advance(std::shared_ptr<Request> request);
  void CountServed(const Request& request);
  Duration StepTime();

  Fabric* const fabric_;
  const Place place_;
  Process* const process_;
  Incarnation incarnation_;
  transfer::RegionId next_region_ = 0;
  std::map<transfer::RegionId, Region> regions_;
  std::vector<Peer> peers_;  // PeerId is the place in it plus 1
  std::vector<std::unique_ptr<Connection>> outgoing_;
  std::vector<Connection*> incoming_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_ENGINE_H_
