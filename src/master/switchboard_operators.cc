// What operators ask of the switchboard.

#include <algorithm>

#include "master/object_listing.h"
#include "master/switchboard.h"

namespace kvstore::master {

Census Switchboard::TakeCensus() const {
  MutexLock lock(mu_);
  return catalog_.TakeCensus(clock_.Now());
}

Snapshot Switchboard::TakeSnapshot() const {
  MutexLock lock(mu_);
  const TimePoint now = clock_.Now();
  return {pool_,
          term_,
          now - began_,
          catalog_.TakeCensus(now),
          catalog_.counters(),
          catalog_.ListNodes(now),
          catalog_.ReportClients(),
          catalog_.ListTasks(now)};
}

Counters Switchboard::counters() const {
  MutexLock lock(mu_);
  return catalog_.counters();
}

std::vector<NodeLine> Switchboard::ListNodes() const {
  MutexLock lock(mu_);
  return catalog_.ListNodes(clock_.Now());
}

std::vector<NodeEvent> Switchboard::ListDeparted() const {
  MutexLock lock(mu_);
  return catalog_.ListDeparted();
}

std::vector<SegmentLine> Switchboard::ListSegments() const {
  MutexLock lock(mu_);
  return catalog_.ListSegments(clock_.Now());
}

Result<std::vector<ObjectLine>> Switchboard::ListObjects(std::string_view prefix,
                                                         std::string_view after,
                                                         size_t limit) const {
  ObjectListing listing(prefix, after, limit);
  do {
    MutexLock lock(mu_);
    KVSTORE_RETURN_IF_ERROR(catalog_.AllIsKnown());
    catalog_.ListSome(clock_.Now(), &listing);
  } while (!listing.ended());
  return std::move(listing).Take();
}

Result<ObjectDetail> Switchboard::Describe(std::string_view key) const {
  MutexLock lock(mu_);
  return catalog_.Describe(clock_.Now(), key);
}

std::vector<TraceLine> Switchboard::ListTraces(std::string_view prefix) const {
  std::vector<TraceLine> lines;
  for (size_t part = 0; part < Catalog::kTraceParts; ++part) {
    MutexLock lock(mu_);
    catalog_.ListTraces(clock_.Now(), prefix, part, &lines);
  }
  const auto changed = [](const TraceLine& line) {
    if (!line.how) return line.missed;
    return line.misses == 0 ? line.ended : std::min(line.missed, line.ended);
  };
  std::sort(lines.begin(), lines.end(),
            [&](const TraceLine& a, const TraceLine& b) { return changed(a) < changed(b); });
  return lines;
}

std::optional<TraceLine> Switchboard::FindTrace(std::string_view key) const {
  MutexLock lock(mu_);
  return catalog_.FindTrace(clock_.Now(), key);
}

std::vector<TaskLine> Switchboard::ListTasks() const {
  MutexLock lock(mu_);
  return catalog_.ListTasks(clock_.Now());
}

Status Switchboard::Drain(std::string_view node, bool drain) {
  Mail mail;
  {
    MutexLock lock(mu_);
    Result<Effects> effects = catalog_.Drain(clock_.Now(), node, drain);
    if (!effects.ok()) return effects.status();
    mail = Address(*std::move(effects));
  }
  Deliver(std::move(mail));
  return Status::Ok();
}

Result<uint64_t> Switchboard::StartTask(const TaskRequest& request) {
  Mail mail;
  Result<uint64_t> id = [&] {
    MutexLock lock(mu_);
    Effects effects;
    Result<uint64_t> started = catalog_.StartTask(clock_.Now(), request, &effects);
    mail = Address(std::move(effects));
    return started;
  }();
  Deliver(std::move(mail));
  return id;
}

EvictOutcome Switchboard::Evict(const EvictRequest& request) {
  Mail mail;
  EvictOutcome outcome;
  {
    MutexLock lock(mu_);
    Effects effects;
    outcome = catalog_.Evict(clock_.Now(), request, &effects);
    mail = Address(std::move(effects));
  }
  Deliver(std::move(mail));
  return outcome;
}

Result<std::shared_ptr<EventQueue>> Switchboard::Watch(const EventFilter& filter,
                                                       std::function<void()> wake) {
  Result<std::shared_ptr<EventQueue>> queue = feed_.Watch(filter, std::move(wake));
  // The events that the queue gets until now are none of objects; what follows is told.
  MutexLock lock(mu_);
  catalog_.WatchObjects(ObjectsWanted());
  return queue;
}

}  // namespace kvstore::master
