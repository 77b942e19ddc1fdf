#ifndef KVSTORE_SRC_MASTER_STREAM_H_
#define KVSTORE_SRC_MASTER_STREAM_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "kvstore/status.h"
#include "master/calls.h"
#include "master/message_in_arena.h"
#include "master/stream_table.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::master {

inline grpc::Status ToGrpc(const Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message()};
}

// Messages to bytes, and back.
template <typename Message>
grpc::Status Pack(const Message& message, grpc::ByteBuffer* bytes) {
  bool owned = false;
  return grpc::SerializationTraits<Message>::Serialize(message, bytes, &owned);
}
inline grpc::Status Pack(const grpc::ByteBuffer& message, grpc::ByteBuffer* bytes) {
  *bytes = message;
  return grpc::Status::OK;
}

template <typename Message>
grpc::Status Unpack(grpc::ByteBuffer* bytes, Message* message) {
  return grpc::SerializationTraits<Message>::Deserialize(bytes, message);
}
inline grpc::Status Unpack(grpc::ByteBuffer* bytes, grpc::ByteBuffer* message) {
  message->Swap(bytes);
  return grpc::Status::OK;
}

// One call at its server's end: reads one message at a time, writes from an outbox, and ends
// exactly once. Holds no thread while nothing happens. While the outbox is long nothing more is
// read, so that a client that does not take its answers is slowed down through gRPC's flow control.
//
// Made by std::make_shared, then Begin(). It owns itself until gRPC is done with it; others share
// it for as long as they like, and what they send later is dropped. Thread-safe.
template <typename In, typename Out>
class Stream : public Endable, public std::enable_shared_from_this<Stream<In, Out>> {
 public:
  static constexpr size_t kOutboxPauseBytes = kMaxMessageBytes;
  static constexpr size_t kOutboxLimitBytes = 64u << 20;

  // `table`: null, it is in none.
  Stream(std::unique_ptr<Call> call, StreamTable* table) : call_(std::move(call)), table_(table) {
    call_->over.told = [this](bool) { Over(); };
  }

  // Reading begins.
  void Begin(TimePoint now) EXCLUDES(mu_) {
    const auto self = this->shared_from_this();
    {
      MutexLock lock(mu_);
      self_ = self;
    }
    const Status added = table_ == nullptr ? Status::Ok() : table_->Add(now, self);
    if (!added.ok()) End(added);
    Look();
  }

