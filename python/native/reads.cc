#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "native/calls.h"
#include "native/gil.h"
#include "native/keys.h"
#include "native/memory.h"
#include "native/numbers.h"
#include "native/options.h"
#include "native/sequence.h"

namespace py = pybind11;

namespace kvstore::python {
namespace {

// One entry per item: the size that was read, or the error.
py::list SizesOf(const std::vector<GetResult>& results) {
  py::list sizes(results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    py::object entry =
        results[i].status.ok() ? py::object(py::int_(results[i].size)) : ErrorOf(results[i].status);
    PyList_SET_ITEM(sizes.ptr(), static_cast<Py_ssize_t>(i), entry.release().ptr());
  }
  return sizes;
}

std::vector<GetResult> GetAll(const Handle& handle, const Keys& keys, const Memory& targets,
                              py::handle offsets, py::handle lengths, double timeout) {
  const auto client = handle.client();
  const Duration within = DurationOf(timeout);
  std::vector<GetItem> items(keys.size());
  for (size_t i = 0; i < items.size(); ++i) {
    items[i].key = keys[i];
    items[i].pieces = targets.pieces(i);
  }
  if (!offsets.is_none()) {
    const auto from = NumbersOf(offsets, "offsets", items.size(), 0);
    for (size_t i = 0; i < items.size(); ++i) items[i].offset = from[i];
  }
  if (!lengths.is_none()) {
    const auto of = NumbersOf(lengths, "lengths", items.size(), kToTheEnd);
    for (size_t i = 0; i < items.size(); ++i) items[i].length = of[i];
  }
  return WithoutGil([&] { return client->Get(items, within); });
}

uint64_t GetInto(const Handle& handle, py::handle key, py::handle target, uint64_t offset,
                 py::handle length, double timeout) {
  const auto client = handle.client();
  Memory memory(Memory::Use::kWrite);
  memory.Add(target);
  const GetItem item{.key = KeyOf(key),
                     .pieces = memory.pieces(0),
                     .offset = offset,
                     .length = length.is_none() ? kToTheEnd : NumberOf(length, "a length")};
  const Duration within = DurationOf(timeout);
  const GetResult result = WithoutGil([&] { return client->Get({&item, 1}, within); }).front();
  RaiseUnlessOk(result.status);
  return result.size;
}

py::list GetIntoBatch(const Handle& handle, py::handle items, py::handle offsets,
                      py::handle lengths, double timeout) {
  Keys keys;
  Memory targets(Memory::Use::kWrite);
  AddPairs(items, "target", &keys, &targets);
  return SizesOf(GetAll(handle, keys, targets, offsets, lengths, timeout));
}

py::list GetAddresses(const Handle& handle, py::handle keys, py::handle addresses, py::handle sizes,
                      py::handle offsets, py::handle lengths, double timeout) {
  const Keys read = Keys::Of(keys);
  Memory targets(Memory::Use::kWrite);
  AddAddresses(read.size(), addresses, sizes, &targets);
  return SizesOf(GetAll(handle, read, targets, offsets, lengths, timeout));
}

// What a client remembers of sizes; the public API has it for those that derive from it only.
class SizeHints : public Client {
 public:
  static uint64_t Of(const Client& client, std::string_view key) {
    return (client.*&SizeHints::SizeHint)(key);
  }
};

// Objects whose sizes the caller does not know, read into bytes of their sizes: a first round
// learns the sizes that this process doesn't know yet, and brings small objects at once.
class BytesGet {
 public:
  BytesGet(const Client& client, std::span<const std::string_view> keys)
      : client_(client), keys_(keys), values_(keys.size()), results_(keys.size()) {}

  // The client's Get, round by round. Called with the lock.
  void Run(Client* client, Duration timeout);
  py::list Values();

 private:
  // An object of an unknown size: whether it is no larger is found out by reading it. Of many
  // objects only their sizes, since their room would be wasted.
  static constexpr uint64_t kFirstGuess = 16u << 10;
  static constexpr size_t kFewKeys = 16;

