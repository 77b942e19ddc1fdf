#ifndef KVSTORE_SRC_MASTER_EVENT_FEED_H_
#define KVSTORE_SRC_MASTER_EVENT_FEED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "master/catalog.h"
#include "thread_annotations.h"

namespace kvstore::master {

// Something that has become of a node or an object.
struct PoolEvent {
  TimePoint when{};
  std::variant<NodeEvent, ObjectEvent> what;
};

// What one watcher wants to hear of.
struct EventFilter {
  std::string prefix;              // not empty: only of objects whose keys begin so
  std::vector<std::string> kinds;  // as in event_names.h; empty: all
};

// The events that one watcher has not taken yet. Bounded: what doesn't fit is left out and counted.
// Thread-safe.
class EventQueue {
 public:
  static constexpr size_t kMostEvents = 8192;
  static constexpr size_t kMostBytes = 4u << 20;  // of keys and names, about

  struct Batch {
    std::vector<PoolEvent> events;
    uint64_t left_out = 0;  // events of this watcher that came after these and are lost
  };

  // The oldest events, of about `bytes` or a little more; at least one where there is any.
  Batch Take(size_t bytes = kMostBytes) EXCLUDES(mu_);

 private:
  friend class EventFeed;
  struct Wanted {
    std::string prefix;
    uint32_t nodes = 0, objects = 0;  // a bit per kind
  };

  EventQueue(Wanted wanted, std::function<void()> wake)
      : wanted_(std::move(wanted)), wake_(std::move(wake)) {}

  bool Wants(const NodeEvent& event) const;
  bool Wants(const ObjectEvent& event) const;
  template <typename Event>
  void Add(TimePoint when, const Event& event) EXCLUDES(mu_);
  // Whether anything came since the last time that this was asked.
  bool TakeNews() EXCLUDES(mu_);

  const Wanted wanted_;
  const std::function<void()> wake_;

  Mutex mu_;
  std::deque<PoolEvent> events_ GUARDED_BY(mu_);
  size_t bytes_ GUARDED_BY(mu_) = 0;
  uint64_t left_out_ GUARDED_BY(mu_) = 0;
  bool news_ GUARDED_BY(mu_) = false;
};

// Hands what happens in the pool to all who watch it. Add is called where events are in order, that
// is under the catalog's lock, and only appends; Wake is called without it. Thread-safe.
class EventFeed {
 public:
  static constexpr size_t kMostWatchers = 64;

  // Events from now on. They come for as long as the queue is kept. `wake` is called from Wake,
  // also once after the queue has been given up; it must not block.
  // invalid_argument: an unknown kind; resource_exhausted: too many watchers.
  Result<std::shared_ptr<EventQueue>> Watch(const EventFilter& filter, std::function<void()> wake)
      EXCLUDES(mu_);

  // Whether anybody watches objects.
  bool wants_objects() const { return wants_objects_.load(std::memory_order_relaxed); }

  void Add(TimePoint now, const std::vector<NodeEvent>& nodes,
           const std::vector<ObjectEvent>& objects) EXCLUDES(mu_);
  // Wakes the watchers that have something new to take, and forgets those that have gone.
  void Wake() EXCLUDES(mu_);

 private:
  std::vector<std::shared_ptr<EventQueue>> Watchers() EXCLUDES(mu_);

  std::atomic<size_t> watchers_{0};
  std::atomic<bool> wants_objects_{false};

  Mutex mu_;
  std::vector<std::weak_ptr<EventQueue>> queues_ GUARDED_BY(mu_);
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_EVENT_FEED_H_
