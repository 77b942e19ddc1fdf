#ifndef KVSTORE_PYTHON_NATIVE_SEQUENCE_H_
#define KVSTORE_PYTHON_NATIVE_SEQUENCE_H_

#include <pybind11/pybind11.h>

#include <string>

namespace kvstore::python {

// The items of an iterable: a list or tuple as it is, others gathered first. Raises TypeError with
// `what` for what is none, and for str and bytes, which are never meant as their letters.
//
// Other threads may change a list while the lock is let go of; nothing may be kept of it that is
// not owned.
class Sequence {
 public:
  Sequence(pybind11::handle iterable, const char* what) {
    if (PyUnicode_Check(iterable.ptr()) || PyBytes_Check(iterable.ptr())) {
      throw pybind11::type_error(std::string(what) + ", not " + Py_TYPE(iterable.ptr())->tp_name);
    }
    items_ = pybind11::reinterpret_steal<pybind11::object>(PySequence_Fast(iterable.ptr(), what));
    if (!items_) throw pybind11::error_already_set();
  }

  size_t size() const { return static_cast<size_t>(PySequence_Fast_GET_SIZE(items_.ptr())); }
  pybind11::handle operator[](size_t i) const {
    return PySequence_Fast_GET_ITEM(items_.ptr(), static_cast<Py_ssize_t>(i));
  }

 private:
  pybind11::object items_;
};

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_SEQUENCE_H_
