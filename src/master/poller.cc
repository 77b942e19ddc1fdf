#include "master/poller.h"

#include <algorithm>
#include <utility>

namespace kvstore::master {
namespace {

// Whose queue this thread polls; null: nobody's, or not any more.
thread_local const Poller* t_polls = nullptr;

}  // namespace

Poller::Poller(std::unique_ptr<grpc::ServerCompletionQueue> queue, size_t most)
    : queue_(std::move(queue)), most_(std::max<size_t>(most, 2)) {
  MutexLock lock(mu_);
  threads_.emplace_back([this] { Run(); });
}

Poller::~Poller() {
  queue_->Shutdown();
  std::vector<std::thread> threads;
  {
    MutexLock lock(mu_);
    while (!ended_) vacant_.Wait(mu_);  // no thread is added after that
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void* Poller::Tag(Operation* operation) {
  // gRPC orders all this before the operation's end, but only a mutex of ours shows ThreadSanitizer
  // so.
  MutexLock lock(mu_);
  return operation;
}

void Poller::StepAside() {
  if (t_polls != this) return;
  MutexLock lock(mu_);
  if (idle_ == 0 && threads_.size() >= most_) return;  // nobody is left to take the place
  t_polls = nullptr;
  polled_ = false;
  if (idle_ > 0) {
    vacant_.NotifyOne();
  } else {
    threads_.emplace_back([this] { Run(); });
  }
}

void Poller::Run() {
  bool more = true;
  while (more) {
    {
      MutexLock lock(mu_);
      ++idle_;
      while (polled_ && !ended_) vacant_.Wait(mu_);
      --idle_;
      if (ended_) return;
      polled_ = true;
      t_polls = this;
    }
    more = Poll();
  }
  MutexLock lock(mu_);
  ended_ = true;
  vacant_.NotifyAll();
}

bool Poller::Poll() {
  while (t_polls == this) {
    void* tag = nullptr;
    bool ok = false;
    if (!queue_->Next(&tag, &ok)) return false;
    {
      MutexLock lock(mu_);  // see Tag
    }
    static_cast<Operation*>(tag)->Done(ok);
  }
  return true;
}

}  // namespace kvstore::master
