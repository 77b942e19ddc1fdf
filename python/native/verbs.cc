#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "native/calls.h"
#include "native/gil.h"
#include "native/keys.h"
#include "native/memory.h"
#include "native/numbers.h"
#include "native/options.h"

namespace py = pybind11;

namespace kvstore::python {
namespace {

std::vector<Status> PutAll(const Handle& handle, const Keys& keys, const Memory& values,
                           py::handle positions, py::handle options, double timeout) {
  const auto client = handle.client();
  const PutOptions put_options = PutOptionsOf(options, timeout);
  std::vector<PutItem> items(keys.size());
  for (size_t i = 0; i < items.size(); ++i) {
    items[i].key = keys[i];
    items[i].pieces = values.const_pieces(i);
  }
  if (!positions.is_none()) {
    const auto places = PositionsOf(positions, items.size());
    for (size_t i = 0; i < items.size(); ++i) items[i].position = places[i];
  }
  return WithoutGil([&] { return client->Put(items, put_options); });
}

void PutOne(const Handle& handle, py::handle key, py::handle value, uint32_t position,
            py::handle options, double timeout) {
  const auto client = handle.client();
  Memory memory(Memory::Use::kRead);
  memory.Add(value);
  const PutItem item{.key = KeyOf(key), .pieces = memory.const_pieces(0), .position = position};
  const PutOptions put_options = PutOptionsOf(options, timeout);
  RaiseUnlessOk(WithoutGil([&] { return client->Put({&item, 1}, put_options); }).front());
}

py::list PutBatch(const Handle& handle, py::handle items, py::handle positions, py::handle options,
                  double timeout) {
  Keys keys;
  Memory values(Memory::Use::kRead);
  AddPairs(items, "value", &keys, &values);
  return ErrorsOf(PutAll(handle, keys, values, positions, options, timeout));
}

py::list PutAddresses(const Handle& handle, py::handle keys, py::handle addresses, py::handle sizes,
                      py::handle positions, py::handle options, double timeout) {
  const Keys read = Keys::Of(keys);
  Memory values(Memory::Use::kRead);
  AddAddresses(read.size(), addresses, sizes, &values);
  return ErrorsOf(PutAll(handle, read, values, positions, options, timeout));
}

// Plain Exists where nothing is to be awaited.
std::vector<Result<bool>> Exist(const Handle& handle, std::span<const std::string_view> keys,
                                double await_puts, py::handle after, double timeout) {
  const auto client = handle.client();
  AwaitOptions options;
  options.at_most = DurationOf(await_puts);
  options.timeout = DurationOf(timeout);
  if (!after.is_none()) options.after = KeyOf(after);
  return WithoutGil([&] {
    return options.at_most == Duration::zero() ? client->Exists(keys, options.timeout)
                                               : client->AwaitPuts(keys, options);
  });
}

bool ExistsOne(const Handle& handle, py::handle key, double await_puts, py::handle after,
               double timeout) {
  const std::string_view view = KeyOf(key);
  return ValueOrRaise(Exist(handle, {&view, 1}, await_puts, after, timeout).front());
}

py::list ExistsBatch(const Handle& handle, py::handle keys, double await_puts, py::handle after,
                     double timeout) {
  const Keys read = Keys::Of(keys);
  auto results = Exist(handle, read.views(), await_puts, after, timeout);
  return ValuesOf(&results, [](bool exists) { return py::bool_(exists); });
}

// Asked for in short waits, so that signals (Ctrl-C) and a close are seen between them.
std::vector<Status> WaitExists(const Handle& handle, std::span<const std::string_view> keys,
                               Duration timeout) {
  const auto client = handle.client();
  constexpr Duration kShort = std::chrono::seconds(1);
  const TimePoint began = BootClock::now();
  std::vector<Status> statuses(keys.size());
  std::vector<size_t> left(keys.size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = i;
  std::vector<std::string_view> asked(keys.begin(), keys.end());
  for (Duration within = timeout;; within = timeout - (BootClock::now() - began)) {
    if (within <= Duration::zero() && within != timeout) return statuses;
    const Duration now = std::min(within, kShort);
    const TimePoint asked_at = BootClock::now();
    const auto answers = WithoutGil([&] { return client->WaitExists(asked, now); });
    // A master that can't be reached is waited for by the call itself; before its time is over it
    // is given up.
    const bool given_up = BootClock::now() - asked_at < now;
    std::vector<size_t> still;
    asked.clear();
    for (size_t i = 0; i < left.size(); ++i) {
      statuses[left[i]] = answers[i];
      const StatusCode code = answers[i].code();
      if (code == StatusCode::kDeadlineExceeded ||
          (code == StatusCode::kUnavailable && !given_up)) {
        still.push_back(left[i]);
        asked.push_back(keys[left[i]]);
      }
    }
    left = std::move(still);
    if (left.empty() || now == within) return statuses;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    (void)handle.client();  // raises where it was closed meanwhile
  }
}

void WaitExistsOne(const Handle& handle, py::handle key, double timeout) {
  const std::string_view view = KeyOf(key);
  RaiseUnlessOk(WaitExists(handle, {&view, 1}, DurationOf(timeout)).front());
}

py::list WaitExistsBatch(const Handle& handle, py::handle keys, double timeout) {
  const Keys read = Keys::Of(keys);
  return ErrorsOf(WaitExists(handle, read.views(), DurationOf(timeout)));
}

void RemoveOne(const Handle& handle, py::handle key, double timeout) {
  const auto client = handle.client();
  const std::string_view view = KeyOf(key);
  const Duration within = DurationOf(timeout);
  RaiseUnlessOk(WithoutGil([&] { return client->Remove({&view, 1}, within); }).front());
}

py::list RemoveBatch(const Handle& handle, py::handle keys, double timeout) {
  const auto client = handle.client();
  const Keys read = Keys::Of(keys);
  const Duration within = DurationOf(timeout);
  return ErrorsOf(WithoutGil([&] { return client->Remove(read.views(), within); }));
}

uint64_t RemoveMatching(const Handle& handle, py::handle prefix, double timeout) {
  const auto client = handle.client();
  const std::string_view view = KeyOf(prefix);
  const Duration within = DurationOf(timeout);
  return ValueOrRaise(WithoutGil([&] { return client->RemoveMatching(view, within); }));
}

// In the order of kvstore.results.Stat's fields.
py::tuple DescribeStat(const ObjectStat& stat) {
  py::list replicas;
  for (const ReplicaStat& replica : stat.replicas) {
    replicas.append(py::make_tuple(replica.node, replica.holder.ToString(), replica.ranges,
                                   replica.reserved_bytes));
  }
  const Retention& kept = stat.retention;
  return py::make_tuple(stat.size, stat.checksum, SecondsOf(stat.age), SecondsOf(stat.lease_left),
                        replicas, stat.durable, kept.hard_pin, SecondsOf(kept.soft_pin),
                        SecondsOf(kept.ttl), py::bytes(kept.group), kept.position);
}

py::list StatBatch(const Handle& handle, py::handle keys, double timeout) {
  const auto client = handle.client();
  const Keys read = Keys::Of(keys);
  const Duration within = DurationOf(timeout);
  auto results = WithoutGil([&] { return client->Stat(read.views(), within); });
  return ValuesOf(&results, DescribeStat);
}

py::list PinBatch(const Handle& handle, py::handle keys, bool hard, double soft, double timeout) {
  const auto client = handle.client();
  const Keys read = Keys::Of(keys);
  const PinOptions options{.hard = hard, .soft = DurationOf(soft)};
  const Duration within = DurationOf(timeout);
  return ErrorsOf(WithoutGil([&] { return client->Pin(read.views(), options, within); }));
}

}  // namespace

void BindVerbs(ClientClass& client) {
  client.def("put", &PutOne)
      .def("put_batch", &PutBatch)
      .def("put_addresses", &PutAddresses)
      .def("exists", &ExistsOne)
      .def("exists_batch", &ExistsBatch)
      .def("wait_exists", &WaitExistsOne)
      .def("wait_exists_batch", &WaitExistsBatch)
      .def("remove", &RemoveOne)
      .def("remove_batch", &RemoveBatch)
      .def("remove_matching", &RemoveMatching)
      .def("stat_batch", &StatBatch)
      .def("pin_batch", &PinBatch);
}

}  // namespace kvstore::python
