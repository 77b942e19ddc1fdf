#ifndef KVSTORE_SRC_MASTER_STREAM_H_
#define KVSTORE_SRC_MASTER_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "kvstore/status.h"
#include "master/stream_table.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::master {

inline grpc::Status ToGrpc(const Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message()};
}

// One bidirectional stream at its server's end: reads one message at a time, writes from an outbox,
// and ends exactly once. Holds no thread while nothing happens. While the outbox is long nothing
// more is read, so that a client that does not take its answers is slowed down through gRPC's flow
// control.
//
// Made by std::make_shared, then Begin(). It owns itself until gRPC is done with it; others share
// it for as long as they like, and what they send later is dropped. Thread-safe.
template <typename In, typename Out>
class Stream : public grpc::ServerBidiReactor<In, Out>,
               public Endable,
               public std::enable_shared_from_this<Stream<In, Out>> {
 public:
  static constexpr size_t kOutboxPauseBytes = kMaxMessageBytes;
  static constexpr size_t kOutboxLimitBytes = 64u << 20;

  explicit Stream(StreamTable& table) : table_(table) {}

  // The reactor to hand to gRPC; reading begins.
  Stream* Begin(TimePoint now) {
    const auto self = this->shared_from_this();
    {
      MutexLock lock(mu_);
      self_ = self;
    }
    if (const Status status = table_.Add(now, self); !status.ok()) End(status);
    Pump();
    return this;
  }

  void End(const Status& why) override {
    {
      MutexLock lock(mu_);
      if (ending_) return;
      ending_ = why;
      outbox_.clear();
    }
    Pump();
  }

  bool greeted() const override { return greeted_.load(std::memory_order_relaxed); }

 protected:
  // A message has come; the next is not read before this returns.
  virtual void Received(In message) = 0;
  // The stream has ended and nothing will call it again. Called once.
  virtual void Ended() = 0;

  void SetGreeted() { greeted_.store(true, std::memory_order_relaxed); }

  // False: dropped, since `limit` bytes wait already, or the stream is ending.
  bool Post(Out message, size_t limit = kOutboxLimitBytes) {
    const size_t bytes = message.ByteSizeLong();
    {
      MutexLock lock(mu_);
      if (ending_ || outbox_bytes_ > limit) return false;
      outbox_bytes_ += bytes;
      outbox_.push_back({std::move(message), bytes});
    }
    Pump();
    return true;
  }

  // Whatever is posted waits until Release, which sends `first` before it.
  void Hold() {
    MutexLock lock(mu_);
    held_ = true;
  }
  void Release(Out first) {
    {
      MutexLock lock(mu_);
      const size_t bytes = first.ByteSizeLong();
      held_ = false;
      outbox_bytes_ += bytes;
      outbox_.push_front({std::move(first), bytes});
    }
    Pump();
  }

 private:
  struct Letter {
    Out message;
    size_t bytes = 0;
  };

  // What to start is decided under the lock and started without it, since gRPC may call back from
  // inside. `starting_` keeps Finish, after which this object may be gone for gRPC, behind every
  // start.
  void Pump() {
    const auto alive = this->shared_from_this();
    for (;;) {
      bool read = false, write = false, finish = false;
      {
        MutexLock lock(mu_);
        if (finished_) return;
        if (ending_) {
          if (starting_ > 0) return;  // the starter comes back here
          finish = finished_ = true;
        } else {
          read = !reading_ && !held_ && outbox_bytes_ <= kOutboxPauseBytes;
          write = !writing_ && !held_ && !outbox_.empty();
          if (!read && !write) return;
          ++starting_;
          if (read) reading_ = true;
          if (write) {
            writing_ = true;
            current_ = std::move(outbox_.front());
            outbox_.pop_front();
          }
        }
      }
      if (finish) {
        Finish();
        return;
      }
      if (read) this->StartRead(&incoming_);
      if (write) this->StartWrite(&current_.message);
      MutexLock lock(mu_);
      --starting_;
    }
  }

  void Finish() {
    grpc::Status status;
    {
      MutexLock lock(mu_);
      status = ToGrpc(*ending_);
    }
    grpc::ServerBidiReactor<In, Out>::Finish(std::move(status));
  }

  void OnReadDone(bool ok) final {
    if (!ok) return End(Status::Ok());  // the client is done, or gone
    In message;
    {
      MutexLock lock(mu_);
      message.Swap(&incoming_);
    }
    Received(std::move(message));
    {
      MutexLock lock(mu_);
      reading_ = false;
    }
    Pump();
  }

  void OnWriteDone(bool ok) final {
    {
      MutexLock lock(mu_);
      writing_ = false;
      outbox_bytes_ -= current_.bytes;
    }
    if (!ok) return End(UnavailableError("the client is gone"));
    Pump();
  }

  void OnCancel() final { End(CancelledError("the client has cancelled the stream")); }

  void OnDone() final {
    std::shared_ptr<Stream> last;
    {
      MutexLock lock(mu_);
      last.swap(self_);
    }
    Ended();
    table_.Remove(this);
  }

  StreamTable& table_;
  std::atomic<bool> greeted_{false};

  // gRPC's while it reads or writes, ours after that.
  In incoming_;
  Letter current_;

  Mutex mu_;
  std::shared_ptr<Stream> self_ GUARDED_BY(mu_);  // from Begin to OnDone
  std::deque<Letter> outbox_ GUARDED_BY(mu_);
  size_t outbox_bytes_ GUARDED_BY(mu_) = 0;  // current_ included
  bool held_ GUARDED_BY(mu_) = false;
  bool reading_ GUARDED_BY(mu_) = false;
  bool writing_ GUARDED_BY(mu_) = false;
  int starting_ GUARDED_BY(mu_) = 0;  // threads that are inside StartRead or StartWrite
  std::optional<Status> ending_ GUARDED_BY(mu_);
  bool finished_ GUARDED_BY(mu_) = false;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_STREAM_H_
