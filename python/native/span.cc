#include "native/span.h"

#include <utility>

namespace py = pybind11;

namespace kvstore::python {
namespace {

// Where an empty buffer begins: Python wants an address.
char nothing;

int GetBuffer(PyObject* self, Py_buffer* view, int flags) {
  const Span& span = py::handle(self).cast<const Span&>();
  void* const data = span.data == nullptr ? &nothing : span.data;
  const int failed = PyBuffer_FillInfo(view, self, data, static_cast<Py_ssize_t>(span.size),
                                       span.read_only ? 1 : 0, flags);
  if (failed == 0) ++*span.exports;
  return failed;
}

void ReleaseBuffer(PyObject* self, Py_buffer* /*view*/) {
  --*py::handle(self).cast<const Span&>().exports;
}

}  // namespace

py::object MemoryViewOf(Span span) {
  const py::object exporter = py::cast(std::move(span));
  auto view = py::reinterpret_steal<py::object>(PyMemoryView_FromObject(exporter.ptr()));
  if (!view) throw py::error_already_set();
  return view;
}

void BindSpan(py::module_& module) {
  // Python's own slots, since pybind11's buffers don't tell when they are let go of.
  py::class_<Span>(module, "Span", py::custom_type_setup([](PyHeapTypeObject* type) {
                     type->as_buffer.bf_getbuffer = GetBuffer;
                     type->as_buffer.bf_releasebuffer = ReleaseBuffer;
                     type->ht_type.tp_as_buffer = &type->as_buffer;
                   }));
}

}  // namespace kvstore::python
