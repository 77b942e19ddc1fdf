#include "master/watch_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "master/admin_messages.h"
#include "master/stream.h"
#include "thread_annotations.h"

namespace kvstore::master {
namespace {

constexpr size_t kMessageBytes = 256u << 10;  // of events, about

// Made by std::make_shared, then Begin. Thread-safe.
class WatchStream final : public grpc::ServerWriteReactor<v1::WatchReply>,
                          public Endable,
                          public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(Switchboard& switchboard, StreamTable& streams, TimePoint began)
      : switchboard_(switchboard), streams_(streams), began_(began) {}

  WatchStream* Begin(const v1::WatchRequest& request) {
    const auto self = shared_from_this();
    {
      MutexLock lock(mu_);
      self_ = self;
    }
    if (const Status status = streams_.Add(BootClock::now(), self); !status.ok()) End(status);
    Watch(request);
    Pump();
    return this;
  }

  void End(const Status& why) override {
    {
      MutexLock lock(mu_);
      if (ending_) return;
      ending_ = why;
    }
    Pump();
  }

  // Its request came with it.
  bool greeted() const override { return true; }

 private:
  void Watch(const v1::WatchRequest& request) {
    const Result<EventFilter> filter = Decode(request);
    if (!filter.ok()) return End(filter.status());
    auto queue = switchboard_.Watch(*filter, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Pump();
    });
    if (!queue.ok()) return End(queue.status());
    MutexLock lock(mu_);
    queue_ = *std::move(queue);
  }

  // As in stream.h: what to start is decided under the lock and started without it; `starting_`
  // keeps Finish behind every start.
  void Pump() {
    const auto alive = shared_from_this();
    for (;;) {
      bool finish = false;
      grpc::Status status;
      {
        MutexLock lock(mu_);
        if (finished_) return;
        if (ending_) {
          if (starting_ > 0) return;  // the starter comes back here
          finish = finished_ = true;
          status = ToGrpc(*ending_);
        } else {
          if (writing_ || !Compose()) return;
          writing_ = true;
          ++starting_;
        }
      }
      if (finish) {
        Finish(std::move(status));
        return;
      }
      StartWrite(&message_);
      MutexLock lock(mu_);
      --starting_;
    }
  }

  // The next message; false: there is nothing to say.
  bool Compose() REQUIRES(mu_) {
    if (queue_ == nullptr) return false;
    const EventQueue::Batch batch = queue_->Take(kMessageBytes);
    if (batch.events.empty() && batch.left_out == 0 && !first_) return false;
    first_ = false;
    message_.Clear();
    message_.set_now_us(Microseconds(BootClock::now() - began_));
    for (const PoolEvent& event : batch.events) Fill(event, began_, message_.add_events());
    message_.set_left_out(batch.left_out);
    return true;
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(mu_);
      writing_ = false;
    }
    if (!ok) return End(UnavailableError("the watcher is gone"));
    Pump();
  }

  void OnCancel() override { End(CancelledError("the watcher has gone")); }

  void OnDone() override {
    std::shared_ptr<WatchStream> last;
    std::shared_ptr<EventQueue> queue;
    {
      MutexLock lock(mu_);
      last.swap(self_);
      queue.swap(queue_);
    }
    streams_.Remove(this);
  }

  Switchboard& switchboard_;
  StreamTable& streams_;
  const TimePoint began_;

  v1::WatchReply message_;  // gRPC's while it writes, ours after that

  Mutex mu_;
  std::shared_ptr<WatchStream> self_ GUARDED_BY(mu_);  // from Begin to OnDone
  std::shared_ptr<EventQueue> queue_ GUARDED_BY(mu_);
  bool first_ GUARDED_BY(mu_) = true;  // the message that says that watching has begun is due
  bool writing_ GUARDED_BY(mu_) = false;
  int starting_ GUARDED_BY(mu_) = 0;  // threads that are inside StartWrite
  std::optional<Status> ending_ GUARDED_BY(mu_);
  bool finished_ GUARDED_BY(mu_) = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchReply>* OpenWatch(const v1::WatchRequest& request,
                                                    Switchboard& switchboard, StreamTable& streams,
                                                    TimePoint began) {
  return std::make_shared<WatchStream>(switchboard, streams, began)->Begin(request);
}

}  // namespace kvstore::master
