#include "master/admin.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/v1/admin.pb.h"
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

struct Admin {
  Switchboard& switchboard;
  const TimePoint began;
};

// One request and its answer.
template <typename Request, typename Reply>
class Question final : public Stream<Request, Reply> {
 public:
  using Answer = Status (*)(const Admin& admin, const Request* request, Reply* reply);

  Question(std::unique_ptr<Call> call, const Admin& admin, Answer answer)
      : Stream<Request, Reply>(std::move(call), nullptr), admin_(admin), answer_(answer) {}

 private:
  void Received(Request& request) override {
    this->StepAside();
    Reply reply;
    const Status status = answer_(admin_, &request, &reply);
    // So that what the master calls unavailable is told from a master that is.
    this->context().AddTrailingMetadata(std::string(kAnswered), "1");
    if (status.ok()) {
      this->PostLast(reply);
    } else {
      this->End(status);
    }
  }
  void Ended() override {}

  const Admin admin_;
  const Answer answer_;
};

Status GetStatus(const Admin& admin, const v1::GetStatusRequest*, v1::GetStatusReply* reply) {
  const Census census = admin.switchboard.TakeCensus();
  reply->set_software(KVSTORE_VERSION);
  reply->set_protocol_version(kProtocolVersion);
  Fill(admin.switchboard.pool(), reply->mutable_pool());
  reply->set_term(admin.switchboard.term());
  reply->set_uptime_us(Microseconds(BootClock::now() - admin.began));
  Fill(census, reply);
  for (const auto& [name, value] : NamedCounters(admin.switchboard.counters())) {
    (*reply->mutable_counters())[std::string(name)] = value;
  }
  return Status::Ok();
}

Status ListNodes(const Admin& admin, const v1::ListNodesRequest*, v1::ListNodesReply* reply) {
  for (const NodeLine& node : admin.switchboard.ListNodes()) Fill(node, reply->add_nodes());
  return Status::Ok();
}

Status ListDeparted(const Admin& admin, const v1::ListDepartedRequest*,
                    v1::ListDepartedReply* reply) {
  for (const NodeEvent& event : admin.switchboard.ListDeparted()) Fill(event, reply->add_events());
  return Status::Ok();
}

Status ListSegments(const Admin& admin, const v1::ListSegmentsRequest* request,
                    v1::ListSegmentsReply* reply) {
  if (request->limit() > kMostLines) {
    return InvalidArgumentError("at most 4096 segments a page");
  }
  const uint32_t limit = request->limit() == 0 ? kDefaultLines : request->limit();
  std::vector<SegmentLine> lines = admin.switchboard.ListSegments();
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
  return Status::Ok();
}

Status ListObjects(const Admin& admin, const v1::ListObjectsRequest* request,
                   v1::ListObjectsReply* reply) {
  if (request->limit() > kMostLines || request->prefix().size() > kMaxPrefixBytes ||
      request->after().size() > kMaxPrefixBytes) {
    return InvalidArgumentError("at most 4096 objects a page, and 1024 bytes of prefix and after");
  }
  const uint32_t limit = request->limit() == 0 ? kDefaultLines : request->limit();
  // One more than is shown, to know whether there is more.
  const Result<std::vector<ObjectLine>> lines =
      admin.switchboard.ListObjects(request->prefix(), request->after(), size_t{limit} + 1);
  if (!lines.ok()) return lines.status();
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
  return Status::Ok();
}

Status DescribeObject(const Admin& admin, const v1::DescribeObjectRequest* request,
                      v1::DescribeObjectReply* reply) {
  if (const Status sound = CheckKey(request->key()); !sound.ok()) return sound;
  const Result<ObjectDetail> detail = admin.switchboard.Describe(request->key());
  if (!detail.ok()) return detail.status();
  Fill(*detail, reply);
  return Status::Ok();
}

