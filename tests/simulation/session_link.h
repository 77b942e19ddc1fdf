#ifndef KVSTORE_TESTS_SIMULATION_SESSION_LINK_H_
#define KVSTORE_TESTS_SIMULATION_SESSION_LINK_H_

#include <cstdint>

#include "kvstore/incarnation.h"
#include "simulation/network.h"

namespace kvstore::simulation {

class SimMaster;

// One session stream between a node and a master. What is on it when it breaks may still arrive,
// late and twice: orders and acks have to bear that. Lives as long as the run.
struct SessionLink {
  SessionLink(Network* network, Place node_place, Process* node_process, SimMaster* at,
              Process* master_process, Incarnation incarnation)
      : master(at),
        node(incarnation),
        place(node_place),
        up(network, node_place, kMasterPlace, master_process),
        down(network, kMasterPlace, node_place, node_process) {}

  void Break() {
    up.Break();
    down.Break();
  }
  bool broken() const { return up.broken(); }

  SimMaster* const master;
  const Incarnation node;  // who the node was when it opened the stream
  const Place place;
  Pipe up;
  Pipe down;
  uint64_t number = 0;  // among the streams of that life of the node
  uint64_t orders_sent = 0;
  uint64_t pages_ordered = 0;  // number of the last orders that the node took for its pages
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SESSION_LINK_H_
