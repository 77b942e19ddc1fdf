#ifndef KVSTORE_SRC_CLIENT_PUT_COPIES_H_
#define KVSTORE_SRC_CLIENT_PUT_COPIES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/open_peers.h"
#include "client/parts.h"
#include "kvstore/client.h"
#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"

namespace kvstore::client {

// One item's way through a wave of a put.
struct Write {
  // What the master is to hear of it.
  enum class Fate : uint8_t {
    kCommit,  // all bytes are in place, as far as is known
    kAbort,   // none of its copies can land any more, and it may hold memory, now or soon
    kLeave,   // it holds no memory, or bytes may still land: its grant ends, or it is given up
              // by the put that takes its place
  };

  uint32_t place = 0;                  // of the item in its beginning
  Fate fate = Fate::kLeave;            // kCommit iff `status` is OK
  Status status;                       // of the item, as far as the wave has come
  bool again = false;                  // under another put id it may succeed
  bool in_doubt = false;               // bytes may still land
  bool in_question = false;            // it was to be committed, and perhaps an earlier master did
  TimePoint grant_end{};               // by which it is to be written
  std::vector<CopyPlan::Span> copies;  // one per replica; none for an empty object
  std::vector<SegmentId> segments;     // of the replicas
  std::unique_ptr<RunningChecksum> checksum;  // of the bytes as they are copied; null: afterwards
};

// The copies of one call of PutObjects: plans them, carries them, and says what each failure means
// to its item. Remembers which holders were not reached. Confined to the thread that makes the
// call.
class PutCopies {
 public:
  // By `deadline` the call ends; `parts` outlives this.
  PutCopies(const Parts& parts, TimePoint deadline)
      : parts_(parts),
        deadline_(deadline),
        peers_(parts.peers == nullptr ? own_peers_.emplace(parts) : *parts.peers) {}
  PutCopies(const PutCopies&) = delete;
  PutCopies& operator=(const PutCopies&) = delete;

  // What is granted where copies have met nobody is not tried: then an error, and whether the item
  // is to be begun again. `before`: what the item's last beginning came to.
  Status CheckReachable(const Status& before, Write* write) const;
  // Adds the item's copies to these replicas of it. None where it is empty.
  Status Plan(const PutItem& item, std::span<const Replica> replicas, CopyPlan* plan, Write* write);
  // When it returns the copies of the writes, which are those of the plan, have ended: what became
  // of them stands in the writes.
  void Carry(const CopyPlan& plan, std::span<Write> writes);
  // Tells the master of holders that were not reached, each once, so that it grants elsewhere.
  void Complain();

 private:
  void Judge(std::span<const transfer::Completion> all, bool fair, bool grant_ended_first,
             Write* write);

  const Parts& parts_;
  const TimePoint deadline_;
  std::optional<OpenPeers> own_peers_;
  OpenPeers& peers_;
  // Where copies met nobody: what is granted there again need not be tried. The first are those of
  // which the master knows.
  std::vector<SegmentId> unreachable_;
  size_t complained_ = 0;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_PUT_COPIES_H_
