#include "capi/results.h"

#include <algorithm>
#include <utility>

namespace kvstore::capi {

Status Results::HandOver() {
  const std::vector<Status>& statuses = made_->statuses;
  const auto failed = std::find_if(statuses.begin(), statuses.end(),
                                   [](const Status& status) { return !status.ok(); });
  Status first = failed == statuses.end() ? Status::Ok() : *failed;
  if (wanted_ != nullptr) *wanted_ = made_.release();
  return first;
}

void Take(std::vector<GetResult> got, Results* results) {
  (*results)->sizes.reserve(got.size());
  (*results)->statuses.reserve(got.size());
  for (GetResult& result : got) {
    (*results)->sizes.push_back(result.size);
    (*results)->statuses.push_back(std::move(result.status));
  }
}

namespace {

// The element, or null when there is none.
template <typename T>
const T* At(const std::vector<T>* elements, uint64_t index) {
  return elements != nullptr && index < elements->size() ? &(*elements)[index] : nullptr;
}

const ObjectStat* StatAt(const kvclient_results* results, uint64_t index) {
  return At(results == nullptr ? nullptr : &results->stats, index);
}

const ReplicaStat* ReplicaAt(const kvclient_results* results, uint64_t index, uint64_t replica) {
  const ObjectStat* const stat = StatAt(results, index);
  return At(stat == nullptr ? nullptr : &stat->replicas, replica);
}

const Status* StatusAt(const kvclient_results* results, uint64_t index) {
  return At(results == nullptr ? nullptr : &results->statuses, index);
}

}  // namespace
}  // namespace kvstore::capi

using kvstore::capi::At;
using kvstore::capi::ReplicaAt;
using kvstore::capi::StatAt;
using kvstore::capi::StatusAt;

void kvclient_results_free(kvclient_results* results) { delete results; }

uint64_t kvclient_results_count(const kvclient_results* results) {
  return results == nullptr ? 0 : results->statuses.size();
}

kvclient_code kvclient_results_code(const kvclient_results* results, uint64_t index) {
  const kvstore::Status* const status = StatusAt(results, index);
  return status == nullptr ? KVCLIENT_INVALID_ARGUMENT : static_cast<kvclient_code>(status->code());
}

const char* kvclient_results_message(const kvclient_results* results, uint64_t index) {
  const kvstore::Status* const status = StatusAt(results, index);
  return status == nullptr ? "" : status->message().c_str();
}

uint64_t kvclient_results_size(const kvclient_results* results, uint64_t index) {
  const uint64_t* const size = At(results == nullptr ? nullptr : &results->sizes, index);
  return size == nullptr ? 0 : *size;
}

int kvclient_results_found(const kvclient_results* results, uint64_t index) {
  return results != nullptr && index < results->found.size() && results->found[index] ? 1 : 0;
}

uint64_t kvclient_results_checksum(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat == nullptr ? 0 : stat->checksum;
}

int64_t kvclient_results_age_ns(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat == nullptr ? 0 : stat->age.count();
}

int64_t kvclient_results_lease_left_ns(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat == nullptr ? 0 : stat->lease_left.count();
}

int kvclient_results_durable(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat != nullptr && stat->durable ? 1 : 0;
}

int kvclient_results_hard_pin(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat != nullptr && stat->retention.hard_pin ? 1 : 0;
}

int64_t kvclient_results_soft_pin_left_ns(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat == nullptr ? 0 : stat->retention.soft_pin.count();
}

int64_t kvclient_results_ttl_left_ns(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat == nullptr ? 0 : stat->retention.ttl.count();
}

const void* kvclient_results_group(const kvclient_results* results, uint64_t index,
                                   uint64_t* size) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  const bool some = stat != nullptr && !stat->retention.group.empty();
  if (size != nullptr) *size = some ? stat->retention.group.size() : 0;
  return some ? stat->retention.group.data() : nullptr;
}

uint32_t kvclient_results_position(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat == nullptr ? 0 : stat->retention.position;
}

uint64_t kvclient_results_replica_count(const kvclient_results* results, uint64_t index) {
  const kvstore::ObjectStat* const stat = StatAt(results, index);
  return stat == nullptr ? 0 : stat->replicas.size();
}

const char* kvclient_results_replica_node(const kvclient_results* results, uint64_t index,
                                          uint64_t replica) {
  const kvstore::ReplicaStat* const line = ReplicaAt(results, index, replica);
  return line == nullptr ? nullptr : line->node.c_str();
}

void kvclient_results_replica_incarnation(const kvclient_results* results, uint64_t index,
                                          uint64_t replica, uint64_t* high, uint64_t* low) {
  const kvstore::ReplicaStat* const line = ReplicaAt(results, index, replica);
  const kvstore::Incarnation holder = line == nullptr ? kvstore::Incarnation{} : line->holder;
  if (high != nullptr) *high = holder.high;
  if (low != nullptr) *low = holder.low;
}

uint64_t kvclient_results_replica_ranges(const kvclient_results* results, uint64_t index,
                                         uint64_t replica) {
  const kvstore::ReplicaStat* const line = ReplicaAt(results, index, replica);
  return line == nullptr ? 0 : line->ranges;
}

uint64_t kvclient_results_replica_reserved_bytes(const kvclient_results* results, uint64_t index,
                                                 uint64_t replica) {
  const kvstore::ReplicaStat* const line = ReplicaAt(results, index, replica);
  return line == nullptr ? 0 : line->reserved_bytes;
}
