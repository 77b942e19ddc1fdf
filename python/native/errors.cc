#include "native/errors.h"

namespace py = pybind11;

namespace kvstore::python {

py::object ErrorOf(const Status& status) {
  if (status.ok()) return py::none();
  // Asked for anew, since an error costs far more than that: nothing of Python's is kept in
  // statics, which end after the interpreter.
  const py::module_ errors = py::module_::import("kvstore.errors");
  return errors.attr("error_of")(static_cast<int>(status.code()), status.message());
}

void Raise(const Status& status) {
  const py::object error = ErrorOf(status);
  PyErr_SetObject(py::type::handle_of(error).ptr(), error.ptr());
  throw py::error_already_set();
}

}  // namespace kvstore::python
