#include "tools/kvctl/admin_stub.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "kvstore/v1/admin.grpc.pb.h"
#include "tools/kvctl/admin_rows.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
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
  // A master that is cut off is noticed by who only listens to it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetMaxReceiveMessageSize(-1);  // lists of many nodes
  channel_->channel =
      grpc::CreateCustomChannel(master, grpc::InsecureChannelCredentials(), arguments);
  channel_->stub = v1::Admin::NewStub(channel_->channel);
}

AdminStub::~AdminStub() = default;

namespace {

constexpr char kAnswered[] = "kvstore-answered";  // as the master's admin service has it

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

gpr_timespec DeadlineIn(Duration timeout) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(timeout.count(), GPR_TIMESPAN));
}

// One call with its deadline; like all verbs it waits for a master until then.
template <typename Request, typename Reply>
Status Call(grpc::Channel* channel, v1::Admin::Stub* stub,
            grpc::Status (v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
            const Request& request, Reply* reply, const std::string& master, Duration timeout) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(DeadlineIn(timeout));
  const grpc::Status status = (stub->*method)(&context, request, reply);
  if (status.ok()) return Status::Ok();
  if (context.GetServerTrailingMetadata().contains(kAnswered)) {
    return Status(static_cast<StatusCode>(status.error_code()), status.error_message());
  }
  return Told(status, channel->GetState(false) == GRPC_CHANNEL_READY, master, timeout);
}

}  // namespace

template <typename Request, typename Reply, typename Method>
Status AdminStub::Ask(Method method, const Request& request, Reply* reply) {
  return Call(channel_->channel.get(), channel_->stub.get(), method, request, reply, master_,
              timeout_);
}

Result<PoolStatus> AdminStub::GetStatus() {
  v1::GetStatusReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::GetStatus, v1::GetStatusRequest(), &reply));
  return Decode(reply);
}

Result<std::vector<NodeRow>> AdminStub::ListNodes() {
  v1::ListNodesReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::ListNodes, v1::ListNodesRequest(), &reply));
  std::vector<NodeRow> rows;
  for (const v1::Node& node : reply.nodes()) rows.push_back(Decode(node));
  return rows;
}

Result<std::vector<EventRow>> AdminStub::ListDeparted() {
  v1::ListDepartedReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::ListDeparted, v1::ListDepartedRequest(), &reply));
  std::vector<EventRow> rows;
  for (const v1::Event& event : reply.events()) rows.push_back(Decode(event));
  return rows;
}

Result<std::vector<SegmentRow>> AdminStub::ListSegments() {
  v1::ListSegmentsRequest request;
  std::vector<SegmentRow> rows;
  for (bool more = true; more;) {
    v1::ListSegmentsReply reply;
    KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::ListSegments, request, &reply));
    for (const v1::Segment& segment : reply.segments()) rows.push_back(Decode(segment));
    more = reply.more() && !reply.segments().empty();
    if (!more) break;
    const v1::Segment& last = *reply.segments().rbegin();
    *request.mutable_after_holder() = last.holder();
    request.set_after_index(last.index());
  }
  return rows;
}

Result<ObjectPage> AdminStub::ListObjects(std::string_view prefix, std::string_view after,
                                          uint32_t limit) {
  v1::ListObjectsRequest request;
  request.set_prefix(std::string(prefix));
  request.set_after(std::string(after));
  request.set_limit(limit);
  v1::ListObjectsReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::ListObjects, request, &reply));
  ObjectPage page;
  for (const v1::ObjectLine& object : reply.objects()) page.objects.push_back(Decode(object));
  page.more = reply.more();
  return page;
}

Result<ObjectDetail> AdminStub::Describe(std::string_view key) {
  v1::DescribeObjectRequest request;
  request.set_key(std::string(key));
  v1::DescribeObjectReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::DescribeObject, request, &reply));
  return Decode(reply);
}

Result<TracePage> AdminStub::TraceKeys(std::string_view prefix, bool exact, uint32_t limit) {
  v1::TraceKeysRequest request;
  request.set_prefix(std::string(prefix));
  request.set_exact(exact);
  request.set_limit(limit);
  v1::TraceKeysReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::TraceKeys, request, &reply));
  TracePage page;
  for (const v1::KeyTrace& key : reply.keys()) page.traces.push_back(Decode(key));
  page.left_out = reply.left_out();
  return page;
}

Result<Evicted> AdminStub::Evict(std::span<const std::string> keys) {
  v1::EvictRequest request;
  for (const std::string& key : keys) request.add_keys(key);
  v1::EvictReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::Evict, request, &reply));
  if (reply.outcomes_size() != request.keys_size()) {
    return InternalError("the master answered " + std::to_string(reply.outcomes_size()) + " of " +
                         std::to_string(keys.size()) + " keys; its version differs");
  }
  return Decode(reply);
}

Result<Evicted> AdminStub::EvictBytes(uint64_t bytes, std::string_view node) {
  v1::EvictRequest request;
  request.set_bytes(bytes);
  request.set_node(std::string(node));
  v1::EvictReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::Evict, request, &reply));
  return Decode(reply);
}

Status AdminStub::Drain(std::string_view node, bool undo) {
  v1::DrainRequest request;
  request.set_node(std::string(node));
  request.set_undo(undo);
  v1::DrainReply reply;
  return Ask(&v1::Admin::Stub::Drain, request, &reply);
}

Result<uint64_t> AdminStub::StartTask(std::string_view kind, std::string_view key,
                                      std::string_view from, std::string_view to) {
  v1::StartTaskRequest request;
  request.set_kind(std::string(kind));
  request.set_key(std::string(key));
  request.set_from(std::string(from));
  request.set_to(std::string(to));
  v1::StartTaskReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::StartTask, request, &reply));
  return reply.id();
}

Result<std::vector<TaskRow>> AdminStub::ListTasks() {
  v1::ListTasksReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::ListTasks, v1::ListTasksRequest(), &reply));
  std::vector<TaskRow> rows;
  for (const v1::Task& task : reply.tasks()) rows.push_back(Decode(task));
  return rows;
}

namespace {

class GrpcEventStream final : public EventStream {
 public:
  GrpcEventStream(v1::Admin::Stub& stub, const v1::WatchRequest& request, std::string master)
      : master_(std::move(master)), reader_(stub.Watch(&context_, request)) {}

  ~GrpcEventStream() override {
    if (ended_) return;
    Cancel();
    Finish();
  }

  Result<EventBatch> Next() override {
    v1::WatchReply reply;
    if (!ended_ && reader_->Read(&reply)) return Decode(reply);
    if (!ended_) Finish();
    switch (status_.error_code()) {
      case grpc::StatusCode::OK:
        return UnavailableError("the master at " + master_ + " has ended the stream");
      case grpc::StatusCode::CANCELLED:
        return CancelledError("no longer watched");
      default:
        return Told(status_, true, master_, Duration());
    }
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  void Finish() {
    status_ = reader_->Finish();
    ended_ = true;
  }

  const std::string master_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchReply>> reader_;
  grpc::Status status_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<EventStream> AdminStub::Watch(const WatchFilter& filter) {
  v1::WatchRequest request;
  request.set_prefix(filter.prefix);
  for (const std::string& kind : filter.kinds) request.add_kinds(kind);
  return std::make_unique<GrpcEventStream>(*channel_->stub, request, master_);
}

}  // namespace kvstore::kvctl
