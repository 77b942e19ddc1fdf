#include "native/keys.h"

#include <string>

#include "native/sequence.h"

namespace py = pybind11;

namespace kvstore::python {

std::string_view KeyOf(py::handle key) {
  if (PyUnicode_Check(key.ptr())) {
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(key.ptr(), &size);
    if (text == nullptr) {
      PyErr_Clear();
      throw py::type_error("a key is a str that has an encoding in UTF-8, or bytes");
    }
    return {text, static_cast<size_t>(size)};
  }
  if (PyBytes_Check(key.ptr())) {
    return {PyBytes_AS_STRING(key.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(key.ptr()))};
  }
  throw py::type_error(std::string("a key is a str or bytes, not ") + Py_TYPE(key.ptr())->tp_name);
}

Keys Keys::Of(py::handle iterable) {
  const Sequence items(iterable, "keys are a sequence of str or bytes");
  Keys keys;
  keys.Reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) keys.Add(items[i]);
  return keys;
}

void Keys::Add(py::handle key) {
  views_.push_back(KeyOf(key));
  kept_.push_back(py::reinterpret_borrow<py::object>(key));
}

void Keys::Reserve(size_t count) {
  kept_.reserve(count);
  views_.reserve(count);
}

}  // namespace kvstore::python
