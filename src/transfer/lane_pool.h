#ifndef KVSTORE_SRC_TRANSFER_LANE_POOL_H_
#define KVSTORE_SRC_TRANSFER_LANE_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "kvstore/result.h"
#include "thread_annotations.h"
#include "transfer/descriptor.h"
#include "transfer/guards.h"
#include "transfer/job.h"
#include "transfer/lane.h"

namespace kvstore::transfer {

struct LaneOptions {
  uint32_t lanes = 4;  // to one peer, shared by workers and direct callers
  Duration idle_timeout = std::chrono::seconds(60);
  TransferGuards guards;
};

// How lanes to a holder are had. Thread-safe.
class LaneMaker {
 public:
  virtual ~LaneMaker() = default;
  // unavailable: nobody there, or somebody else.
  virtual Result<std::unique_ptr<Lane>> Open(const PeerDescriptor& holder, Patience& patience) = 0;
  // Asks the holder, over a fresh connection, to close a lane. OK: nothing can come over it any
  // more.
  virtual Status Cut(const PeerDescriptor& holder, uint64_t lane_id, Patience& patience) = 0;
};

// All of this process's traffic to one holder: a pool of lanes, opened when needed, and
// workers, started when needed, that carry posted jobs over them. Thread-safe.
class LanePool {
 public:
  // `maker` outlives the pool.
  LanePool(std::shared_ptr<const PeerDescriptor> descriptor, LaneMaker& maker,
           const LaneOptions& options);
  // Close comes first.
  ~LanePool();

  // Lets the workers carry it. After Close, or where not one worker can be started, the job fails
  // at once.
  void Post(std::shared_ptr<Job> job);
  // Carries it in the calling thread, whole.
  void Carry(Job& job);
  // Carries one read of a few bytes, begun at `now`, in the calling thread, if a lane is idle that
  // can. Nothing: it was not begun, or is as if it had not been. Now and then it is nothing though
  // it could be carried: who carries a job has asked before whether the way leads there, and so had
  // it look after what has failed.
  std::optional<Completion> ReadOne(const Copy& copy, uint64_t size, const CopyLimits& limits,
                                    TimePoint now) EXCLUDES(mu_);
  // An idle lane of that way that is good, for its taker alone; null: there is none.
  std::unique_ptr<Lane> Borrow(Way way);
  // Takes in a lane that nobody uses, unless there are enough.
  void Offer(std::unique_ptr<Lane> lane);
  // Ends all jobs, failed or in doubt, and the workers. Returns when both are over.
  void Close();

  // Closes the lanes that have been idle since before then.
  void DropIdle(TimePoint since);
  // Whether it has neither lanes nor anything to do.
  bool IsUnused();

 private:
  class JobPatience;
  class ReadPatience;
  class CutPatience;
  struct Posted {
    std::shared_ptr<Job> job;
    size_t workers = 0;      // carrying it now
    size_t max_workers = 1;  // more would only be in each other's way
  };

  // A lane on loan from the pool. None: no other could be had, and those that there are do as well.
  struct Loan {
    std::unique_ptr<Lane> lane;
    bool was_idle = false;  // it has served before, and may have been closed since
  };
  struct Idle {
    std::unique_ptr<Lane> lane;
    TimePoint since;
  };

  void Work();
  // Waits for something to do; null: the peer is closed.
  Posted* NextPosted() REQUIRES(mu_);
  // resource_exhausted: there is none, and the machine has no thread left for one.
  Status StartWorkers() REQUIRES(mu_);
  // Ends posted jobs whose time is up while all workers are busy with others.
  void FailEndedJobs() EXCLUDES(mu_);
  // OK while that job should go on.
  Status Ended(const Job& job) const;
  // OK while the peer is open and has not been silent for so long, since then at the earliest.
  Status IsWell(TimePoint begun, Duration stall, TimePoint now) const;
  void NoteHeard();
  // When the peer will have been silent for as long as that bears.
  TimePoint StallsAt(TimePoint begun, Duration stall) const;
  // Until the deadline, or until then if the peer stays silent.
  Duration TimeLeft(TimePoint deadline, TimePoint begun, Duration stall) const;

  // Carries one fair share of the job. False: nothing of it can be carried (any more).
  bool CarryShare(Job& job, Patience& patience);
  // Decides what becomes of slices whose lane broke.
  void Settle(Job& job, const std::vector<Lane::Stranded>& stranded, const Status& why, bool retry,
              uint64_t lane_id);
  Status ConfirmCut(uint64_t lane_id);

  Result<Loan> Take(const Job& job, Patience& patience);
  // An idle lane that is still good, as far as it matters; null: there is none. Those
  // that are not are the caller's to end, without the lock.
  std::unique_ptr<Lane> TakeIdle(bool writes, TimePoint now,
                                 std::vector<std::unique_ptr<Lane>>* spent) REQUIRES(mu_);
  void GiveBack(std::unique_ptr<Lane> lane);
  // Forgets a broken lane, and the idle ones, which are likely to be broken too.
  void Discard();

  const std::shared_ptr<const PeerDescriptor> descriptor_;
  LaneMaker& maker_;
  const LaneOptions options_;
  std::atomic<bool> closing_ = false;
  std::atomic<TimePoint::rep> job_at_ = TimePoint::min().time_since_epoch().count();  // the last
  // When the peer last gave a sign of life over any lane; one that carries others' copies is
  // well, and will come to the rest.
  std::atomic<TimePoint::rep> heard_at_ = TimePoint::min().time_since_epoch().count();

  Mutex mu_;
  CondVar work_;  // jobs_ or closing_ changed
  CondVar lane_;  // idle_, open_ or waiting_ changed
  std::list<Posted> jobs_ GUARDED_BY(mu_);
  std::vector<std::thread> workers_ GUARDED_BY(mu_);
  std::deque<Idle> idle_ GUARDED_BY(mu_);   // the longest idle first; the last is used next
  size_t open_ GUARDED_BY(mu_) = 0;         // idle, in use or being opened
  TimePoint open_again_ GUARDED_BY(mu_){};  // before that, only if there is none
  // Who waits for a lane, first come first served.
  std::list<uint64_t> waiting_ GUARDED_BY(mu_);
  uint64_t next_ticket_ GUARDED_BY(mu_) = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_LANE_POOL_H_
