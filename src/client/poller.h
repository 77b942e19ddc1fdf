#ifndef KVSTORE_SRC_CLIENT_POLLER_H_
#define KVSTORE_SRC_CLIENT_POLLER_H_

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <thread>

#include "kvstore/clock.h"
#include "thread_annotations.h"

namespace kvstore::client {

// gRPC's completion queue of one client, on which all its streams are: never more than one thread
// polls it, and that one is, if possible, a caller that waits for an answer. It has its answer
// without being woken by anybody; a second thread that polled, on this queue or on another, would
// be woken by gRPC with every message to take the first one's place.
//
// Who waits polls, tells others what is theirs, and leaves the queue to one of those when it has
// its own. Where nobody has waited for a while the poller's own thread does it.
//
// Thread-safe. Its waiters, and the operations that are not done, must have ended before it does.
class Poller {
 public:
  // What is told that one of gRPC's operations is done, by whichever thread polls. Must not block.
  class Operation {
   public:
    virtual ~Operation() = default;
    virtual void Done(bool ok) = 0;
  };

  // What one caller sleeps on. Waits are its own, Notify is anybody's.
  class Waiter {
   public:
    explicit Waiter(Poller& poller) : poller_(poller) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    // Returns after a Notify that no earlier wait has consumed, or at `until`.
    void WaitUntil(TimePoint until) { poller_.Wait(this, until); }
    void Notify() { poller_.Wake(this); }

   private:
    friend class Poller;
    Poller& poller_;
    CondVar awake_;
    bool notified_ = false;  // this and the rest under the poller's mutex
    bool leads_ = false;
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  grpc::CompletionQueue* queue() { return &queue_; }
  // The tag of an operation that is about to be started; it is told once, and stays until then.
  void* Tag(Operation* operation) EXCLUDES(mu_);
  // Tells of some of what is done already, unless somebody polls: for who has something else to do
  // for a while before it waits. Returns soon, whatever others do.
  void PollReady() EXCLUDES(mu_);

 private:
  // Ends the wait of a thread that polls.
  class Kick final : public Operation {
   public:
    explicit Kick(Poller& poller) : poller_(poller) {}
    void Done(bool) override;

   private:
    Poller& poller_;
  };

  void Wait(Waiter* waiter, TimePoint until) EXCLUDES(mu_);
  void Wake(Waiter* waiter) EXCLUDES(mu_);
  // Polls for one operation; false: none came.
  bool PollOnce(TimePoint until) EXCLUDES(mu_);
  void LeaveQueue() REQUIRES(mu_);
  void Interrupt() REQUIRES(mu_);

  // The own thread.
  void StandBy() EXCLUDES(mu_);
  void PollWhileNobodyWaits() EXCLUDES(mu_);
  void AwaitQuiet() REQUIRES(mu_);

  grpc::CompletionQueue queue_;
  grpc::Alarm alarm_;
  Kick kick_{*this};

  Mutex mu_;
  CondVar quiet_;
  CondVar all_done_;
  bool polled_ GUARDED_BY(mu_) = false;  // somebody polls
  std::thread::id polls_ GUARDED_BY(mu_);
  std::list<Waiter*> waiting_
      GUARDED_BY(mu_);                      // while another polls, in the order in which they came
  uint64_t waits_ GUARDED_BY(mu_) = 0;      // begun
  uint64_t under_way_ GUARDED_BY(mu_) = 0;  // operations
  bool kicked_ GUARDED_BY(mu_) = false;
  bool rests_ GUARDED_BY(mu_) = false;  // the own thread, until the queue is left
  bool closing_ GUARDED_BY(mu_) = false;

  std::thread stand_by_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_POLLER_H_
