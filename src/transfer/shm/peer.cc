#include "transfer/shm/peer.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

namespace kvstore::transfer {
namespace {

// How long one Find waits for a holder, which may be stopped.
constexpr Duration kPatience = std::chrono::seconds(1);
// For how long a failure to connect is remembered: doubled each time.
constexpr Duration kFirstBackOff = std::chrono::milliseconds(250);
constexpr Duration kLongestBackOff = std::chrono::seconds(4);
// For how long a refused region is.
constexpr Duration kRefusalHolds = std::chrono::seconds(1);

Status WasClosed() { return UnavailableError("the peer was closed at this end"); }

}  // namespace

ShmPeer::ShmPeer(std::shared_ptr<const PeerDescriptor> descriptor, std::function<void()> connected)
    : descriptor_(std::move(descriptor)),
      connected_(std::move(connected)),
      back_off_(kFirstBackOff) {}

std::optional<Result<std::shared_ptr<ShmRegion>>> ShmPeer::Known(const Key& key) {
  if (closed_) return WasClosed();
  used_ = true;
  if (connection_ != nullptr && connection_->ended()) DropConnection();
  if (connection_ == nullptr) {
    if (BootClock::now() < retry_at_) return failure_;
    return std::nullopt;
  }
  const auto found = regions_.find(key);
  if (found == regions_.end()) return std::nullopt;
  const Entry& entry = found->second;
  if (entry.region != nullptr) return entry.region;
  if (BootClock::now() < entry.retry_at) return entry.refusal;
  return std::nullopt;
}

Result<std::shared_ptr<ShmRegion>> ShmPeer::Find(RegionId region, Access access,
                                                 TimePoint deadline) {
  const Key key(region, access);
  std::optional<TimePoint> until;  // clocks are read only when there is something to wait for
  for (;;) {
    std::shared_ptr<ShmConnection> connection;
    {
      MutexLock lock(mu_);
      if (std::optional<Result<std::shared_ptr<ShmRegion>>> known = Known(key)) {
        return *std::move(known);
      }
      const TimePoint now = BootClock::now();
      if (!until) until = std::min(deadline, now + kPatience);
      if (now >= *until) {
        return DeadlineExceededError("the peer didn't share its memory in time");
      }
      if (asking_) {
        asked_.WaitUntil(mu_, *until);
        continue;
      }
      asking_ = true;
      connection = connection_;
    }
    if (connection == nullptr) {
      Connect(*until);
    } else {
      Ask(key, std::move(connection), *until);
    }
  }
}

void ShmPeer::Connect(TimePoint until) {
  Result<std::shared_ptr<ShmConnection>> opened = ShmConnection::Open(*descriptor_, until);
  MutexLock lock(mu_);
  asking_ = false;
  asked_.NotifyAll();
  if (closed_) return;  // the connection ends with its last reference
  if (opened.ok()) {
    connection_ = *std::move(opened);
    regions_.clear();
    back_off_ = kFirstBackOff;
    connected_();
    return;
  }
  NoteFailure(opened.status());
}

void ShmPeer::NoteFailure(const Status& why) {
  failure_ = why;
  retry_at_ = BootClock::now() + back_off_;
  back_off_ = std::min(2 * back_off_, kLongestBackOff);
}

void ShmPeer::Ask(const Key& key, std::shared_ptr<ShmConnection> connection, TimePoint until) {
  Entry entry;
  Result<ShmConnection::Answer> answer = connection->Ask(key.first, key.second, until);
  if (answer.ok()) {
    Result<std::shared_ptr<ShmRegion>> region =
        ShmRegion::Create(connection, key.first, key.second, *std::move(answer));
    if (region.ok()) {
      entry.region = *std::move(region);
    } else {
      entry.refusal = region.status();
    }
  } else {
    entry.refusal = answer.status();
  }
  // Nothing more is to be had of it. Where only the answer is late, what it brought stays.
  const bool broken = entry.refusal.code() == StatusCode::kUnavailable;
  if (broken) connection->End();
  entry.retry_at = BootClock::now() + kRefusalHolds;
  MutexLock lock(mu_);
  asking_ = false;
  asked_.NotifyAll();
  if (broken) NoteFailure(entry.refusal);
  if (connection_ == connection) regions_[key] = std::move(entry);
}

void ShmPeer::DropConnection() {
  connection_->End();
  connection_.reset();
  regions_.clear();
}

void ShmPeer::Close() {
  MutexLock lock(mu_);
  closed_ = true;
  if (connection_ != nullptr) DropConnection();
  asked_.NotifyAll();
}

std::shared_ptr<ShmConnection> ShmPeer::connection() {
  MutexLock lock(mu_);
  return connection_;
}

bool ShmPeer::DropIdle(TimePoint window_since, TimePoint peer_since) {
  const TimePoint now = BootClock::now();
  std::map<Key, Entry> dropped;  // unmapped without the lock
  MutexLock lock(mu_);
  bool in_use = std::exchange(used_, false) || asking_;
  for (auto it = regions_.begin(); it != regions_.end();) {
    const auto next = std::next(it);
    Entry& entry = it->second;
    if (entry.region == nullptr) {
      if (now >= entry.retry_at) dropped.insert(regions_.extract(it));
    } else if (entry.region->IsClosed()) {
      dropped.insert(regions_.extract(it));
    } else {
      if (it->first.second == Access::kWrite) entry.region->windows().DropIdle(window_since);
      // References are made under the mutex only.
      in_use = in_use || entry.region.use_count() > 1;
    }
    it = next;
  }
  if (in_use) last_used_ = now;
  const bool idle = last_used_ <= peer_since;
  if (connection_ != nullptr && (idle || connection_->ended())) {
    dropped.merge(regions_);
    DropConnection();
  }
  return idle;
}

}  // namespace kvstore::transfer
