#ifndef KVSTORE_SRC_CLIENT_GRANT_H_
#define KVSTORE_SRC_CLIENT_GRANT_H_

// What a writer asks of the master, and makes of its answers about its puts: by when it must be
// done, what a failure means to its caller, and which puts it must abort. Shared by Put and Create.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "client/parts.h"
#include "kvstore/client.h"
#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "proto/verbs.h"

namespace kvstore::client {

// What the options ask for all items of a put, in a request that has no items yet.
StartPut Asking(const PutOptions& options);

// Their positions, as such a request has them: none where all are 0.
template <typename Item>
std::vector<uint32_t> PositionsOf(std::span<const Item> items) {
  std::vector<uint32_t> positions;
  for (const Item& item : items) positions.push_back(item.position);
  const bool any =
      std::any_of(positions.begin(), positions.end(), [](uint32_t p) { return p > 0; });
  return any ? positions : std::vector<uint32_t>();
}

// By when a put that was granted so is to be written and committed; it was asked for at `asked_at`.
TimePoint GrantEnd(const StartPutAnswer& answer, TimePoint asked_at);

// OK while there is time to write under a grant, within a call that lasts until `deadline`.
Status CheckGrant(TimePoint now, TimePoint grant_end, TimePoint deadline);

// Whether a StartPut that was answered so may be granted nevertheless, by a sending or under an
// incarnation that the answer is not about. Nobody would write there, and the key would be taken
// until the grant has run out: it is to be aborted.
bool MayYetBeGranted(const Status& answer);

// Whether the put of which the master said so is not committed and never will be: it may be begun
// again under another id. So it is where another master reigns than the one that granted it.
bool HasEnded(const Status& answer);

// Whether a commit was not taken up since its piece is of no grant ahead, or no longer, of the
// master that gave it: no other can have committed it.
bool IsOfNoGrant(const Status& answer);

// Whether a copy into a put's memory failed so because that is no longer the put's: another master
// reigns, the grant has run out, or the holder joined the pool anew. The put may be begun again.
bool WasTakenBack(const Status& copied);

// aborted: the grant ran out too early.
Status LostGrant();

// What a failed copy or mapping means to the caller of a put. `grant_ended_first`: its deadline was
// the grant's, not the call's.
Status NotCommitted(const Status& failure, bool grant_ended_first, bool in_doubt = false);

// What the answer to a commit means to the caller of a put.
Status Committed(const Status& answer);

// The last status of a put after a commit of which the master knew nothing: what says that it is
// not committed says too much, since an earlier master may have had it visible.
Status PerhapsCommitted(const Status& status);

// Whether a commit that was answered so was not taken up, or never sent, so that the put is as it
// was and is to be aborted.
bool WasNotTakenUp(const Status& answer);

// The writer's word that no copy into these puts' memory can still land. Takes a second at most,
// since its answer changes nothing, and no longer than `deadline`.
void AbortPuts(const Parts& parts, std::vector<uint64_t> sequences, TimePoint deadline);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_GRANT_H_
