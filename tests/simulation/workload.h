#ifndef KVSTORE_TESTS_SIMULATION_WORKLOAD_H_
#define KVSTORE_TESTS_SIMULATION_WORKLOAD_H_

#include <cstddef>

#include "simulation/world.h"

namespace kvstore::simulation {

// The life of one thread of a node: puts, gets, looks and removes at random, each told to the
// checker, until the world stops or the process dies.
void RunWorkload(World* world, SimNode* node, size_t thread);

// Gets every key once, in peace. An object that the catalog lists must be readable.
void ReadEverything(World* world, SimNode* node);

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_WORKLOAD_H_
