#ifndef KVSTORE_SRC_CLIENT_SEGMENT_HOST_H_
#define KVSTORE_SRC_CLIENT_SEGMENT_HOST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/holder.h"
#include "client/lent_memory.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// The memory that this node lends, and all that may happen to it: executes the master's orders,
// touches pages in a thread of its own, lets the engine's accesses in, asks the engine what other
// processes of this host touch, and collects the acks that the session is to send. Thread-safe.
//
// Locks: the engine is asked (Touched) under the mutex, and calls back without any lock of its own.
class SegmentHost final : public transfer::RegionGuard, private Outsiders {
 public:
  // Maps `lend_bytes`, rounded up to whole granules (0: lends nothing), and registers them with
  // `engine`, which outlives the host. `available` says how much memory there still is whenever
  // pages are to be touched. resource_exhausted: so much can't be mapped.
  static Result<std::unique_ptr<SegmentHost>> Create(
      transfer::Engine& engine, uint64_t lend_bytes,
      std::function<uint64_t()> available = AvailableMemory);
  // Returns when nothing touches the memory any more through this process. Other processes that
  // still view it keep its pages (see transfer::Engine::Unregister).
  ~SegmentHost() override;

  uint64_t lent_bytes() const { return memory_ ? memory_->size() : 0; }
  bool huge_pages() const { return memory_ && memory_->huge(); }

  // ---- what the session asks and tells

  // For a hello: no orders' answers are lost that are due after StartAcks.
  std::vector<LentSegment> Segments() const EXCLUDES(mu_);
  uint64_t counter() const EXCLUDES(mu_);

  // A master that knows this memory reigns.
  void EnterTerm(uint64_t term) EXCLUDES(mu_);
  // One reigns that wants a report: see Holder::EnterReign. Acks of orders from before are
  // forgotten. Before any order of that term.
  std::optional<Report> EnterReign(uint64_t term) EXCLUDES(mu_);
  // Retirements and notes at once; pages are touched later, in the host's own thread.
  void Execute(const Orders& orders) EXCLUDES(mu_);

  // From now on acks are kept for NextAcks; what nobody has taken is forgotten. (The master repeats
  // the orders that it has no acks of.)
  void StartAcks() EXCLUDES(mu_);
  // Waits until there is something to say, or StopAcks (then none). At most kMaxAcks of each kind;
  // the term is the caller's to fill in.
  std::optional<Acks> NextAcks() EXCLUDES(mu_);
  void StopAcks() EXCLUDES(mu_);
  static constexpr size_t kMaxAcks = 16'384;

  // Withdraws everything: no access begun later is let in, none going on validates. The memory may
  // be lent under another incarnation once WaitIdle said yes.
  void Empty() EXCLUDES(mu_);
  // Whether nothing touches the memory, here or in another process, now or before `until`.
  bool WaitIdle(TimePoint until) EXCLUDES(mu_);
  // Whether no access of this process's engine is going on, now or before `until`. Enough for who
  // leaves and lends this memory to nobody any more.
  bool WaitServed(TimePoint until) EXCLUDES(mu_);
  // What keeps it from being idle.
  Holder::Touched touched() const EXCLUDES(mu_);

  HolderCounters counters() const EXCLUDES(mu_);
  // What is kept for the next master.
  uint64_t notes() const EXCLUDES(mu_);

  // ---- what the engine asks: see transfer::RegionGuard

  bool Enter(transfer::Access access, uint64_t first, uint64_t offset, uint64_t length,
             uint64_t birth) override EXCLUDES(mu_);
  bool Stands(uint64_t first, uint64_t birth) override EXCLUDES(mu_);
  void Leave(transfer::Access access, uint64_t first, uint64_t offset, uint64_t length,
             uint64_t birth) override EXCLUDES(mu_);
  void OthersLeft() override EXCLUDES(mu_);

 private:
  SegmentHost(transfer::Engine& engine, std::optional<LentMemory> memory,
              std::function<uint64_t()> available);
  Status Register() EXCLUDES(mu_);

  std::vector<Range> Touched(uint32_t segment) override;
  // Whoever waits for the end of accesses looks again.
  void SayLeft() REQUIRES(mu_);

  void PreparePages() EXCLUDES(mu_);
  void OrderPages(const PrepareOrder& order) REQUIRES(mu_);
  std::vector<LentSegment> LentNow() const REQUIRES(mu_);
  void SayRetired(std::vector<RetireAck>* acks) REQUIRES(mu_);
  void SayNoted(std::vector<NoteAck>* acks) REQUIRES(mu_);
  void SayReady() REQUIRES(mu_);

  transfer::Engine& engine_;
  const std::function<uint64_t()> available_;
  // None: lends nothing. Its pages are touched by the preparer only.
  std::optional<LentMemory> memory_;

  mutable Mutex mu_;
  CondVar acks_due_;
  CondVar pages_due_;
  CondVar left_;
  int waiting_ GUARDED_BY(mu_) = 0;  // threads that wait for left_
  Holder holder_ GUARDED_BY(mu_){{}, this};
  std::optional<uint32_t> index_ GUARDED_BY(mu_);   // of the segment, once it is registered
  std::vector<RetireAck> retired_ GUARDED_BY(mu_);  // not taken yet
  std::vector<NoteAck> noted_ GUARDED_BY(mu_);
  std::vector<ReadyAck> ready_acks_ GUARDED_BY(mu_);
  bool saying_ GUARDED_BY(mu_) = false;  // between StartAcks and StopAcks
  uint64_t ready_ GUARDED_BY(mu_) = 0;   // bytes whose pages are there; only grows
  uint64_t wanted_ GUARDED_BY(mu_) = 0;  // bytes whose pages the master has asked for
  std::string problem_ GUARDED_BY(mu_);  // why there are no more pages for this incarnation
  bool closing_ GUARDED_BY(mu_) = false;

  std::thread preparer_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_SEGMENT_HOST_H_
