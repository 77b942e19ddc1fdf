#ifndef KVSTORE_SRC_CLIENT_PARTS_H_
#define KVSTORE_SRC_CLIENT_PARTS_H_

#include <string_view>

#include "client/master.h"
#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"

namespace kvstore::client {

class Ahead;
class Failures;
class Locations;
class OpenPeers;
class ReadNotes;

// This node as it is now: a Get prefers its own memory, then that of its host (empty: no other's).
struct Self {
  Incarnation incarnation;
  std::string_view host;  // as in Peer
};

// What a Put or a Get works with; all outlive the call.
struct Parts {
  Master& master;
  transfer::Engine& engine;
  const Clock& clock;
  Self self{};
  // What outlives a call, so that the next costs less. Null: nothing is remembered, so that every
  // Get asks the master; each call opens its peers; reads and failures are not reported; no memory
  // is held ahead.
  Locations* locations = nullptr;
  OpenPeers* peers = nullptr;
  ReadNotes* notes = nullptr;
  Failures* failures = nullptr;
  Ahead* ahead = nullptr;
};

// `when` + `delay`, or the end of time where that would overflow.
inline TimePoint After(TimePoint when, Duration delay) {
  if (delay > Duration::zero() && when > TimePoint::max() - delay) return TimePoint::max();
  return when + delay;
}

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_PARTS_H_
