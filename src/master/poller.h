#ifndef KVSTORE_SRC_MASTER_POLLER_H_
#define KVSTORE_SRC_MASTER_POLLER_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "thread_annotations.h"

namespace kvstore::master {

// gRPC's completion queue of the master, on which all its streams are, polled by one thread at a
// time: a second one would be woken by gRPC with every message, to take the first one's place. That
// thread also does what follows from a message, and answers it. What may take long is preceded by
// StepAside, so that another thread polls meanwhile, and heartbeats above all are not held up.
//
// Thread-safe.
class Poller {
 public:
  // What is told that one of gRPC's operations is done.
  class Operation {
   public:
    virtual ~Operation() = default;
    virtual void Done(bool ok) = 0;
  };

  // As many threads as have stepped aside at a time, and one, but not more than `most`.
  Poller(std::unique_ptr<grpc::ServerCompletionQueue> queue, size_t most);
  // Waits until all operations are done: the server is shut down, so that each ends by itself.
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }
  // The tag of an operation that is about to be started; it is told once, and stays until then.
  void* Tag(Operation* operation) EXCLUDES(mu_);

  // In Operation::Done: what follows may take long, or wait for a lock. Nothing, in another thread.
  void StepAside() EXCLUDES(mu_);

 private:
  void Run() EXCLUDES(mu_);
  // Until this thread has stepped aside; false: nothing will come any more.
  bool Poll() EXCLUDES(mu_);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const size_t most_;

  Mutex mu_;
  CondVar vacant_;
  bool polled_ GUARDED_BY(mu_) = false;
  bool ended_ GUARDED_BY(mu_) = false;
  size_t idle_ GUARDED_BY(mu_) = 0;  // threads that wait for their turn
  std::vector<std::thread> threads_ GUARDED_BY(mu_);
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_POLLER_H_
