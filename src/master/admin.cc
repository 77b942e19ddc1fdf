#include "master/admin.h"

#include <algorithm>
#include <string>
#include <vector>

#include "master/admin_messages.h"
#include "master/metrics.h"
#include "master/stream.h"
#include "master/watch_stream.h"

namespace kvstore::master {
namespace {

constexpr std::string_view kAnswered = "kvstore-answered";  // as kvctl's admin_stub has it
constexpr uint32_t kDefaultLines = 1000;
constexpr uint32_t kMostLines = 4096;
constexpr size_t kMaxPrefixBytes = 1024;  // as long as a key
constexpr size_t kReplyBytes = 1u << 20;  // then a page ends early

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                 const Status& status = Status::Ok()) {
  // So that what the master calls unavailable is told from a master that is.
  context->AddTrailingMetadata(std::string(kAnswered), "1");
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::GetStatus(grpc::CallbackServerContext* context,
                                                  const v1::GetStatusRequest*,
                                                  v1::GetStatusReply* reply) {
  const Census census = switchboard_.TakeCensus();
  reply->set_software(KVSTORE_VERSION);
  reply->set_protocol_version(kProtocolVersion);
  Fill(switchboard_.pool(), reply->mutable_pool());
  reply->set_term(switchboard_.term());
  reply->set_uptime_us(Microseconds(BootClock::now() - began_));
  Fill(census, reply);
  for (const auto& [name, value] : NamedCounters(switchboard_.counters())) {
    (*reply->mutable_counters())[std::string(name)] = value;
  }
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::ListNodes(grpc::CallbackServerContext* context,
                                                  const v1::ListNodesRequest*,
                                                  v1::ListNodesReply* reply) {
  for (const NodeLine& node : switchboard_.ListNodes()) Fill(node, reply->add_nodes());
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::ListDeparted(grpc::CallbackServerContext* context,
                                                     const v1::ListDepartedRequest*,
                                                     v1::ListDepartedReply* reply) {
  for (const NodeEvent& event : switchboard_.ListDeparted()) Fill(event, reply->add_events());
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::ListSegments(grpc::CallbackServerContext* context,
                                                     const v1::ListSegmentsRequest* request,
                                                     v1::ListSegmentsReply* reply) {
  if (request->limit() > kMostLines) {
    return Answer(context, InvalidArgumentError("at most 4096 segments a page"));
  }
  const uint32_t limit = request->limit() == 0 ? kDefaultLines : request->limit();
  std::vector<SegmentLine> lines = switchboard_.ListSegments();
  if (request->has_after_holder()) {
    const SegmentId after{{request->after_holder().high(), request->after_holder().low()},
                          request->after_index()};
    std::erase_if(lines, [&](const SegmentLine& line) { return line.id <= after; });
  }
  std::sort(lines.begin(), lines.end(),
            [](const SegmentLine& a, const SegmentLine& b) { return a.id < b.id; });
  reply->set_more(lines.size() > limit);
  lines.resize(std::min<size_t>(lines.size(), limit));
  for (const SegmentLine& segment : lines) Fill(segment, reply->add_segments());
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::ListObjects(grpc::CallbackServerContext* context,
                                                    const v1::ListObjectsRequest* request,
                                                    v1::ListObjectsReply* reply) {
  if (request->limit() > kMostLines || request->prefix().size() > kMaxPrefixBytes ||
      request->after().size() > kMaxPrefixBytes) {
    return Answer(context, InvalidArgumentError(
                               "at most 4096 objects a page, and 1024 bytes of prefix and after"));
  }
  const uint32_t limit = request->limit() == 0 ? kDefaultLines : request->limit();
  // One more than is shown, to know whether there is more.
  const Result<std::vector<ObjectLine>> lines =
      switchboard_.ListObjects(request->prefix(), request->after(), size_t{limit} + 1);
  if (!lines.ok()) return Answer(context, lines.status());
  size_t bytes = 0;
  for (const ObjectLine& line : *lines) {
    if (reply->objects_size() == static_cast<int>(limit) || bytes > kReplyBytes) {
      reply->set_more(true);
      break;
    }
    v1::ObjectLine* object = reply->add_objects();
    Fill(line, object);
    bytes += object->ByteSizeLong();
  }
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::DescribeObject(grpc::CallbackServerContext* context,
                                                       const v1::DescribeObjectRequest* request,
                                                       v1::DescribeObjectReply* reply) {
  if (const Status sound = CheckKey(request->key()); !sound.ok()) return Answer(context, sound);
  const Result<ObjectDetail> detail = switchboard_.Describe(request->key());
  if (!detail.ok()) return Answer(context, detail.status());
  Fill(*detail, reply);
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::Evict(grpc::CallbackServerContext* context,
                                              const v1::EvictRequest* request,
                                              v1::EvictReply* reply) {
  const Result<EvictRequest> evict = Decode(*request);
  if (!evict.ok()) return Answer(context, evict.status());
  const EvictOutcome outcome = switchboard_.Evict(*evict);
  Fill(outcome, reply);
  return Answer(context, outcome.status);
}

grpc::ServerUnaryReactor* AdminService::Drain(grpc::CallbackServerContext* context,
                                              const v1::DrainRequest* request, v1::DrainReply*) {
  if (const Status sound = CheckNodeName(request->node()); !sound.ok()) {
    return Answer(context, sound);
  }
  return Answer(context, switchboard_.Drain(request->node(), !request->undo()));
}

grpc::ServerUnaryReactor* AdminService::StartTask(grpc::CallbackServerContext* context,
                                                  const v1::StartTaskRequest* request,
                                                  v1::StartTaskReply* reply) {
  const Result<TaskRequest> task = Decode(*request);
  if (!task.ok()) return Answer(context, task.status());
  const Result<uint64_t> id = switchboard_.StartTask(*task);
  if (!id.ok()) return Answer(context, id.status());
  reply->set_id(*id);
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::ListTasks(grpc::CallbackServerContext* context,
                                                  const v1::ListTasksRequest*,
                                                  v1::ListTasksReply* reply) {
  for (const TaskLine& task : switchboard_.ListTasks()) Fill(task, reply->add_tasks());
  return Answer(context);
}

grpc::ServerWriteReactor<v1::WatchReply>* AdminService::Watch(grpc::CallbackServerContext*,
                                                              const v1::WatchRequest* request) {
  return OpenWatch(*request, switchboard_, streams_, began_);
}

}  // namespace kvstore::master
