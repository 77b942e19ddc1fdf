#ifndef KVSTORE_TESTS_SIMULATION_REMEMBERED_H_
#define KVSTORE_TESTS_SIMULATION_REMEMBERED_H_

#include <map>
#include <optional>
#include <string>

#include "simulation/world.h"

namespace kvstore::simulation {

// Locations with a lease, kept for later reads that ask no master. The product's Get does not
// remember any yet, but the rules of removal and replacement already promise that it may: only such
// a reader can tell whether old locations are refused in time. Confined to one thread.
class RememberedLocations {
 public:
  RememberedLocations(World* world, SimNode* node) : world_(world), node_(node) {}

  // The first key at or after `key` that a location is remembered of; `key` if there is none.
  std::string Nearest(const std::string& key) const;
  void Learn(const std::string& key, TimePoint deadline);
  // The object's bytes, if a location is remembered, its lease has not run out, and the read was
  // validated: by the holder's word, and by the checksum if the reader verifies any.
  std::optional<std::vector<std::byte>> Read(const std::string& key, TimePoint deadline);

 private:
  struct Location {
    LocateAnswer answer;
    TimePoint lease_end;  // counted from before asking
    Incarnation reader;   // forgotten when the node becomes another
  };

  World* const world_;
  SimNode* const node_;
  std::map<std::string, Location> locations_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_REMEMBERED_H_
