#ifndef KVSTORE_SRC_CLIENT_VERB_CHANNEL_H_
#define KVSTORE_SRC_CLIENT_VERB_CHANNEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "kvstore/clock.h"
#include "proto/verbs.h"

namespace kvstore::client {

// What one call sleeps on until replies arrive. Notify may come from any thread, before or during
// Wait.
class Wakeup {
 public:
  virtual ~Wakeup() = default;
  // Returns after a Notify that no earlier Wait has consumed, at `until`, or spuriously.
  virtual void WaitUntil(TimePoint until) = 0;
  virtual void Notify() = 0;
};

// Carries verb requests to the master and its replies back, each at most once per send, perhaps
// never. Over gRPC a message is lost only with its stream; the simulator's network loses, repeats
// and reorders. Thread-safe.
class VerbChannel {
 public:
  virtual ~VerbChannel() = default;

  // Called for every reply, from any thread; set once, before the first Send. Must not block.
  virtual void OnReply(std::function<void(VerbReply)> receiver) = 0;

  // Sends or drops; returns within `deadline`. None: it was dropped here, and no master will ever
  // see it; otherwise the one of that term may, which need not be term() before or after. Whatever
  // is wrong with the connection is mended in the background.
  virtual std::optional<uint64_t> Send(const VerbRequest& request, TimePoint deadline) = 0;

  // Changes whenever messages sent earlier may have been lost (a stream was opened anew), so that
  // waiting calls send again at once; they are notified of the change.
  virtual uint64_t epoch() const = 0;

  // Of the master to whom messages go now; 0: there was none yet. Replies of earlier masters are
  // not delivered any more.
  virtual uint64_t term() const = 0;

  // Why the master can't be reached just now; OK when it can, as far as is known.
  virtual Status health() const = 0;

  // When calls stop waiting for a master that can't be reached; who waits is notified when that
  // changes. None: it can be, or they wait for as long as they may.
  virtual std::optional<TimePoint> gives_up_at() const { return std::nullopt; }

  virtual std::unique_ptr<Wakeup> NewWakeup() = 0;
  virtual const Clock& clock() const = 0;
  // Of this node now; replies to an earlier incarnation's requests are not delivered.
  virtual Incarnation incarnation() const = 0;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_VERB_CHANNEL_H_
