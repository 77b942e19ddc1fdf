#ifndef KVSTORE_SRC_MASTER_METRICS_FAMILIES_H_
#define KVSTORE_SRC_MASTER_METRICS_FAMILIES_H_

#include <prometheus/metric_family.h>

#include <vector>

#include "master/snapshot.h"

namespace kvstore::master {

// The gauges of the pool, of each node that lends, and what clients have counted, as metrics. Of
// nodes the first 200 names have series of their own; the others are summed up as "other".
void AddPool(const Snapshot& snapshot, std::vector<prometheus::MetricFamily>* families);
void AddNodes(const Snapshot& snapshot, std::vector<prometheus::MetricFamily>* families);
void AddClients(const Snapshot& snapshot, std::vector<prometheus::MetricFamily>* families);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_METRICS_FAMILIES_H_
