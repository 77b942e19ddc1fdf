#ifndef KVSTORE_SRC_CLIENT_SEGMENT_HOST_H_
#define KVSTORE_SRC_CLIENT_SEGMENT_HOST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/extent.h"
#include "client/holder.h"
#include "client/lent_memory.h"
#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// The memory that this node lends, in one or more segments, and all that may happen to it: executes
// the master's orders, touches pages and gives them back in a thread of its own, lets the engine's
// accesses in, asks the engine what other processes of this host touch, and collects what the
// session is to send. Thread-safe.
//
// Locks: the engine is asked (Touched) under the mutex, and calls back without any lock of its own.
class SegmentHost final : private Outsiders {
 public:
  static constexpr size_t kMostSegments = 64;  // of a node: see kvstore.proto

  // Lends `lend_bytes`, see Lend, through `engine`, which outlives the host. `available` says how
  // much memory there still is whenever pages are to be touched.
  static Result<std::unique_ptr<SegmentHost>> Create(
      transfer::Engine& engine, uint64_t lend_bytes,
      std::function<uint64_t()> available = AvailableMemory);
  // Returns when nothing touches the memory any more through this process. Other processes that
  // still view it keep its pages (see transfer::Engine::Unregister).
  ~SegmentHost() override;

  // Lends so much in all, rounded up to whole granules, in place of what it lent: more in segments
  // that once were larger, and in a new one; less as soon as the master has emptied what is beyond.
  // resource_exhausted, and nothing has changed: so much can't be mapped, or would take more than
  // kMostSegments.
  Status Lend(uint64_t bytes) EXCLUDES(lending_, mu_);

  struct Lent {
    uint64_t wished = 0;  // bytes, as Lend was told
    uint64_t bytes = 0;   // that the pool may use, or still uses
    bool huge_pages = false;
    bool drained = false;  // the master had it emptied, and it has left; nothing is lent
  };
  Lent lent() const EXCLUDES(mu_);
  // Whether it has been drained, now or before `until`.
  bool WaitDrained(TimePoint until) EXCLUDES(mu_);

  // ---- what the session asks and tells

  // For a hello: no orders' answers are lost that are due after StartAcks. What is to be less than
  // it was is told as it was, and then again by TakeLend.
  std::vector<LentSegment> Segments() const EXCLUDES(mu_);
  uint64_t counter() const EXCLUDES(mu_);

  // A master that knows this memory reigns.
  void EnterTerm(uint64_t term) EXCLUDES(mu_);
  // One reigns that wants a report: see Holder::EnterReign. Acks of orders from before are
  // forgotten. Before any order of that term.
  std::optional<ReignReport> EnterReign(uint64_t term) EXCLUDES(mu_);
  // Retirements and notes at once; pages are touched later, in the host's own thread. Copies are
  // somebody else's: see OnCopies.
  void Execute(const Orders& orders) EXCLUDES(mu_);
  // Who makes copies: called with orders that are not of an older term. Before the first Execute.
  void OnCopies(std::function<void(const Orders&)> copier) { copier_ = std::move(copier); }
  void SayCopied(CopyAck ack) EXCLUDES(mu_);

  // From now on acks are kept for NextAcks; what nobody has taken is forgotten. (The master repeats
  // the orders that it has no acks of.)
  void StartAcks() EXCLUDES(mu_);
  // Waits until there is something to say (acks, perhaps none, or what TakeLend has), `until`, or
  // StopAcks (then none). At most kMaxAcks of each kind; the term is the caller's to fill in.
  std::optional<Acks> NextAcks(TimePoint until = TimePoint::max()) EXCLUDES(mu_);
  // What is wished anew, if the master is to hear of it.
  std::optional<kvstore::Lend> TakeLend() EXCLUDES(mu_);
  void StopAcks() EXCLUDES(mu_);
  static constexpr size_t kMaxAcks = 16'384;

