#ifndef KVSTORE_SRC_MASTER_METRICS_H_
#define KVSTORE_SRC_MASTER_METRICS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "master/catalog.h"
#include "master/snapshot.h"
#include "proto/verbs.h"

namespace kvstore::master {

enum class StreamKind : uint8_t { kSession, kHeartbeat, kVerbs };

// The catalog's counters by the names that they have as metrics, such as
// "kvstore_puts_committed_total".
std::vector<std::pair<std::string_view, uint64_t>> NamedCounters(const Counters& counters);

// What the gRPC side counts, and all numbers of the master in Prometheus's text format. The owner
// of prometheus-cpp. Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void StreamOpened(StreamKind kind);
  void StreamClosed(StreamKind kind);
  // A request was decoded and decided on within `took`; items that wait are answered later.
  void Handled(const VerbRequest& request, Duration took);
  // A connection was closed: the process has no descriptor for it.
  void ConnectionRefused();
  // A request was out of the contract's limits.
  void Refused();
  // Items were answered; counted by status code.
  void Answered(const VerbReply& reply);
  // Orders were dropped because their node does not read them.
  void OrdersDropped(size_t count);

  // Everything, together with the catalog's numbers.
  std::string Scrape(const Snapshot& snapshot) const;

 private:
  struct Series;
  const std::unique_ptr<Series> series_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_METRICS_H_
