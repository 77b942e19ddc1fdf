#include "native/calls.h"

namespace py = pybind11;

namespace kvstore::python {

py::list ErrorsOf(const std::vector<Status>& statuses) {
  py::list errors(statuses.size());
  for (size_t i = 0; i < statuses.size(); ++i) {
    PyList_SET_ITEM(errors.ptr(), static_cast<Py_ssize_t>(i), ErrorOf(statuses[i]).release().ptr());
  }
  return errors;
}

}  // namespace kvstore::python
