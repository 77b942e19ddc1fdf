#ifndef KVSTORE_TESTS_SIMULATION_SIM_ENGINE_H_
#define KVSTORE_TESTS_SIMULATION_SIM_ENGINE_H_

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "simulation/connection.h"
#include "simulation/in_place_copy.h"
#include "simulation/rdma_lane.h"
#include "simulation/shared_link.h"

namespace kvstore::simulation {

// transfer::Engine over the simulated network and hosts. Between hosts with the TCP way's rules
// (see transfer.h): frames checked at the holder when they land, bytes that move over time,
// completions that are final, and writes in doubt when a connection breaks or time runs out with
// frames unanswered; or with those of RDMA, over several paths at once: see rdma_lane.h. Between
// processes of one host with the shm way's: see in_place_copy.h.
// Confined to the baton. Lives as long as the run; its process may have died.
class SimEngine final : public transfer::Engine {
 public:
  SimEngine(Fabric* fabric, Place place, std::string host, Process* process,
            Incarnation incarnation);

  Result<transfer::RegionId> Register(void* base, uint64_t size,
                                      const transfer::RegionOptions& options) override;
  Status Unregister(transfer::RegionId region) override;
  std::string Descriptor() const override;
  Incarnation incarnation() const override { return incarnation_; }
  void Rename(Incarnation incarnation) override;
  Result<transfer::PeerId> Open(std::string_view descriptor) override;
  void Close(transfer::PeerId peer) override;
  std::unique_ptr<transfer::Batch> Submit(std::span<const transfer::Copy> copies,
                                          const transfer::CopyLimits& limits) override;
  std::vector<transfer::Completion> Run(std::span<const transfer::Copy> copies,
                                        const transfer::CopyLimits& limits) override;
  std::vector<transfer::Stretch> TouchedByOthers(transfer::RegionId region) override;
  Result<std::unique_ptr<transfer::Mapping>> Map(const transfer::MapRequest& request,
                                                 TimePoint deadline) override;
  transfer::WayCounters counters(transfer::Way) const override { return {}; }
  transfer::ServedCounters served() const override { return {}; }

  // What RegionOptions::shared is to the product: the words of a region, which peers of this host
  // may then reach in place.
  void Share(transfer::RegionId region, std::span<transfer::Word> words, uint64_t granule);

  // ---- for the links of processes that share this one's memory

  const Region* FindRegion(transfer::RegionId region) const;
  bool WaitsForOthers(transfer::RegionId region) const;
  // Slots of that region, or of any, may have been cleared.
  void OthersLeft(transfer::RegionId region);
  void OthersLeft();

  // Carries one frame out at this engine's end, step by step; `answer` comes unless it is
  // abandoned.
  void Serve(std::shared_ptr<Request> request, bool late, Serving::Answer answer);

  // ---- for the paths over RDMA

  // A part of a copy whose lane is shut: goes another way, and if it may land only once the holder
  // has closed the lane. Where the holder does not say so, the copy is in doubt.
  void Resettle(std::shared_ptr<Request> part, RdmaLane* lane, bool may_land);
  // Of the same peer; or that one.
  RdmaLane* OtherLane(RdmaLane* lane);
  // One step of a copy or a mapping.
  Duration StepTime();

  // Fault: each connection to or from here breaks with this probability.
  void BreakConnections(double share);
  // The process has died.
  void Vanish();

 private:
  struct Peer {
    Incarnation incarnation;
    std::vector<Connection*> connections;  // those in use
    std::vector<RdmaLane*> lanes;          // likewise
    std::shared_ptr<SharedLink> link;      // null: its memory is not shared, or not yet
  };

  // Gives the batch up when its holders have been silent for so long.
  void WatchSilence(std::weak_ptr<BatchState> batch, Duration stall, Instant look_at);
  void Start(const std::shared_ptr<BatchState>& batch, size_t index, const transfer::Copy& copy);
  void StartHere(const std::shared_ptr<BatchState>& batch, size_t index, const transfer::Copy& copy,
                 uint64_t size);
  void StartThere(const std::shared_ptr<BatchState>& batch, size_t index,
                  const transfer::Copy& copy, uint64_t size);
  void StartOneSided(const std::shared_ptr<BatchState>& batch, size_t index,
                     const transfer::Copy& copy, uint64_t size);
  void StartInPlace(const std::shared_ptr<BatchState>& batch, size_t index,
                    const transfer::Copy& copy, uint64_t size, std::shared_ptr<SharedLink> link);
  void AdvanceInPlace(std::shared_ptr<InPlaceCopy> copy);
  // Null: there is no way to that peer's memory but by frames.
  std::shared_ptr<SharedLink> LinkTo(Peer* peer);
  Connection* Connect(Peer* peer);
  // Null: no device leads there now.
  RdmaLane* LaneTo(Peer* peer);
  bool IsOutOfReach(const Peer& peer) const;
  void CutLane(std::shared_ptr<Request> part, RdmaLane* lane, Instant give_up_at);
  void SendOtherwise(std::shared_ptr<Request> part, const RdmaLane& lane);
  void Advance(std::shared_ptr<Request> request);
  void CountServed(const Request& request);
  Result<std::unique_ptr<transfer::Mapping>> MapHere(const transfer::MapRequest& request);
  Result<std::unique_ptr<transfer::Mapping>> MapThere(const transfer::MapRequest& request,
                                                      std::shared_ptr<SharedLink> link,
                                                      TimePoint deadline);
  void BreakTcpConnections(double share);
  void Pause(TimePoint deadline);

  Fabric* const fabric_;
  const Place place_;
  const std::string host_;
  Process* const process_;
  Incarnation incarnation_;
  transfer::RegionId next_region_ = 0;
  std::map<transfer::RegionId, Region> regions_;
  std::vector<Peer> peers_;  // PeerId is the place in it plus 1
  std::vector<std::unique_ptr<Connection>> outgoing_;
  std::vector<Connection*> incoming_;
  std::vector<std::unique_ptr<RdmaLane>> outgoing_lanes_;
  std::vector<RdmaLane*> incoming_lanes_;
  std::vector<std::shared_ptr<SharedLink>> sharing_;        // this process's memory, with others
  std::vector<std::weak_ptr<SharedLink>> links_of_others_;  // that this process has made
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_ENGINE_H_
