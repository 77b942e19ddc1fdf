#include "tools/kvctl/admin_stub.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "kvstore/v1/admin.grpc.pb.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

Incarnation Decode(const v1::Id128& id) { return {.high = id.high(), .low = id.low()}; }

Duration Microseconds(uint64_t count) {
  return std::chrono::microseconds(std::min<uint64_t>(count, INT64_MAX / 1000));
}

Space Decode(const v1::Space& space) {
  return {.size = space.size(),
          .unprepared = space.unprepared(),
          .free = space.free(),
          .unfinished = space.unfinished(),
          .committed = space.committed(),
          .retiring = space.retiring(),
          .leased = space.leased()};
}

NodeRow Decode(const v1::Node& node) {
  return {.incarnation = Decode(node.incarnation()),
          .name = node.name(),
          .host = node.host(),
          .state = node.state(),
          .silent = Microseconds(node.silent_us()),
          .counter = node.counter(),
          .segments = node.segments(),
          .orders_open = node.orders_open(),
          .space = Decode(node.space())};
}

SegmentRow Decode(const v1::Segment& segment) {
  return {.holder = Decode(segment.holder()),
          .node = segment.node(),
          .index = segment.index(),
          .granule = segment.granule(),
          .objects = segment.objects(),
          .free_ranges = segment.free_ranges(),
          .largest_free = segment.largest_free(),
          .space = Decode(segment.space())};
}

ObjectRow Decode(const v1::ObjectLine& object) {
  return {.key = object.key(),
          .size = object.size(),
          .replicas = object.replicas(),
          .age = Microseconds(object.age_us()),
          .lease_left = Microseconds(object.lease_left_us()),
          .nodes = {object.nodes().begin(), object.nodes().end()}};
}

}  // namespace

struct AdminStub::Channel {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Admin::Stub> stub;
};

AdminStub::AdminStub(const std::string& master, Duration timeout)
    : master_(master), timeout_(timeout), channel_(std::make_unique<Channel>()) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A master that is just being started is met soon after it listens.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  channel_->channel =
      grpc::CreateCustomChannel(master, grpc::InsecureChannelCredentials(), arguments);
  channel_->stub = v1::Admin::NewStub(channel_->channel);
}

AdminStub::~AdminStub() = default;

namespace {

// What failed, said for a person.
Status Told(const grpc::Status& status, bool connected, const std::string& master,
            Duration timeout) {
  const std::string within = " within " + text::FormatDuration(timeout);
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return UnavailableError("the master at " + master + " was lost (" + status.error_message() +
                              "); try again");
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      if (!connected) {
        return UnavailableError("no master at " + master + within +
                                "; start kvstore_master there, or name another with --master");
      }
      return DeadlineExceededError("no answer from " + master + within +
                                   "; see --master and --timeout");
    case grpc::StatusCode::UNIMPLEMENTED:
      return UnimplementedError("what listens at " + master +
                                " has no kvstore admin service; name the master with --master");
    default:
      return Status(static_cast<StatusCode>(status.error_code()), status.error_message());
  }
}

// One call with its deadline; like all verbs it waits for a master until then.
template <typename Request, typename Reply>
Result<Reply> Call(grpc::Channel* channel, v1::Admin::Stub* stub,
                   grpc::Status (v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Reply*),
                   const Request& request, const std::string& master, Duration timeout) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_nanos(timeout.count(), GPR_TIMESPAN)));
  Reply reply;
  const grpc::Status status = (stub->*method)(&context, request, &reply);
  if (status.ok()) return reply;
  const bool connected = channel->GetState(false) == GRPC_CHANNEL_READY;
  return Told(status, connected, master, timeout);
}

}  // namespace

Result<PoolStatus> AdminStub::GetStatus() {
  KVSTORE_ASSIGN_OR_RETURN(
      const v1::GetStatusReply reply,
      Call(channel_->channel.get(), channel_->stub.get(), &v1::Admin::Stub::GetStatus,
           v1::GetStatusRequest(), master_, timeout_));
  return PoolStatus{.software = reply.software(),
                    .protocol_version = reply.protocol_version(),
                    .pool = Decode(reply.pool()),
                    .term = reply.term(),
                    .uptime = Microseconds(reply.uptime_us()),
                    .nodes_live = reply.nodes_live(),
                    .nodes_suspected = reply.nodes_suspected(),
                    .objects = reply.objects(),
                    .puts_unfinished = reply.puts_unfinished(),
                    .puts_parked = reply.puts_parked(),
                    .requests_waiting = reply.requests_waiting(),
                    .space = Decode(reply.space()),
                    .counters = {reply.counters().begin(), reply.counters().end()}};
}

Result<std::vector<NodeRow>> AdminStub::ListNodes() {
  KVSTORE_ASSIGN_OR_RETURN(
      const v1::ListNodesReply reply,
      Call(channel_->channel.get(), channel_->stub.get(), &v1::Admin::Stub::ListNodes,
           v1::ListNodesRequest(), master_, timeout_));
  std::vector<NodeRow> rows;
  for (const v1::Node& node : reply.nodes()) rows.push_back(Decode(node));
  return rows;
}

Result<std::vector<SegmentRow>> AdminStub::ListSegments() {
  KVSTORE_ASSIGN_OR_RETURN(
      const v1::ListSegmentsReply reply,
      Call(channel_->channel.get(), channel_->stub.get(), &v1::Admin::Stub::ListSegments,
           v1::ListSegmentsRequest(), master_, timeout_));
  std::vector<SegmentRow> rows;
  for (const v1::Segment& segment : reply.segments()) rows.push_back(Decode(segment));
  return rows;
}

Result<ObjectPage> AdminStub::ListObjects(std::string_view prefix, std::string_view after,
                                          uint32_t limit) {
  v1::ListObjectsRequest request;
  request.set_prefix(std::string(prefix));
  request.set_after(std::string(after));
  request.set_limit(limit);
  KVSTORE_ASSIGN_OR_RETURN(const v1::ListObjectsReply reply,
                           Call(channel_->channel.get(), channel_->stub.get(),
                                &v1::Admin::Stub::ListObjects, request, master_, timeout_));
  ObjectPage page;
  for (const v1::ObjectLine& object : reply.objects()) page.objects.push_back(Decode(object));
  page.more = reply.more();
  return page;
}

}  // namespace kvstore::kvctl
