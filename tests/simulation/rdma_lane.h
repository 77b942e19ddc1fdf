#ifndef KVSTORE_TESTS_SIMULATION_RDMA_LANE_H_
#define KVSTORE_TESTS_SIMULATION_RDMA_LANE_H_

#include <functional>
#include <memory>
#include <vector>

#include "simulation/connection.h"

namespace kvstore::simulation {

// A path between devices of two hosts, with queue pairs for reads and for writes, and the
// connection over which the two processes speak of it: see src/transfer/rdma/rdma_lane.h. What is
// posted is carried out by the devices, unit by unit, whatever the processes do: neither sees when,
// and what was on its way when the client let go may still land while the holder's queue pair is
// there.
//
//   a read    the bytes; when they have come, the word
//   a write   the holder says that it may, and counts it; the bytes; a READ behind them; the holder
//             is told that it has ended. A holder that finds it withdrawn meanwhile destroys the
//             queue pairs, and then counts it no more: when its device has obeyed, which may
//             take a while
//
// Lives as long as the run.
class RdmaLane {
 public:
  RdmaLane(Fabric* fabric, const Connection::End& client, const Connection::End& holder);

  // A part of a copy. If the lane breaks first, the client's engine takes it back (Resettle).
  void Carry(std::shared_ptr<Request> part);
  // The connection ends; both processes see it after a while.
  void Break();
  // In the life of the holder: it serves nothing more of it, destroys its queue pairs, and then
  // counts nothing of it any more.
  void CloseAtHolder();
  // Calls that when the holder's queue pairs are gone; never, if the holder ends before.
  void WhenClosedAtHolder(std::function<void()> closed);

  bool broken() const { return broken_; }
  const Connection::End& holder() const { return holder_; }

 private:
  // One part, as the client sees it.
  struct Flight {
    std::shared_ptr<Request> part;
    bool asked = false;     // its Begin has come to the holder
    bool may_land = false;  // it is a write that was posted
    bool stood = true;      // what the word said before the bytes were read
    uint64_t moved = 0;
    Instant retried_since{};  // by the device; zero: it need not
  };
  using FlightPtr = std::shared_ptr<Flight>;

  // The client's steps.
  void Begun(const FlightPtr& flight, const Status& verdict);
  void Post(const FlightPtr& flight);
  void Completed(const FlightPtr& flight);
  void End(const FlightPtr& flight, const Status& verdict);
  void Shut();
  // The holder's.
  void CloseSoon();
  void DestroyPairs();
  void BeginAtHolder(const FlightPtr& flight);
  void EndAtHolder(const FlightPtr& flight);
  void Watch();
  void LeaveAll();
  void Leave(const FlightPtr& flight);
  // Those of the devices.
  void MoveUnit(const FlightPtr& flight, RdmaLane* over);
  void ReadWord(const FlightPtr& flight);
  bool WordStands(const FlightPtr& flight) const;
  void Fail();

  bool IsWrite(const FlightPtr& flight) const {
    return flight->part->frame.access == transfer::Access::kWrite;
  }
  const Region* RegionOf(const FlightPtr& flight) const;
  void AfterTrip(Process* process, std::function<void()> action);

  Fabric* const fabric_;
  const Connection::End client_;
  const Connection::End holder_;
  Pipe there_;
  Pipe back_;
  bool broken_ = false;
  bool shut_ = false;              // the client's queue pairs are gone
  bool ended_at_holder_ = false;   // it serves nothing more
  bool closed_at_holder_ = false;  // and its queue pairs are gone
  Instant obeys_at_{};             // its device, that is told to destroy them
  std::vector<std::function<void()>> when_closed_;
  bool watching_ = false;
  std::vector<FlightPtr> flights_;  // the client's view
  std::vector<FlightPtr> entered_;  // the holder's: writes that it counts
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_RDMA_LANE_H_
