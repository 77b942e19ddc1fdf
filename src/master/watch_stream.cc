#include "master/watch_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "kvstore/v1/admin.pb.h"
#include "master/admin_messages.h"
#include "master/stream.h"
#include "thread_annotations.h"

namespace kvstore::master {
namespace {

constexpr size_t kMessageBytes = 256u << 10;  // of events, about

// Made by std::make_shared, then Begin. Thread-safe.
class WatchStream final : public Stream<v1::WatchRequest, v1::WatchReply> {
 public:
  WatchStream(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
              TimePoint began)
      : Stream(std::move(call), &streams), switchboard_(switchboard), began_(began) {}

 private:
  void Received(v1::WatchRequest& request) override {
    SetGreeted();
    ReadNoMore();
    StepAside();
    const Result<EventFilter> filter = Decode(request);
    if (!filter.ok()) return End(filter.status());
    const std::weak_ptr<Stream> weak = weak_from_this();
    auto queue = switchboard_.Watch(*filter, [weak] {
      if (const auto self = std::static_pointer_cast<WatchStream>(weak.lock())) self->Look();
    });
    if (!queue.ok()) return End(queue.status());
    {
      MutexLock lock(mu_);
      queue_ = *std::move(queue);
    }
    Look();
  }

  std::optional<v1::WatchReply> Compose() override {
    MutexLock lock(mu_);
    if (queue_ == nullptr) return std::nullopt;
    const EventQueue::Batch batch = queue_->Take(kMessageBytes);
    if (batch.events.empty() && batch.left_out == 0 && !first_) return std::nullopt;
    first_ = false;
    v1::WatchReply message;
    message.set_now_us(Microseconds(BootClock::now() - began_));
    for (const PoolEvent& event : batch.events) Fill(event, began_, message.add_events());
    message.set_left_out(batch.left_out);
    return message;
  }

  void Ended() override {
    MutexLock lock(mu_);
    queue_.reset();
  }

  Switchboard& switchboard_;
  const TimePoint began_;

  Mutex mu_;
  std::shared_ptr<EventQueue> queue_ GUARDED_BY(mu_);
  bool first_ GUARDED_BY(mu_) = true;  // the message that says that watching has begun is due
};

}  // namespace

void OpenWatch(std::unique_ptr<Call> call, Switchboard& switchboard, StreamTable& streams,
               TimePoint began) {
  std::make_shared<WatchStream>(std::move(call), switchboard, streams, began)
      ->Begin(BootClock::now());
}

}  // namespace kvstore::master
