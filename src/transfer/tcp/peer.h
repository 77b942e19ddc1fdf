#ifndef KVSTORE_SRC_TRANSFER_TCP_PEER_H_
#define KVSTORE_SRC_TRANSFER_TCP_PEER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "kvstore/result.h"
#include "thread_annotations.h"
#include "transfer/descriptor.h"
#include "transfer/guards.h"
#include "transfer/tcp/connection.h"
#include "transfer/tcp/job.h"

namespace kvstore::transfer {

struct TcpClientOptions {
  uint32_t connections = 4;  // to one peer, shared by workers and direct callers
  ConnectionTimeouts timeouts;
  Duration idle_timeout = std::chrono::seconds(60);
  TransferGuards guards;
};

// All of this process's traffic to one holder: a pool of connections, opened when needed, and
// workers, started when needed, that carry posted jobs over them. Thread-safe.
class TcpPeer {
 public:
  TcpPeer(std::shared_ptr<const PeerDescriptor> descriptor, const TcpClientOptions& options);
  // Close comes first.
  ~TcpPeer();

  // Lets the workers carry it. After Close the job fails at once.
  void Post(std::shared_ptr<Job> job);
  // Carries it in the calling thread, whole.
  void Carry(Job& job);
  // Ends all jobs, failed or in doubt, and the workers. Returns when both are over.
  void Close();

  // Closes the connections that have been idle since before then.
  void DropIdle(TimePoint since);
  // Whether it has neither connections nor anything to do.
  bool IsUnused();

 private:
  class JobPatience;
  class CutPatience;
  struct Posted {
    std::shared_ptr<Job> job;
    size_t workers = 0;      // carrying it now
    size_t max_workers = 1;  // more would only be in each other's way
  };

  // A connection on loan from the pool. None: no other could be had, and those that there are do as
  // well.
  struct Loan {
    std::unique_ptr<Connection> connection;
    bool was_idle = false;  // it has served before, and may have been closed since
  };
  struct Idle {
    std::unique_ptr<Connection> connection;
    TimePoint since;
  };

  void Work();
  // Waits for something to do; null: the peer is closed.
  Posted* NextPosted() REQUIRES(mu_);
  void StartWorkers() REQUIRES(mu_);
  // Ends posted jobs whose time is up while all workers are busy with others.
  void FailEndedJobs() EXCLUDES(mu_);
  // OK while that job should go on.
  Status Ended(const Job& job) const;

  // Carries one fair share of the job. False: nothing of it can be carried (any more).
  bool CarryShare(Job& job, Patience& patience);
  // Decides what becomes of slices whose connection broke.
  void Settle(Job& job, const std::vector<Connection::Stranded>& stranded, const Status& why,
              bool retry, uint64_t connection_id);
  Status ConfirmCut(uint64_t connection_id);

  Result<Loan> Take(Patience& patience);
  // An idle connection that is still good; null: there is none.
  std::unique_ptr<Connection> TakeIdle() REQUIRES(mu_);
  Result<std::unique_ptr<Connection>> OpenAny(Patience& patience);
  void GiveBack(std::unique_ptr<Connection> connection);
  // Forgets a broken connection, and the idle ones, which are likely to be broken too.
  void Discard();

  const std::shared_ptr<const PeerDescriptor> descriptor_;
  const TcpClientOptions options_;
  std::atomic<bool> closing_ = false;
  // When the peer last gave a sign of life over any connection; one that carries others' copies is
  // well, and will come to the rest.
  std::atomic<TimePoint::rep> heard_at_ = TimePoint::min().time_since_epoch().count();

  Mutex mu_;
  CondVar work_;        // jobs_ or closing_ changed
  CondVar connection_;  // idle_, open_ or waiting_ changed
  std::list<Posted> jobs_ GUARDED_BY(mu_);
  std::vector<std::thread> workers_ GUARDED_BY(mu_);
  std::deque<Idle> idle_ GUARDED_BY(mu_);   // the longest idle first; the last is used next
  size_t open_ GUARDED_BY(mu_) = 0;         // idle, in use or being opened
  TimePoint open_again_ GUARDED_BY(mu_){};  // before that, only if there is none
  // Who waits for a connection, first come first served.
  std::list<uint64_t> waiting_ GUARDED_BY(mu_);
  uint64_t next_ticket_ GUARDED_BY(mu_) = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_PEER_H_