  void MakeRoom(size_t item, uint64_t size) {
    values_[item] = py::reinterpret_steal<py::object>(
        PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
    if (!values_[item]) throw py::error_already_set();
  }

  const Client& client_;
  const std::span<const std::string_view> keys_;
  std::vector<py::object> values_;
  std::vector<GetResult> results_;
};

void BytesGet::Run(Client* client, Duration timeout) {
  const TimePoint began = BootClock::now();
  std::vector<size_t> left(keys_.size());
  for (size_t i = 0; i < left.size(); ++i) {
    left[i] = i;
    const uint64_t hint = SizeHints::Of(client_, keys_[i]);
    MakeRoom(i, hint > 0 ? hint : keys_.size() <= kFewKeys ? kFirstGuess : 0);
  }
  for (Duration within = timeout; !left.empty(); within = timeout - (BootClock::now() - began)) {
    if (within <= Duration::zero() && within != timeout) {
      for (const size_t i : left) {
        results_[i].status =
            DeadlineExceededError("only the object's size could be learned in time");
      }
      return;
    }
    std::vector<Piece> pieces(left.size());
    std::vector<GetItem> items(left.size());
    for (size_t i = 0; i < left.size(); ++i) {
      PyObject* const value = values_[left[i]].ptr();
      pieces[i] = {PyBytes_AS_STRING(value), static_cast<uint64_t>(PyBytes_GET_SIZE(value))};
      items[i] = {.key = keys_[left[i]], .pieces = {&pieces[i], 1}};
    }
    const auto results = WithoutGil([&] { return client->Get(items, within); });
    std::vector<size_t> too_small;
    for (size_t i = 0; i < left.size(); ++i) {
      results_[left[i]] = results[i];
      if (!results[i].status.ok() && results[i].size > pieces[i].size) {
        MakeRoom(left[i], results[i].size);
        too_small.push_back(left[i]);
      }
    }
    left = std::move(too_small);
  }
}

py::list BytesGet::Values() {
  py::list list(values_.size());
  for (size_t i = 0; i < values_.size(); ++i) {
    py::object value;
    if (!results_[i].status.ok()) {
      value = ErrorOf(results_[i].status);
    } else if (results_[i].size == static_cast<uint64_t>(PyBytes_GET_SIZE(values_[i].ptr()))) {
      value = std::move(values_[i]);
    } else {
      value = py::bytes(PyBytes_AS_STRING(values_[i].ptr()), results_[i].size);
    }
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), value.release().ptr());
  }
  return list;
}

py::list GetBatch(const Handle& handle, py::handle keys, double timeout) {
  const auto client = handle.client();
  const Keys read = Keys::Of(keys);
  BytesGet get(*client, read.views());
  get.Run(client.get(), DurationOf(timeout));
  return get.Values();
}

py::object GetOne(const Handle& handle, py::handle key, double timeout) {
  const auto client = handle.client();
  const std::string_view view = KeyOf(key);
  BytesGet get(*client, {&view, 1});
  get.Run(client.get(), DurationOf(timeout));
  py::object value = get.Values()[0];
  if (!PyBytes_CheckExact(value.ptr())) {
    PyErr_SetObject(py::type::handle_of(value).ptr(), value.ptr());
    throw py::error_already_set();
  }
  return value;
}

// A read session and its client, which outlives it.
struct Reading {
  std::shared_ptr<Client> client;
  std::unique_ptr<ReadSession> session;
};

// As Python holds it. Calls under way hold it too.
class ReadingHandle {
 public:
  explicit ReadingHandle(Reading reading)
      : reading_(new Reading(std::move(reading)), DeleteWithoutGil()) {}

  std::shared_ptr<Reading> reading() const {
    if (reading_ == nullptr) Raise(FailedPreconditionError("the read session is closed"));
    return reading_;
  }
  void Close() { reading_.reset(); }

 private:
  std::shared_ptr<Reading> reading_;
};

std::unique_ptr<ReadingHandle> OpenReadSession(const Handle& handle, py::handle keys,
                                               double timeout) {
  auto client = handle.client();
  const Keys read = Keys::Of(keys);
  const Duration within = DurationOf(timeout);
  auto session =
      ValueOrRaise(WithoutGil([&] { return client->OpenReadSession(read.views(), within); }));
  return std::make_unique<ReadingHandle>(
      Reading{.client = std::move(client), .session = std::move(session)});
}

py::list SessionSizes(const ReadingHandle& handle) {
  std::vector<Result<uint64_t>> sizes = handle.reading()->session->sizes();
  return ValuesOf(&sizes, [](uint64_t size) { return py::int_(size); });
}

py::list ReadParts(const ReadingHandle& handle, py::handle objects, const Memory& targets,
                   py::handle offsets, py::handle lengths, double timeout) {
  const auto reading = handle.reading();
  const size_t count = targets.size();
  const auto indices = NumbersOf(objects, "objects", count, 0);
  const auto from = NumbersOf(offsets, "offsets", count, 0);
  const auto of = NumbersOf(lengths, "lengths", count, kToTheEnd);
  const Duration within = DurationOf(timeout);
  std::vector<PartItem> items(count);
  for (size_t i = 0; i < count; ++i) {
    items[i] = {
        .object = indices[i], .pieces = targets.pieces(i), .offset = from[i], .length = of[i]};
  }
  return SizesOf(WithoutGil([&] { return reading->session->Read(items, within); }));
}

py::list ReadBatch(const ReadingHandle& handle, py::handle objects, py::handle targets,
                   py::handle offsets, py::handle lengths, double timeout) {
  const Sequence given(targets, "targets are a sequence of buffers");
  Memory memory(Memory::Use::kWrite);
  memory.Reserve(given.size());
  for (size_t i = 0; i < given.size(); ++i) memory.Add(given[i]);
  return ReadParts(handle, objects, memory, offsets, lengths, timeout);
}

py::list ReadAddresses(const ReadingHandle& handle, py::handle objects, py::handle addresses,
                       py::handle sizes, py::handle offsets, py::handle lengths, double timeout) {
  const Sequence given(objects, "objects are a sequence of int");
  Memory memory(Memory::Use::kWrite);
  AddAddresses(given.size(), addresses, sizes, &memory);
  return ReadParts(handle, objects, memory, offsets, lengths, timeout);
}

}  // namespace

void BindReads(py::module_& module, ClientClass& client) {
  py::class_<ReadingHandle, std::unique_ptr<ReadingHandle>>(module, "ReadSession")
      .def("sizes", &SessionSizes)
      .def("read_batch", &ReadBatch)
      .def("read_addresses", &ReadAddresses)
      .def("close", &ReadingHandle::Close);
  client.def("get", &GetOne)
      .def("get_batch", &GetBatch)
      .def("get_into", &GetInto)
      .def("get_into_batch", &GetIntoBatch)
      .def("get_addresses", &GetAddresses)
      .def("read_session", &OpenReadSession);
}

}  // namespace kvstore::python
