#ifndef KVSTORE_TESTS_SIMULATION_FABRIC_H_
#define KVSTORE_TESTS_SIMULATION_FABRIC_H_

#include <functional>
#include <map>
#include <string>

#include "guard_switch.h"
#include "kvstore/incarnation.h"
#include "simulation/events.h"
#include "simulation/network.h"
#include "simulation/transcript.h"

namespace kvstore::simulation {

class SimEngine;

// Steps of the shm way that a test can switch off; named as the product's, transfer/guards.h.
struct SharedGuards {
  KVSTORE_GUARD(announce_before_word);  // rule 7: a writer or viewer announces, then reads the word
  KVSTORE_GUARD(check_word_after_read);   // rule 4: a reader reads the word after its last byte
  KVSTORE_GUARD(ledger_outlives_socket);  // rule 7: slots stay until their process has ended
};

// Likewise of the RDMA way.
struct RdmaGuards {
  KVSTORE_GUARD(rdma_word_after_read);       // rule 4: a reader reads the word after its last byte
  KVSTORE_GUARD(rdma_read_behind_writes);    // rule 6: a write is done when a READ behind it is
  KVSTORE_GUARD(rdma_writes_are_begun);      // rule 7: the holder says first that the grant stands
  KVSTORE_GUARD(rdma_cut_withdrawn_writes);  // rule 7: and destroys the queue pairs of who is late
  KVSTORE_GUARD(rdma_readers_cannot_write);  // rule 7: over those that it does not destroy
  KVSTORE_GUARD(rdma_fence_is_confirmed);    // rule 7: and counts them until its device has obeyed
};

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
  double flips = 0.0;          // share of read frames in which the wire changes a bit
  bool shares_memory = false;  // processes of one host copy in place
  SharedGuards shared_guards;
  bool has_rdma = false;  // processes of different hosts copy one-sided
  RdmaGuards rdma_guards;
  // Called between two steps of a process that touches another one's memory: a fault may strike.
  std::function<void(Process*)> between_steps{};
  std::map<Incarnation, Listener> listeners{};
  std::map<std::string, Incarnation> descriptors{};  // all that were ever handed out

  Scheduler* scheduler() const { return network->scheduler(); }
  Random& random() const { return scheduler()->random(); }
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_FABRIC_H_