  // Whether the master wants this node to leave: it is to say goodbye, and to be emptied then.
  bool leaving() const EXCLUDES(mu_);
  // Withdraws everything: no access begun later is let in, none going on validates. The next report
  // tells what is still touched. Who is leaving is drained then: unless Lend was called meanwhile,
  // the next incarnation tells of no memory, and the pages go back to the machine. (The master knew
  // them to be free, and has forgotten them.)
  void Empty() EXCLUDES(mu_);
  // Whether no access of this process's engine is going on, now or before `until`. Enough for who
  // leaves and lends this memory to nobody any more.
  bool WaitServed(TimePoint until) EXCLUDES(mu_);
  // How much is touched now.
  Holder::Touched touched() const EXCLUDES(mu_);

  HolderCounters counters() const EXCLUDES(mu_);
  // What is kept for the next master.
  uint64_t notes() const EXCLUDES(mu_);

 private:
  // One segment. The mutex covers its extent and the release; its pages are touched by the preparer
  // only.
  struct Segment;
  // By what order pages are given back; number 0: by none that anybody waits for.
  struct Release {
    uint64_t term = 0;
    uint64_t number = 0;
  };
  // The engine's way in to one segment.
  class Door;

  SegmentHost(transfer::Engine& engine, std::function<uint64_t()> available);
  // A new segment of `bytes`, which lends all of itself.
  Status AddSegment(uint64_t bytes) REQUIRES(lending_) EXCLUDES(mu_);

  // As transfer::RegionGuard has them.
  bool Enter(uint32_t segment, transfer::Access access, uint64_t first, uint64_t offset,
             uint64_t length, uint64_t birth) EXCLUDES(mu_);
  bool Stands(uint32_t segment, uint64_t first, uint64_t birth) EXCLUDES(mu_);
  void Leave(uint32_t segment, transfer::Access access, uint64_t first, uint64_t offset,
             uint64_t length, uint64_t birth) EXCLUDES(mu_);
  void OthersLeft(uint32_t segment) EXCLUDES(mu_);

  std::vector<Range> Touched(uint32_t segment) override;
  // Whoever waits for the end of accesses looks again.
  void SayLeft() REQUIRES(mu_);

  Segment* Find(uint32_t index) const REQUIRES(mu_);
  void OrderPages(const PrepareOrder& order) REQUIRES(mu_);
  std::vector<LentSegment> LentNow() const REQUIRES(mu_);
  void OrderRelease(const ReleaseOrder& order, uint64_t term) REQUIRES(mu_);
  void BeginToLeave() REQUIRES(mu_);
  void WorkOnPages() EXCLUDES(mu_);
  // Null: nothing to do just now.
  Segment* FindWork(Extent::Work* work) REQUIRES(mu_);
  void TouchPages(Segment* segment, const Extent::Work& work) EXCLUDES(mu_);
  void GiveBackPages(Segment* segment, const Extent::Work& work, const Release& release)
      EXCLUDES(mu_);
  void SayRetired(std::vector<RetireAck>* acks) REQUIRES(mu_);
  void SayNoted(std::vector<NoteAck>* acks) REQUIRES(mu_);
  void SayReady(const Segment& segment) REQUIRES(mu_);

  transfer::Engine& engine_;
  const std::function<uint64_t()> available_;
  std::function<void(const Orders&)> copier_;  // empty: nobody
  Mutex lending_;                              // whoever changes how much is lent; taken before mu_

  mutable Mutex mu_;
  CondVar acks_due_;
  CondVar pages_due_;
  CondVar left_;
  CondVar drained_now_;
  int waiting_ GUARDED_BY(mu_) = 0;  // threads that wait for left_
  Holder holder_ GUARDED_BY(mu_){{}, this};
  std::vector<std::unique_ptr<Segment>> segments_ GUARDED_BY(mu_);  // only grows
  Acks unsaid_ GUARDED_BY(mu_);                                     // not taken yet
  bool saying_ GUARDED_BY(mu_) = false;       // between StartAcks and StopAcks
  bool lend_due_ GUARDED_BY(mu_) = false;     // a wish is to be told
  bool giving_back_ GUARDED_BY(mu_) = false;  // pages, once nobody touches them any more
  bool leaving_ GUARDED_BY(mu_) = false;      // told to, and not emptied yet
  bool drained_ GUARDED_BY(mu_) = false;      // or about to be, while leaving
  bool closing_ GUARDED_BY(mu_) = false;

  std::thread preparer_;  // started with the first segment
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_SEGMENT_HOST_H_
