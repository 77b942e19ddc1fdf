#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/calls.h"
#include "native/gil.h"
#include "native/keys.h"
#include "native/numbers.h"
#include "native/options.h"
#include "native/sequence.h"
#include "native/span.h"

namespace py = pybind11;

namespace kvstore::python {
namespace {

// An object in place and its client, which outlives it; and how many buffers Python holds of it.
template <typename Object>
struct Placed {
  std::shared_ptr<Client> client;
  std::unique_ptr<Object> object;
  std::shared_ptr<Exports> exports = std::make_shared<Exports>(0);
};

// As Python holds it. The memory stays until this is closed and the last buffer of it is let go of.
template <typename Object>
class PlacedHandle {
 public:
  PlacedHandle(std::shared_ptr<Client> client, std::unique_ptr<Object> object)
      : placed_(new Placed<Object>{std::move(client), std::move(object)}, DeleteWithoutGil()) {}

  std::shared_ptr<Placed<Object>> placed() const {
    if (placed_ == nullptr) Raise(FailedPreconditionError("the object is closed"));
    return placed_;
  }
  void Close() { placed_.reset(); }

  py::list Buffers(bool read_only) const {
    const auto placed = this->placed();
    py::list buffers;
    for (const auto& piece : placed->object->pieces()) {
      buffers.append(MemoryViewOf({.owner = placed,
                                   .exports = placed->exports,
                                   .data = const_cast<void*>(piece.data),
                                   .size = piece.size,
                                   .read_only = read_only}));
    }
    return buffers;
  }

 private:
  std::shared_ptr<Placed<Object>> placed_;
};

using ViewHandle = PlacedHandle<ObjectView>;
using NewHandle = PlacedHandle<NewObject>;

py::list ViewBatch(const Handle& handle, py::handle keys, double timeout) {
  const auto client = handle.client();
  const Keys read = Keys::Of(keys);
  const Duration within = DurationOf(timeout);
  auto views = WithoutGil([&] { return client->View(read.views(), within); });
  return ValuesOf(&views, [&](std::unique_ptr<ObjectView>& view) {
    return py::cast(std::make_unique<ViewHandle>(client, std::move(view)));
  });
}

py::list CreateBatch(const Handle& handle, py::handle items, py::handle positions,
                     py::handle options, double timeout) {
  const auto client = handle.client();
  const Sequence pairs(items, "items are a sequence of (key, size)");
  const auto places = PositionsOf(positions, pairs.size());
  Keys keys;
  keys.Reserve(pairs.size());
  std::vector<CreateItem> wanted(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Sequence pair(pairs[i], "an item is a tuple (key, size)");
    if (pair.size() != 2) throw py::type_error("an item is a tuple (key, size)");
    keys.Add(pair[0]);
    wanted[i] = {.key = keys[i], .size = NumberOf(pair[1], "a size"), .position = places[i]};
  }
  const PutOptions put_options = PutOptionsOf(options, timeout);
  auto made = WithoutGil([&] { return client->Create(wanted, put_options); });
  return ValuesOf(&made, [&](std::unique_ptr<NewObject>& object) {
    return py::cast(std::make_unique<NewHandle>(client, std::move(object)));
  });
}

void VerifyView(const ViewHandle& handle) {
  const auto placed = handle.placed();
  RaiseUnlessOk(WithoutGil([&] { return placed->object->Verify(); }));
}

// A buffer that is still held could be written after the checksum was taken.
void Seal(const NewHandle& handle, double timeout) {
  const auto placed = handle.placed();
  if (const auto held = placed->exports->load(); held > 0) {
    Raise(FailedPreconditionError(
        std::to_string(held) +
        " buffers of the object are still in use; release memoryviews and delete arrays of it"));
  }
  const Duration within = DurationOf(timeout);
  RaiseUnlessOk(WithoutGil([&] { return placed->object->Seal(within); }));
}

double SecondsLeft(const NewHandle& handle) {
  return SecondsOf(handle.placed()->object->deadline() - BootClock::now());
}

}  // namespace

void BindInPlace(py::module_& module, ClientClass& client) {
  py::class_<ViewHandle, std::unique_ptr<ViewHandle>>(module, "View")
      .def("buffers", [](const ViewHandle& view) { return view.Buffers(true); })
      .def("size", [](const ViewHandle& view) { return view.placed()->object->size(); })
      .def("checksum", [](const ViewHandle& view) { return view.placed()->object->checksum(); })
      .def("verify", &VerifyView)
      .def("close", &ViewHandle::Close);
  py::class_<NewHandle, std::unique_ptr<NewHandle>>(module, "NewObject")
      .def("buffers", [](const NewHandle& object) { return object.Buffers(false); })
      .def("size", [](const NewHandle& object) { return object.placed()->object->size(); })
      .def("seconds_left", &SecondsLeft)
      .def("seal", &Seal)
      .def("close", &NewHandle::Close);
  client.def("view_batch", &ViewBatch).def("create_batch", &CreateBatch);
}

}  // namespace kvstore::python
