#include "client/admin_stub.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "kvstore/v1/admin.grpc.pb.h"

namespace kvstore::client {
namespace {

gpr_timespec DeadlineIn(Duration timeout) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(timeout.count(), GPR_TIMESPAN));
}

Status StatusOf(int code, const std::string& message) {
  return code == 0 ? Status::Ok() : Status(static_cast<StatusCode>(code), message);
}

Duration Microseconds(uint64_t count) { return std::chrono::microseconds(count); }

}  // namespace

struct AdminStub::Service {
  std::unique_ptr<v1::Admin::Stub> stub;
};

AdminStub::AdminStub(std::shared_ptr<grpc::Channel> channel, std::string master, Duration patience)
    : channel_(std::move(channel)),
      master_(std::move(master)),
      patience_(patience),
      service_(new Service{v1::Admin::NewStub(channel_)}) {}

AdminStub::~AdminStub() = default;

template <typename Request, typename Reply, typename Method>
Status AdminStub::Ask(Method method, const Request& request, Reply* reply, Duration timeout) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(DeadlineIn(timeout));
  if (patience_ < timeout && !channel_->WaitForConnected(DeadlineIn(patience_))) {
    return UnavailableError("no master at " + master_ +
                            " in the time that calls wait for it; "
                            "nothing happened");
  }
  const grpc::Status status = ((*service_->stub).*method)(&context, request, reply);
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      channel_->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) {
    return UnavailableError("no master at " + master_ + " in time; nothing happened");
  }
  return StatusOf(status.error_code(), status.error_message());
}

Result<ObjectPage> AdminStub::List(std::string_view prefix, std::string_view after, uint32_t limit,
                                   Duration timeout) {
  v1::ListObjectsRequest request;
  request.set_prefix(std::string(prefix));
  request.set_after(std::string(after));
  request.set_limit(limit);
  v1::ListObjectsReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::ListObjects, request, &reply, timeout));
  ObjectPage page;
  for (const v1::ObjectLine& object : reply.objects()) {
    page.objects.push_back({.key = object.key(),
                            .size = object.size(),
                            .replicas = object.replicas(),
                            .age = Microseconds(object.age_us()),
                            .lease_left = Microseconds(object.lease_left_us())});
  }
  page.more = reply.more();
  return page;
}

Result<uint64_t> AdminStub::Start(const CopyTask& task, Duration timeout) {
  v1::StartTaskRequest request;
  request.set_kind(task.move ? "move" : "copy");
  request.set_key(task.key);
  request.set_from(task.from);
  request.set_to(task.to);
  v1::StartTaskReply reply;
  KVSTORE_RETURN_IF_ERROR(Ask(&v1::Admin::Stub::StartTask, request, &reply, timeout));
  return reply.id();
}

Result<std::vector<TaskStat>> AdminStub::Tasks(Duration timeout) {
  v1::ListTasksReply reply;
  KVSTORE_RETURN_IF_ERROR(
      Ask(&v1::Admin::Stub::ListTasks, v1::ListTasksRequest(), &reply, timeout));
  std::vector<TaskStat> tasks;
  for (const v1::Task& task : reply.tasks()) {
    tasks.push_back({.id = task.id(),
                     .task = {.key = task.key(),
                              .from = task.from(),
                              .to = task.to(),
                              .move = task.kind() == "move"},
                     .ended = task.state() == "done" || task.state() == "failed",
                     .status = StatusOf(task.outcome().code(), task.outcome().message()),
                     .age = Microseconds(task.age_us())});
  }
  return tasks;
}

}  // namespace kvstore::client
