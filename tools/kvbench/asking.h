#ifndef KVSTORE_TOOLS_KVBENCH_ASKING_H_
#define KVSTORE_TOOLS_KVBENCH_ASKING_H_

#include <cstdint>

#include "tools/kvbench/crowd.h"
#include "tools/kvbench/measure.h"

namespace kvstore::bench {

// Rounds of one call after the other to a crowd's pool, p50 in microseconds. The crowd outlives
// them.

// Whether so many objects are there, which they are.
Round AskExists(Crowd* crowd, uint64_t keys);
// One object of the crowd is read, or a new one of 64 bytes is put, which is removed again.
Round GetOne(Crowd* crowd);
Round PutOne(Crowd* crowd);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_ASKING_H_