  void End(const Status& why) override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (ending_) return;
    ending_ = why;
    outbox_.clear();
    Pump();
  }

  void EndWhenSent(const Status& why) override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (ending_ || end_when_sent_) return;
    end_when_sent_ = why;
    Pump();
  }

  bool greeted() const override { return greeted_.load(std::memory_order_relaxed); }

 protected:
  // A message has come, which is gone when this returns; the next is not read before.
  virtual void Received(In& message) = 0;
  // The stream has ended and nothing will call it again. Called once.
  virtual void Ended() = 0;
  // What to write now that nothing else waits; see Look. Nothing: nothing. Called with the stream
  // locked.
  virtual std::optional<Out> Compose() { return std::nullopt; }

  void SetGreeted() { greeted_.store(true, std::memory_order_relaxed); }
  // Of the thread that has received something: see Poller.
  void StepAside() { call_->poller.StepAside(); }
  grpc::ServerContext& context() { return call_->context; }

  // False: dropped, since `limit` bytes wait already, or the stream is ending.
  bool Post(const Out& message, size_t limit = kOutboxLimitBytes) EXCLUDES(mu_) {
    return Add(message, limit, /*first=*/false);
  }

  // Whatever is posted waits until Release, which sends `first` before it.
  void Hold() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    held_ = true;
  }
  void Release(const Out& first) EXCLUDES(mu_) {
    (void)Add(first, SIZE_MAX, /*first=*/true);  // not, when it is ending
  }

  // The client has said all: nothing more is read, and its end is not looked out for.
  void ReadNoMore() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    reads_ = false;
  }
  // An answer after which there is nothing more to say.
  void PostLast(const Out& message) EXCLUDES(mu_) {
    (void)Add(message, SIZE_MAX, /*first=*/false);
    MutexLock lock(mu_);
    is_last_ = true;
    Pump();
  }
  // Compose may have something.
  void Look() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    Pump();
  }

 private:
  template <void (Stream::*kDone)(bool)>
  class Step final : public Poller::Operation {
   public:
    explicit Step(Stream& stream) : stream_(stream) {}
    void Done(bool ok) override { (stream_.*kDone)(ok); }

   private:
    Stream& stream_;
  };

  void* Tag(Poller::Operation* step) REQUIRES(mu_) {
    ++under_way_;
    return call_->poller.Tag(step);
  }

  bool Add(const Out& message, size_t limit, bool first) EXCLUDES(mu_) {
    grpc::ByteBuffer bytes;
    if (!Pack(message, &bytes).ok()) return false;
    MutexLock lock(mu_);
    if (first) held_ = false;
    if (ending_ || end_when_sent_ || outbox_bytes_ > limit) return false;
    outbox_bytes_ += bytes.Length();
    outbox_.insert(first ? outbox_.begin() : outbox_.end(), std::move(bytes));
    Pump();
    return true;
  }

  // Starts whatever there is to do.
  void Pump() REQUIRES(mu_) {
    if (finished_) return;
    if (!ending_ && is_last_ && outbox_.empty() && !writing_) ending_ = Status::Ok();
    // What is held would wait for an answer that may never come.
    if (!ending_ && end_when_sent_ && (held_ || outbox_.empty()) && !writing_) {
      ending_ = end_when_sent_;
    }
    if (ending_) {
      finished_ = true;
      call_->wire.Finish(ToGrpc(*ending_), Tag(&finish_));
      return;
    }
    if (reads_ && !reading_ && !held_ && !is_last_ && !end_when_sent_ &&
        outbox_bytes_ <= kOutboxPauseBytes) {
      reading_ = true;
      call_->wire.Read(&incoming_, Tag(&read_));
    }
    if (writing_ || held_) return;
    if (outbox_.empty()) {
      const std::optional<Out> composed = Compose();
      grpc::ByteBuffer bytes;
      if (!composed || !Pack(*composed, &bytes).ok()) return;
      outbox_bytes_ += bytes.Length();
      current_ = std::move(bytes);
    } else {
      current_ = std::move(outbox_.front());
      outbox_.pop_front();
    }
    writing_ = true;
    call_->wire.Write(current_, Tag(&write_));
  }

  void HasRead(bool ok) EXCLUDES(mu_) {
    if (ok) {
      Take();
    } else {
      End(Status::Ok());  // the client is done, or gone
    }
    Back([this]() REQUIRES(mu_) { reading_ = false; });
  }

  void Take() EXCLUDES(mu_) {
    grpc::ByteBuffer bytes;
    {
      MutexLock lock(mu_);
      bytes.Swap(&incoming_);
    }
    // Most numbers take a byte or two there and eight here, and half as much again while they grow.
    constexpr size_t kTimes = 6;
    MessageInArena<In> message(kTimes * bytes.Length());
    const grpc::Status sound = Unpack(&bytes, &*message);
    if (sound.ok()) return Received(*message);
    End(InternalError("a message that can't be parsed: " + sound.error_message()));
  }

  void HasWritten(bool ok) EXCLUDES(mu_) {
    Back([this, ok]() REQUIRES(mu_) {
      writing_ = false;
      outbox_bytes_ -= current_.Length();
      if (!ok && !ending_) ending_ = UnavailableError("the client is gone");
    });
  }

  void HasFinished(bool) EXCLUDES(mu_) {
    Back([] {});
  }

  // gRPC's word that the call is over, whoever ended it. The first of under_way_.
  void Over() EXCLUDES(mu_) {
    End(CancelledError("the client has cancelled the stream"));
    Back([] {});
  }

  // One of those that are under way is not any more.
  template <typename Note>
  void Back(const Note& note) EXCLUDES(mu_) {
    std::shared_ptr<Stream> last;
    {
      MutexLock lock(mu_);
      note();
      Pump();
      if (--under_way_ > 0) return;
      last.swap(self_);
    }
    StepAside();
    Ended();
    if (table_ != nullptr) table_->Remove(this);
  }

  const std::unique_ptr<Call> call_;
  StreamTable* const table_;
  std::atomic<bool> greeted_{false};
  Step<&Stream::HasRead> read_{*this};
  Step<&Stream::HasWritten> write_{*this};
  Step<&Stream::HasFinished> finish_{*this};

  Mutex mu_;
  std::shared_ptr<Stream> self_ GUARDED_BY(mu_);  // from Begin until nothing is under way
  grpc::ByteBuffer incoming_ GUARDED_BY(mu_);     // gRPC's while it reads
  grpc::ByteBuffer current_ GUARDED_BY(mu_);      // gRPC's while it writes
  std::deque<grpc::ByteBuffer> outbox_ GUARDED_BY(mu_);
  size_t outbox_bytes_ GUARDED_BY(mu_) = 0;  // current_ included
  bool held_ GUARDED_BY(mu_) = false;
  bool reads_ GUARDED_BY(mu_) = true;
  bool reading_ GUARDED_BY(mu_) = false;
  bool writing_ GUARDED_BY(mu_) = false;
  bool is_last_ GUARDED_BY(mu_) = false;  // what waits is followed by nothing
  int under_way_ GUARDED_BY(mu_) = 1;     // of what gRPC will tell; its word of the call's end
  std::optional<Status> end_when_sent_ GUARDED_BY(mu_);
  std::optional<Status> ending_ GUARDED_BY(mu_);
  bool finished_ GUARDED_BY(mu_) = false;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_STREAM_H_
