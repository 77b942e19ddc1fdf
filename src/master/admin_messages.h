#ifndef KVSTORE_SRC_MASTER_ADMIN_MESSAGES_H_
#define KVSTORE_SRC_MASTER_ADMIN_MESSAGES_H_

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "kvstore/v1/admin.pb.h"
#include "master/catalog.h"
#include "master/event_feed.h"

namespace kvstore::master {

// The catalog's lines for operators as messages of admin.proto, and requests as the catalog has
// them.

uint64_t Microseconds(Duration d);  // 0 for negative ones

void Fill(const Incarnation& from, v1::Id128* to);
void Fill(const Census& from, v1::GetStatusReply* to);
void Fill(const NodeLine& from, v1::Node* to);
void Fill(const SegmentLine& from, v1::Segment* to);
void Fill(const ObjectLine& from, v1::ObjectLine* to);
void Fill(const ObjectDetail& from, v1::DescribeObjectReply* to);
void Fill(const TraceLine& from, v1::KeyTrace* to);
void Fill(const EvictOutcome& from, v1::EvictReply* to);
void Fill(const TaskLine& from, v1::Task* to);
void Fill(const NodeEvent& from, v1::Event* to);
// `began`: of the master's uptime.
void Fill(const PoolEvent& from, TimePoint began, v1::Event* to);

// invalid_argument: out of the limits that admin.proto names.
Status CheckKey(std::string_view key);
Status CheckNodeName(std::string_view name);
Result<EvictRequest> Decode(const v1::EvictRequest& from);
Result<TaskRequest> Decode(const v1::StartTaskRequest& from);
Result<EventFilter> Decode(const v1::WatchRequest& from);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_ADMIN_MESSAGES_H_
