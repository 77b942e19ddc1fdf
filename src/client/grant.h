#ifndef KVSTORE_SRC_CLIENT_GRANT_H_
#define KVSTORE_SRC_CLIENT_GRANT_H_

// What a writer makes of the master's answers about its puts: by when it must be done, what a
// failure means to its caller, and which puts it must abort. Shared by Put and Create.

#include <cstdint>
#include <vector>

#include "client/parts.h"
#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "proto/verbs.h"

namespace kvstore::client {

// By when a put that was granted so is to be written and committed; it was asked for at `asked_at`.
TimePoint GrantEnd(const StartPutAnswer& answer, TimePoint asked_at);

// OK while there is time to write under a grant, within a call that lasts until `deadline`.
Status CheckGrant(TimePoint now, TimePoint grant_end, TimePoint deadline);

// Whether a StartPut that was answered so may be granted nevertheless, by a sending or under an
// incarnation that the answer is not about. Nobody would write there, and the key would be taken
// until the grant has run out: it is to be aborted.
bool MayYetBeGranted(const Status& answer);

// aborted: the grant ran out too early.
Status LostGrant();

// What a failed copy or mapping means to the caller of a put. `grant_ended_first`: its deadline was
// the grant's, not the call's.
Status NotCommitted(const Status& failure, bool grant_ended_first, bool in_doubt = false);

// What the answer to a commit means to the caller of a put.
Status Committed(const Status& answer);

// Whether a commit that was answered so was not taken up, so that the put is as it was and is to be
// aborted.
bool WasNotTakenUp(const Status& answer);

// The writer's word that no copy into these puts' memory can still land. Takes a second at most,
// since its answer changes nothing, and no longer than `deadline`.
void AbortPuts(const Parts& parts, std::vector<uint64_t> sequences, TimePoint deadline);

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_GRANT_H_
