#ifndef KVSTORE_SRC_CLIENT_MASTER_H_
#define KVSTORE_SRC_CLIENT_MASTER_H_

// src/client composes the transfer layer and the master into the store's API.
//
//   client         construction and the small verbs; see include/kvstore/client.h
//   put, get       one whole Put; one whole Get, top to bottom; start here
//   read_session   parts of objects that were located once
//   object_view    objects in place, read only
//   locate         asks the master where objects lie
//   locations      what is remembered of that, so that the next Get asks nobody
//   read_notes     which remembered objects were read
//   failures       which holders could not be reached
//   gathered       what the master is told now and then; note_sender tells it
//   copy_plan      pure: user buffers x ranges -> copies
//   checksum       XXH3 over scatter lists; owner of xxhash
//   ahead          memory that is held before it is known what to put there
//   open_peers     the holders that copies go to or come from
//   master         what the above need of a master (this file)
//   master_stub    its implementation over messages, with
//     batch_cutter   pure: batches of any size -> messages within the limits
//     exchange       one call's messages: sends, sends again, matches answers, gives up in time
//     reply_router   brings each reply to the call that waits for it
//   verb_channel   the seam below, on which messages travel: gRPC, or a simulated network
//   verb_stream    that seam over gRPC
//   holder         pure: words, accesses, retirements of the memory that this node lends, with
//     manifest       what that memory holds, kept for the next master
//     range_set      bytes of a segment
//   segment_host   the memory itself: maps it, touches its pages, feeds the holder
//   replicator     makes the copies that the master orders; one whole copy:
//     copy_in        from another holder into memory of this node
//   extent         pure: how much of a segment is lent, and which pages are there
//   session        the node's stream to the master: hello, report, orders, acks, heartbeats
//   fork_guard     makes a client unusable in a forked child

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "proto/verbs.h"

namespace kvstore::client {

// One StartPut under way: its items are answered in waves, since an item that waits for room must
// not hold up the others. Confined to the thread that made it.
class StartedPuts {
 public:
  virtual ~StartedPuts() = default;

  // Waits for the next answers and returns them, indices as in the request; each index comes once.
  // Empty: all have been answered. Items that the deadline catches are answered deadline_exceeded.
  // `parked` counts from Start: it contains the time until the item was asked for, since a large
  // batch is asked for bit by bit.
  virtual std::vector<StartPutAnswer> NextWave() = 0;
};

// A question to the master that is on its way. Confined to one thread at a time.
template <typename Answer>
class Asked {
 public:
  virtual ~Asked() = default;

  // Whether Wait would not wait.
  virtual bool HaveCome() = 0;
  // Waits for the answers: one per item, in the order of the request. Called once.
  virtual std::vector<Answer> Wait() = 0;
};

// What Put, Get and the small verbs ask of the master. Every call ends by its deadline, one answer
// per item in the order of the request. Batches of any size: cutting them into messages is done
// here below. A request that may have been lost is repeated until the deadline: all verbs may be.
// Thread-safe.
class Master {
 public:
  virtual ~Master() = default;

  // Sequences for `count` new puts; the first of them. Never the same twice for one incarnation.
  virtual uint64_t NewSequences(size_t count) = 0;

  virtual std::unique_ptr<StartedPuts> Start(StartPut request, TimePoint deadline) = 0;
  // One answer; of `replicas` one, of one range.
  virtual std::unique_ptr<Asked<StartPutAnswer>> BeginAhead(GrantAhead request,
                                                            TimePoint deadline) = 0;
  virtual std::unique_ptr<Asked<ItemAnswer>> BeginCommit(CommitPut request, TimePoint deadline) = 0;
  std::vector<ItemAnswer> Commit(CommitPut request, TimePoint deadline) {
    return BeginCommit(std::move(request), deadline)->Wait();
  }
  virtual std::vector<ItemAnswer> Abort(AbortPut request, TimePoint deadline) = 0;
  virtual std::vector<LocateAnswer> Find(Locate request, TimePoint deadline) = 0;
  virtual std::vector<ItemAnswer> Ask(Exists request, TimePoint deadline) = 0;
  virtual std::vector<ItemAnswer> Await(WaitExists request, TimePoint deadline) = 0;
  virtual std::vector<ItemAnswer> Drop(Remove request, TimePoint deadline) = 0;
  virtual std::vector<StatAnswer> Describe(StatObject request, TimePoint deadline) = 0;
  virtual std::vector<ItemAnswer> Keep(Pin request, TimePoint deadline) = 0;
  virtual CountAnswer Sweep(RemoveMatching request, TimePoint deadline) = 0;
  // Tells and waits for nothing; may be lost.
  virtual void Note(NoteReads request) = 0;
  virtual void Complain(ReportFailures request) = 0;

  // Returns at `until`: what a call that asks again lets pass.
  virtual void Pause(TimePoint until) = 0;

  // How a holder is reached, if any answer has named it.
  virtual std::optional<Peer> FindPeer(Incarnation holder) const = 0;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_MASTER_H_
