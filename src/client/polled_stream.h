#ifndef KVSTORE_SRC_CLIENT_POLLED_STREAM_H_
#define KVSTORE_SRC_CLIENT_POLLED_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "client/poller.h"
#include "thread_annotations.h"

namespace kvstore::client {

// One bidirectional stream whose threads block: one writes, one reads, as with gRPC's own, except
// that neither polls. TryCancel of its context ends every wait. Begun and ended by the reader.
template <typename Out, typename In>
class PolledStream {
 public:
  using Wire = grpc::ClientAsyncReaderWriter<Out, In>;

  explicit PolledStream(Poller& poller) : poller_(poller) {}

  grpc::ClientContext* context() { return &context_; }

  // Waits for the connection.
  void Open(std::unique_ptr<Wire> prepared) EXCLUDES(mu_) {
    wire_ = std::move(prepared);
    Step step;
    wire_->StartCall(Begin(&step));
    Await(&step);
  }
  // False: the stream broke, perhaps already with the message before; this one is on its way else,
  // once the master has room for it.
  bool Write(const Out& message) EXCLUDES(mu_) {
    if (!Await(&write_)) return false;
    wire_->Write(message, Begin(&write_));
    return true;
  }
  void WritesDone() EXCLUDES(mu_) {
    if (Await(&write_)) wire_->WritesDone(Begin(&write_));
  }
  bool Read(In* message) EXCLUDES(mu_) {
    Step step;
    wire_->Read(message, Begin(&step));
    return Await(&step);
  }
  // After the last Write and Read, and once, if it was opened.
  grpc::Status Finish() EXCLUDES(mu_) {
    Await(&write_);
    grpc::Status status;
    Step step;
    wire_->Finish(&status, Begin(&step));
    Await(&step);
    return status;
  }

 private:
  struct Step final : Poller::Operation {
    void Done(bool went_well) override {
      MutexLock lock(owner->mu_);
      under_way = false;
      ok = went_well;
      owner->done_.NotifyAll();
    }
    PolledStream* owner = nullptr;
    bool under_way = false;
    bool ok = true;
  };

  void* Begin(Step* step) EXCLUDES(mu_) {
    {
      MutexLock lock(mu_);
      step->owner = this;
      step->under_way = true;
    }
    return poller_.Tag(step);
  }
  bool Await(Step* step) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (step->under_way) done_.Wait(mu_);
    return step->ok;
  }

  Poller& poller_;
  grpc::ClientContext context_;
  std::unique_ptr<Wire> wire_;

  Mutex mu_;
  CondVar done_;
  Step write_;  // the last one
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_POLLED_STREAM_H_
