#ifndef KVSTORE_PYTHON_NATIVE_ERRORS_H_
#define KVSTORE_PYTHON_NATIVE_ERRORS_H_

#include <pybind11/pybind11.h>

#include <utility>

#include "kvstore/result.h"
#include "kvstore/status.h"

namespace kvstore::python {

// The exception that kvstore.errors has for the status' code, not raised; None for OK.
pybind11::object ErrorOf(const Status& status);

[[noreturn]] void Raise(const Status& status);

inline void RaiseUnlessOk(const Status& status) {
  if (!status.ok()) Raise(status);
}

template <typename T>
T ValueOrRaise(Result<T> result) {
  if (!result.ok()) Raise(result.status());
  return *std::move(result);
}

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_ERRORS_H_