Status TraceKeys(const Admin& admin, const v1::TraceKeysRequest* request,
                 v1::TraceKeysReply* reply) {
  if (request->limit() > kMostLines || request->prefix().size() > kMaxPrefixBytes) {
    return InvalidArgumentError("at most 4096 keys, and 1024 bytes of prefix");
  }
  const size_t limit = request->limit() == 0 ? kDefaultLines : request->limit();
  if (request->exact()) {
    const std::optional<TraceLine> line = admin.switchboard.FindTrace(request->prefix());
    if (line) Fill(*line, reply->add_keys());
    return Status::Ok();
  }
  const std::vector<TraceLine> lines = admin.switchboard.ListTraces(request->prefix());
  size_t bytes = 0, taken = 0;
  for (; taken < std::min(limit, lines.size()) && bytes <= kReplyBytes; ++taken) {
    v1::KeyTrace* const key = reply->add_keys();
    Fill(lines[taken], key);
    bytes += key->ByteSizeLong();
  }
  reply->set_left_out(lines.size() - taken);
  return Status::Ok();
}

Status Evict(const Admin& admin, const v1::EvictRequest* request, v1::EvictReply* reply) {
  const Result<EvictRequest> evict = Decode(*request);
  if (!evict.ok()) return evict.status();
  const EvictOutcome outcome = admin.switchboard.Evict(*evict);
  Fill(outcome, reply);
  return outcome.status;
}

Status Drain(const Admin& admin, const v1::DrainRequest* request, v1::DrainReply*) {
  if (const Status sound = CheckNodeName(request->node()); !sound.ok()) {
    return sound;
  }
  return admin.switchboard.Drain(request->node(), !request->undo());
}

Status StartTask(const Admin& admin, const v1::StartTaskRequest* request,
                 v1::StartTaskReply* reply) {
  const Result<TaskRequest> task = Decode(*request);
  if (!task.ok()) return task.status();
  const Result<uint64_t> id = admin.switchboard.StartTask(*task);
  if (!id.ok()) return id.status();
  reply->set_id(*id);
  return Status::Ok();
}

Status ListTasks(const Admin& admin, const v1::ListTasksRequest*, v1::ListTasksReply* reply) {
  for (const TaskLine& task : admin.switchboard.ListTasks()) Fill(task, reply->add_tasks());
  return Status::Ok();
}

template <typename Request, typename Reply>
Calls::Open Answering(const Admin& admin, Status (*answer)(const Admin&, const Request*, Reply*)) {
  return [admin, answer](std::unique_ptr<Call> call) {
    std::make_shared<Question<Request, Reply>>(std::move(call), admin, answer)
        ->Begin(BootClock::now());
  };
}

}  // namespace

void ServeAdmin(Switchboard& switchboard, StreamTable& streams, Calls* calls) {
  const Admin admin{switchboard, BootClock::now()};
  const std::string service = "/kvstore.v1.Admin/";
  calls->Serve(service + "GetStatus", Answering(admin, GetStatus));
  calls->Serve(service + "ListNodes", Answering(admin, ListNodes));
  calls->Serve(service + "ListDeparted", Answering(admin, ListDeparted));
  calls->Serve(service + "ListSegments", Answering(admin, ListSegments));
  calls->Serve(service + "ListObjects", Answering(admin, ListObjects));
  calls->Serve(service + "DescribeObject", Answering(admin, DescribeObject));
  calls->Serve(service + "TraceKeys", Answering(admin, TraceKeys));
  calls->Serve(service + "Evict", Answering(admin, Evict));
  calls->Serve(service + "Drain", Answering(admin, Drain));
  calls->Serve(service + "StartTask", Answering(admin, StartTask));
  calls->Serve(service + "ListTasks", Answering(admin, ListTasks));
  calls->Serve(service + "Watch", [&switchboard, &streams, began = admin.began](auto call) {
    OpenWatch(std::move(call), switchboard, streams, began);
  });
}

}  // namespace kvstore::master
