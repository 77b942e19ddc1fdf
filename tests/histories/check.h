#ifndef KVSTORE_TESTS_HISTORIES_CHECK_H_
#define KVSTORE_TESTS_HISTORIES_CHECK_H_

#include <string>
#include <vector>

#include "histories/history.h"

namespace kvstore::history {

struct Rules {
  // An object may vanish at any moment, as a cached one does. What has once been missed is not to
  // come back either way.
  bool may_forget = true;
  // A put may take effect several times before it returns: it is begun again where its master was
  // lost, and others may have removed or replaced meanwhile what it had put (kvstore/client.h).
  bool puts_may_recur = false;
  // A get or an exists that finds nothing has seen that nothing is there. Not so over the end of a
  // master: what it was withdrawing is missed from then on, and found again by the next one where
  // the withdrawal had not come to the holder. Removals that were answered bind all the same.
  bool misses_bind = true;
  // An exists that says no has seen the same. Not so where holders fall silent: it says no of what
  // lies on such holders alone, which a get may find, then or when they are heard again
  // (docs/protocol.md).
  bool noes_bind = true;
};

// Why no order of these operations, in which each takes effect between its begin and its end, lets
// one register per key answer as it was recorded; empty: nothing speaks against it.
//
// Every put has a value of its own, so that a get tells whose value it found, and a register holds
// each value for one stretch of time. That makes it quick to decide (Gibbons and Korach, Testing
// Shared Memories, 1997): a value is surely held from the first end to the last begin of what put
// and got it, and it suffices that no two values are held at once, and that nothing else took
// effect wholly within such a stretch. A miss and a removal are stretches of their own, in which
// nothing is held.
//
// An Exists does not tell what it found, nor does a miss tell which removal it saw where nothing is
// forgotten: for each of these alone something must be found that it can have seen. So what takes
// two of them to contradict each other is not noticed.
std::vector<std::string> Violations(const History& history, const Rules& rules);

}  // namespace kvstore::history

#endif  // KVSTORE_TESTS_HISTORIES_CHECK_H_
