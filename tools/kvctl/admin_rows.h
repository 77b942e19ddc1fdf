#ifndef KVSTORE_TOOLS_KVCTL_ADMIN_ROWS_H_
#define KVSTORE_TOOLS_KVCTL_ADMIN_ROWS_H_

#include "kvstore/v1/admin.pb.h"
#include "tools/kvctl/pool_rows.h"

namespace kvstore::kvctl {

// Messages of the admin service as plain rows.
PoolStatus Decode(const v1::GetStatusReply& reply);
NodeRow Decode(const v1::Node& node);
SegmentRow Decode(const v1::Segment& segment);
ObjectRow Decode(const v1::ObjectLine& object);
TraceRow Decode(const v1::KeyTrace& key);
ObjectDetail Decode(const v1::DescribeObjectReply& reply);
Evicted Decode(const v1::EvictReply& reply);
TaskRow Decode(const v1::Task& task);
EventRow Decode(const v1::Event& event);
EventBatch Decode(const v1::WatchReply& reply);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_ADMIN_ROWS_H_
