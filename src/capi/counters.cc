#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "capi/guard.h"
#include "capi/handles.h"

namespace {

using kvstore::ClientCounters;
using kvstore::Duration;
using kvstore::Status;
using kvstore::transfer::RdmaDeviceState;
using kvstore::transfer::Way;
using kvstore::transfer::WayCounters;

// A counter of the client, or of one way: exactly one of the four fields is set.
struct Counter {
  const char* name;
  Way way = Way::kAutomatic;
  uint64_t ClientCounters::*number = nullptr;
  Duration ClientCounters::*time = nullptr;
  uint64_t WayCounters::*way_number = nullptr;
  Duration WayCounters::*way_time = nullptr;
};

constexpr Counter Of(const char* name, uint64_t ClientCounters::*field) {
  return {.name = name, .number = field};
}
constexpr Counter Of(const char* name, Duration ClientCounters::*field) {
  return {.name = name, .time = field};
}
constexpr Counter Of(const char* name, Way way, uint64_t WayCounters::*field) {
  return {.name = name, .way = way, .way_number = field};
}
constexpr Counter Of(const char* name, Way way, Duration WayCounters::*field) {
  return {.name = name, .way = way, .way_time = field};
}

// Names are part of the ABI: only new ones, and at the end.
constexpr Counter kCounters[] = {
    Of("puts_ok", &ClientCounters::puts_ok),
    Of("puts_failed", &ClientCounters::puts_failed),
    Of("gets_ok", &ClientCounters::gets_ok),
    Of("gets_missed", &ClientCounters::gets_missed),
    Of("gets_failed", &ClientCounters::gets_failed),
    Of("reads_refused", &ClientCounters::reads_refused),
    Of("checksum_mismatches", &ClientCounters::checksum_mismatches),
    Of("gets_remembered", &ClientCounters::gets_remembered),
    Of("views_ok", &ClientCounters::views_ok),
    Of("views_missed", &ClientCounters::views_missed),
    Of("views_failed", &ClientCounters::views_failed),
    Of("bytes_got", &ClientCounters::bytes_got),
    Of("bytes_put", &ClientCounters::bytes_put),
    Of("get_time_ns", &ClientCounters::get_time),
    Of("put_time_ns", &ClientCounters::put_time),
    Of("master_requests", &ClientCounters::master_requests),
    Of("local.copies_done", Way::kLocal, &WayCounters::copies_done),
    Of("local.copies_failed", Way::kLocal, &WayCounters::copies_failed),
    Of("local.copies_in_doubt", Way::kLocal, &WayCounters::copies_in_doubt),
    Of("local.bytes_read", Way::kLocal, &WayCounters::bytes_read),
    Of("local.bytes_written", Way::kLocal, &WayCounters::bytes_written),
    Of("local.time_ns", Way::kLocal, &WayCounters::time),
    Of("local.mappings", Way::kLocal, &WayCounters::mappings),
    Of("shm.copies_done", Way::kShm, &WayCounters::copies_done),
    Of("shm.copies_failed", Way::kShm, &WayCounters::copies_failed),
    Of("shm.copies_in_doubt", Way::kShm, &WayCounters::copies_in_doubt),
    Of("shm.bytes_read", Way::kShm, &WayCounters::bytes_read),
    Of("shm.bytes_written", Way::kShm, &WayCounters::bytes_written),
    Of("shm.time_ns", Way::kShm, &WayCounters::time),
    Of("shm.mappings", Way::kShm, &WayCounters::mappings),
    Of("tcp.copies_done", Way::kTcp, &WayCounters::copies_done),
    Of("tcp.copies_failed", Way::kTcp, &WayCounters::copies_failed),
    Of("tcp.copies_in_doubt", Way::kTcp, &WayCounters::copies_in_doubt),
    Of("tcp.bytes_read", Way::kTcp, &WayCounters::bytes_read),
    Of("tcp.bytes_written", Way::kTcp, &WayCounters::bytes_written),
    Of("tcp.time_ns", Way::kTcp, &WayCounters::time),
    Of("rdma.copies_done", Way::kRdma, &WayCounters::copies_done),
    Of("rdma.copies_failed", Way::kRdma, &WayCounters::copies_failed),
    Of("rdma.copies_in_doubt", Way::kRdma, &WayCounters::copies_in_doubt),
    Of("rdma.bytes_read", Way::kRdma, &WayCounters::bytes_read),
    Of("rdma.bytes_written", Way::kRdma, &WayCounters::bytes_written),
    Of("rdma.time_ns", Way::kRdma, &WayCounters::time),
};

static_assert(sizeof(ClientCounters) == 16 * sizeof(uint64_t), "a new counter needs a name above");
static_assert(sizeof(WayCounters) == 7 * sizeof(uint64_t), "a new counter needs names above");

uint64_t Value(const Counter& counter, const kvstore::Client& client) {
  if (counter.number != nullptr) return client.counters().*counter.number;
  if (counter.time != nullptr) {
    return static_cast<uint64_t>((client.counters().*counter.time).count());
  }
  const WayCounters way = client.counters(counter.way);
  if (counter.way_number != nullptr) return way.*counter.way_number;
  return static_cast<uint64_t>((way.*counter.way_time).count());
}

// "rdma.DEVICE.bytes_read"; none: there is no such device or counter.
std::optional<uint64_t> DeviceValue(std::string_view name, const kvstore::Client& client) {
  constexpr std::pair<std::string_view, uint64_t RdmaDeviceState::*> kFields[] = {
      {"bytes_read", &RdmaDeviceState::bytes_read},
      {"bytes_written", &RdmaDeviceState::bytes_written},
      {"paths", &RdmaDeviceState::paths},
      {"failures", &RdmaDeviceState::failures}};
  for (const RdmaDeviceState& device : client.rdma_devices()) {
    for (const auto& [field, value] : kFields) {
      if (name == "rdma." + device.name + "." + std::string(field)) return device.*value;
    }
  }
  return std::nullopt;
}

}  // namespace

kvclient_code kvclient_counter(const kvclient* client, const char* name, uint64_t* value) {
  return kvstore::capi::Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckGiven(value, "value"));
    *value = 0;
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckClient(client));
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckGiven(name, "name"));
    for (const Counter& counter : kCounters) {
      if (std::string_view(name) != counter.name) continue;
      *value = Value(counter, *client->client);
      return Status::Ok();
    }
    if (const std::optional<uint64_t> found = DeviceValue(name, *client->client)) {
      *value = *found;
      return Status::Ok();
    }
    return kvstore::NotFoundError("there is no counter '" + std::string(name) +
                                  "'; kvclient_counter_name has those there are");
  });
}

const char* kvclient_counter_name(uint32_t index) {
  return index < std::size(kCounters) ? kCounters[index].name : nullptr;
}

const char* kvclient_rdma_device(const kvclient* client, uint32_t index) {
  if (client == nullptr || index >= client->rdma_devices.size()) return nullptr;
  return client->rdma_devices[index].c_str();
}
