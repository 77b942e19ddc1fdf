#include "master/event_feed.h"

#include <string_view>
#include <utility>

#include "master/event_names.h"

namespace kvstore::master {
namespace {

constexpr size_t kEventBytes = sizeof(PoolEvent);

size_t BytesOf(const NodeEvent& event) { return kEventBytes + event.name.size(); }
size_t BytesOf(const ObjectEvent& event) {
  return kEventBytes + event.key.size() + event.node.size();
}
size_t BytesOf(const PoolEvent& event) {
  return std::visit([](const auto& what) { return BytesOf(what); }, event.what);
}

// Calls `see(bit, name)` for each kind of that family.
template <typename What, typename See>
void ForEachKind(size_t count, const See& see) {
  for (size_t i = 0; i < count; ++i) see(uint32_t{1} << i, EventName(static_cast<What>(i)));
}
static_assert(kNodeEvents <= 32 && kObjectEvents <= 32);

template <typename See>
void ForEachNodeKind(const See& see) {
  ForEachKind<NodeEvent::What>(kNodeEvents, see);
}
template <typename See>
void ForEachObjectKind(const See& see) {
  ForEachKind<ObjectEvent::What>(kObjectEvents, see);
}

Status UnknownKind(std::string_view kind) {
  std::string known;
  const auto list = [&known](uint32_t, std::string_view name) {
    known += (known.empty() ? "" : ", ") + std::string(name);
  };
  ForEachNodeKind(list);
  ForEachObjectKind(list);
  return InvalidArgumentError("no kind of event is '" + std::string(kind) + "'; there are " +
                              known);
}

}  // namespace

bool EventQueue::Wants(const NodeEvent& event) const {
  return (wanted_.nodes >> static_cast<uint32_t>(event.what) & 1) != 0;
}

bool EventQueue::Wants(const ObjectEvent& event) const {
  return (wanted_.objects >> static_cast<uint32_t>(event.what) & 1) != 0 &&
         event.key.starts_with(wanted_.prefix);
}

template <typename Event>
void EventQueue::Add(TimePoint when, const Event& event) {
  if (!Wants(event)) return;
  const size_t bytes = BytesOf(event);
  MutexLock lock(mu_);
  news_ = true;
  // Once one is left out so are all that follow, until the watcher has been told how many.
  if (left_out_ > 0 || events_.size() == kMostEvents || bytes_ + bytes > kMostBytes) {
    ++left_out_;
    return;
  }
  bytes_ += bytes;
  events_.push_back({when, event});
}

EventQueue::Batch EventQueue::Take(size_t bytes) {
  Batch batch;
  MutexLock lock(mu_);
  for (size_t taken = 0; !events_.empty() && taken < bytes;) {
    const size_t size = BytesOf(events_.front());
    taken += size;
    bytes_ -= size;
    batch.events.push_back(std::move(events_.front()));
    events_.pop_front();
  }
  if (events_.empty()) batch.left_out = std::exchange(left_out_, 0);
  return batch;
}

bool EventQueue::TakeNews() {
  MutexLock lock(mu_);
  return std::exchange(news_, false);
}

Result<std::shared_ptr<EventQueue>> EventFeed::Watch(const EventFilter& filter,
                                                     std::function<void()> wake) {
  EventQueue::Wanted wanted{.prefix = filter.prefix};
  for (const std::string& kind : filter.kinds) {
    bool known = false;
    const auto mark = [&](uint32_t* bits) {
      return [&known, &kind, bits](uint32_t bit, std::string_view name) {
        if (name != kind) return;
        known = true;
        *bits |= bit;
      };
    };
    ForEachNodeKind(mark(&wanted.nodes));
    ForEachObjectKind(mark(&wanted.objects));
    if (!known) return UnknownKind(kind);
  }
  if (filter.kinds.empty()) wanted.nodes = wanted.objects = UINT32_MAX;
  if (!filter.prefix.empty()) wanted.nodes = 0;

  // The constructor is the feed's alone.
  std::shared_ptr<EventQueue> queue(new EventQueue(std::move(wanted), std::move(wake)));
  MutexLock lock(mu_);
  std::erase_if(queues_, [](const auto& known) { return known.expired(); });
  if (queues_.size() >= kMostWatchers) {
    return ResourceExhaustedError(std::to_string(queues_.size()) +
                                  " watchers are served already, as many as there may be");
  }
  queues_.push_back(queue);
  watchers_.store(queues_.size(), std::memory_order_relaxed);
  if (queue->wanted_.objects != 0) wants_objects_.store(true, std::memory_order_relaxed);
  return queue;
}

std::vector<std::shared_ptr<EventQueue>> EventFeed::Watchers() {
  std::vector<std::shared_ptr<EventQueue>> watchers;
  if (watchers_.load(std::memory_order_relaxed) == 0) return watchers;
  MutexLock lock(mu_);
  for (const auto& known : queues_) {
    if (auto queue = known.lock()) watchers.push_back(std::move(queue));
  }
  return watchers;
}

void EventFeed::Add(TimePoint now, const std::vector<NodeEvent>& nodes,
                    const std::vector<ObjectEvent>& objects) {
  if (nodes.empty() && objects.empty()) return;
  for (const auto& queue : Watchers()) {
    for (const NodeEvent& event : nodes) queue->Add(now, event);
    for (const ObjectEvent& event : objects) queue->Add(now, event);
  }
}

void EventFeed::Wake() {
  const auto watchers = Watchers();
  for (const auto& queue : watchers) {
    if (queue->TakeNews()) queue->wake_();
  }
  if (watchers.size() == watchers_.load(std::memory_order_relaxed)) return;
  MutexLock lock(mu_);
  std::erase_if(queues_, [](const auto& known) { return known.expired(); });
  watchers_.store(queues_.size(), std::memory_order_relaxed);
  bool objects = false;
  for (const auto& known : queues_) {
    const auto queue = known.lock();
    objects = objects || (queue != nullptr && queue->wanted_.objects != 0);
  }
  wants_objects_.store(objects, std::memory_order_relaxed);
}

}  // namespace kvstore::master
