#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/calls.h"
#include "native/gil.h"
#include "native/options.h"

namespace py = pybind11;

namespace kvstore::python {
namespace {

constexpr transfer::Way kWays[] = {transfer::Way::kLocal, transfer::Way::kShm, transfer::Way::kTcp,
                                   transfer::Way::kRdma};

// The library exports the client alone, so that the names stand here too.
const char* NameOf(transfer::Way way) {
  switch (way) {
    case transfer::Way::kLocal:
      return "local";
    case transfer::Way::kShm:
      return "shm";
    case transfer::Way::kTcp:
      return "tcp";
    case transfer::Way::kRdma:
      return "rdma";
    case transfer::Way::kAutomatic:
      break;
  }
  return "automatic";
}

transfer::Way WayOf(const std::string& name) {
  for (const transfer::Way way : kWays) {
    if (name == NameOf(way)) return way;
  }
  Raise(InvalidArgumentError("a way is '" + name + "'; it is local, shm, tcp or rdma"));
}

std::unique_ptr<Handle> Connect(std::string master, std::string name, uint64_t lend_bytes,
                                std::string listen, std::string advertise, bool allow_remote,
                                std::vector<std::string> rdma_devices,
                                const std::vector<std::string>& ways, double connect_timeout,
                                double master_patience, bool verify_checksums,
                                uint32_t remember_locations) {
  ClientOptions options;
  options.master = std::move(master);
  options.name = std::move(name);
  options.lend_bytes = lend_bytes;
  options.listen = std::move(listen);
  options.advertise = std::move(advertise);
  options.allow_remote = allow_remote;
  for (const std::string& way : ways) options.ways.push_back(WayOf(way));
  options.rdma_devices = std::move(rdma_devices);
  options.connect_timeout = DurationOf(connect_timeout);
  options.master_patience = DurationOf(master_patience);
  options.verify_checksums = verify_checksums;
  options.remember_locations = remember_locations;
  return std::make_unique<Handle>(
      ValueOrRaise(WithoutGil([&] { return Client::Connect(options); })));
}

void RegisterMemory(const Handle& handle, uintptr_t address, uint64_t size) {
  const auto client = handle.client();
  auto* const base = reinterpret_cast<void*>(address);
  RaiseUnlessOk(WithoutGil([&] { return client->RegisterMemory(base, size); }));
}

void UnregisterMemory(const Handle& handle, uintptr_t address) {
  const auto client = handle.client();
  auto* const base = reinterpret_cast<void*>(address);
  RaiseUnlessOk(WithoutGil([&] { return client->UnregisterMemory(base); }));
}

void Lend(const Handle& handle, uint64_t bytes) {
  const auto client = handle.client();
  RaiseUnlessOk(WithoutGil([&] { return client->Lend(bytes); }));
}

bool WaitDrained(const Handle& handle, double timeout) {
  const auto client = handle.client();
  const Duration within = DurationOf(timeout);
  return WithoutGil([&] { return client->WaitDrained(within); });
}

// In the order of kvstore.results.Lending's fields. None: fine; text: why not.
py::tuple DescribeLending(const Handle& handle) {
  const Lending lending = handle.client()->lending();
  const auto why_not = [](const Status& status) -> py::object {
    return status.ok() ? py::object(py::none()) : py::object(py::str(status.ToString()));
  };
  return py::make_tuple(lending.bytes, lending.wanted_bytes, lending.drained, lending.huge_pages,
                        lending.reach.tcp, why_not(lending.reach.shm), why_not(lending.reach.rdma),
                        py::cast(lending.reach.rdma_devices));
}

// By the names of kvstore.results.Counters' fields.
py::dict DescribeCounters(const Handle& handle) {
  const ClientCounters counters = handle.client()->counters();
  py::dict named;
  named["puts_ok"] = counters.puts_ok;
  named["puts_failed"] = counters.puts_failed;
  named["gets_ok"] = counters.gets_ok;
  named["gets_missed"] = counters.gets_missed;
  named["gets_failed"] = counters.gets_failed;
  named["reads_refused"] = counters.reads_refused;
  named["checksum_mismatches"] = counters.checksum_mismatches;
  named["gets_remembered"] = counters.gets_remembered;
  named["views_ok"] = counters.views_ok;
  named["views_missed"] = counters.views_missed;
  named["views_failed"] = counters.views_failed;
  named["bytes_got"] = counters.bytes_got;
  named["bytes_put"] = counters.bytes_put;
  named["get_seconds"] = SecondsOf(counters.get_time);
  named["put_seconds"] = SecondsOf(counters.put_time);
  named["master_requests"] = counters.master_requests;
  return named;
}

// By the names of kvstore.results.WayCounters' fields, per way.
py::dict DescribeWays(const Handle& handle) {
  const auto client = handle.client();
  py::dict ways;
  for (const transfer::Way way : kWays) {
    const transfer::WayCounters counters = client->counters(way);
    py::dict named;
    named["copies_done"] = counters.copies_done;
    named["copies_failed"] = counters.copies_failed;
    named["copies_in_doubt"] = counters.copies_in_doubt;
    named["bytes_read"] = counters.bytes_read;
    named["bytes_written"] = counters.bytes_written;
    named["seconds"] = SecondsOf(counters.time);
    named["mappings"] = counters.mappings;
    ways[NameOf(way)] = named;
  }
  return ways;
}

}  // namespace

void BindPool(ClientClass& client) {
  client.def(py::init(&Connect))
      .def("close", &Handle::Close)
      .def("closed", &Handle::closed)
      .def("name", [](const Handle& handle) { return handle.client()->name(); })
      .def("incarnation",
           [](const Handle& handle) { return handle.client()->incarnation().ToString(); })
      .def("register_memory", &RegisterMemory)
      .def("unregister_memory", &UnregisterMemory)
      .def("lend", &Lend)
      .def("lending", &DescribeLending)
      .def("wait_drained", &WaitDrained)
      .def("counters", &DescribeCounters)
      .def("way_counters", &DescribeWays);
}

}  // namespace kvstore::python
