#ifndef KVSTORE_TESTS_SIMULATION_FABRIC_H_
#define KVSTORE_TESTS_SIMULATION_FABRIC_H_

#include <map>
#include <string>

#include "kvstore/incarnation.h"
#include "simulation/events.h"
#include "simulation/network.h"
#include "simulation/transcript.h"

namespace kvstore::simulation {

class SimEngine;

// What the engines of all nodes share: the network, and who answers to which incarnation.
// Engines register themselves; they live as long as the run, dead or not.
struct Fabric {
  struct Listener {
    Place place = 0;
    SimEngine* engine = nullptr;
  };

  Network* network = nullptr;
  Transcript* transcript = nullptr;
  EventCounts* counts = nullptr;
  double flips = 0.0;  // share of read frames in which the wire changes a bit
  std::map<Incarnation, Listener> listeners;
  std::map<std::string, Incarnation> descriptors;  // all that were ever handed out

  Scheduler* scheduler() const { return network->scheduler(); }
  Random& random() const { return scheduler()->random(); }
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_FABRIC_H_
