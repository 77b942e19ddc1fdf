#include "master/admin.h"

#include <algorithm>
#include <string>
#include <vector>

#include "master/metrics.h"

namespace kvstore::master {
namespace {

constexpr uint32_t kDefaultObjects = 1000;
constexpr uint32_t kMaxObjects = 4096;
constexpr size_t kMaxPrefixBytes = 1024;  // as long as a key
constexpr size_t kReplyBytes = 1u << 20;  // then a page ends early

uint64_t Microseconds(Duration d) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  return us < 0 ? 0 : static_cast<uint64_t>(us);
}

void Fill(const Incarnation& from, v1::Id128* to) {
  to->set_high(from.high);
  to->set_low(from.low);
}

void Fill(const Space& from, v1::Space* to) {
  to->set_size(from.size);
  to->set_unprepared(from.unprepared);
  to->set_free(from.free);
  to->set_unfinished(from.unfinished);
  to->set_committed(from.committed);
  to->set_retiring(from.retiring);
  to->set_leased(from.leased);
}

void Fill(const NodeLine& from, v1::Node* to) {
  Fill(from.peer.incarnation, to->mutable_incarnation());
  to->set_name(from.peer.name);
  to->set_host(from.peer.host);
  to->set_state(from.suspected ? "suspected" : "live");
  to->set_silent_us(Microseconds(from.silent));
  to->set_counter(from.counter);
  to->set_segments(from.segments);
  to->set_orders_open(from.orders_open);
  Fill(from.space, to->mutable_space());
}

void Fill(const SegmentLine& from, v1::Segment* to) {
  Fill(from.id.holder, to->mutable_holder());
  to->set_node(from.node);
  to->set_index(from.id.index);
  to->set_granule(from.granule);
  to->set_objects(from.objects);
  to->set_free_ranges(from.free_ranges);
  to->set_largest_free(from.largest_free);
  Fill(from.space, to->mutable_space());
}

void Fill(const ObjectLine& from, v1::ObjectLine* to) {
  to->set_key(from.key);
  to->set_size(from.size);
  to->set_replicas(from.replicas);
  to->set_age_us(Microseconds(from.age));
  to->set_lease_left_us(Microseconds(from.lease_left));
  for (const std::string& node : from.nodes) to->add_nodes(node);
}

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                 const grpc::Status& status = grpc::Status::OK) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
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
  reply->set_nodes_live(census.nodes_live);
  reply->set_nodes_suspected(census.nodes_suspected);
  reply->set_objects(census.objects);
  reply->set_puts_unfinished(census.puts_unfinished);
  reply->set_puts_parked(census.puts_parked);
  reply->set_requests_waiting(census.requests_waiting);
  Fill(census.space, reply->mutable_space());
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

grpc::ServerUnaryReactor* AdminService::ListSegments(grpc::CallbackServerContext* context,
                                                     const v1::ListSegmentsRequest*,
                                                     v1::ListSegmentsReply* reply) {
  for (const SegmentLine& segment : switchboard_.ListSegments()) {
    Fill(segment, reply->add_segments());
  }
  return Answer(context);
}

grpc::ServerUnaryReactor* AdminService::ListObjects(grpc::CallbackServerContext* context,
                                                    const v1::ListObjectsRequest* request,
                                                    v1::ListObjectsReply* reply) {
  if (request->limit() > kMaxObjects || request->prefix().size() > kMaxPrefixBytes ||
      request->after().size() > kMaxPrefixBytes) {
    return Answer(context, {grpc::StatusCode::INVALID_ARGUMENT,
                            "at most 4096 objects a page, and 1024 bytes of prefix and after"});
  }
  const uint32_t limit = request->limit() == 0 ? kDefaultObjects : request->limit();
  // One more than is shown, to know whether there is more.
  const std::vector<ObjectLine> lines =
      switchboard_.ListObjects(request->prefix(), request->after(), size_t{limit} + 1);
  size_t bytes = 0;
  for (const ObjectLine& line : lines) {
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

}  // namespace kvstore::master
