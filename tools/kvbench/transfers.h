#ifndef KVSTORE_TOOLS_KVBENCH_TRANSFERS_H_
#define KVSTORE_TOOLS_KVBENCH_TRANSFERS_H_

#include <cstdint>
#include <functional>

#include "kvstore/client.h"
#include "kvstore/result.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/walk.h"

namespace kvstore::bench {

// So many objects of one size in a call.
struct Load {
  uint64_t count = 1;
  uint64_t size = 0;
  uint64_t bytes() const { return count * size; }
};

// What becomes of the time that the calls of a round took.
using Figure = std::function<double(const Times&)>;
Figure GigabytesPerSecond(Load load);
Figure KeysPerSecond(Load load);
Figure TakesUs(double share);

// Rounds that read objects, batch after batch: those of `over` bytes, put beforehand and again from
// the first when all were read. The client outlives them; they remove the objects when they end.
Result<Round> Gets(Walk* buffers, Client* client, Load load, uint64_t over, Figure figure);
// The same, and before each `asked` Gets one Exists, which is not counted, of all their objects.
// Those of `over` bytes are a multiple of these.
Result<Round> GetsAfterExists(Walk* buffers, Client* client, Load load, uint64_t over,
                              uint64_t asked, Figure figure);
// Rounds that put new objects; when they come to `over` bytes, which does not count, they are
// removed.
Result<Round> Puts(Walk* buffers, Client* client, Load load, uint64_t over, Figure figure);

}  // namespace kvstore::bench

#endif  // KVSTORE_TOOLS_KVBENCH_TRANSFERS_H_
