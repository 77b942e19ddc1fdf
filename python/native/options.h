#ifndef KVSTORE_PYTHON_NATIVE_OPTIONS_H_
#define KVSTORE_PYTHON_NATIVE_OPTIONS_H_

#include <pybind11/pybind11.h>

#include "kvstore/client.h"

namespace kvstore::python {

// Python's times are seconds. Infinity, and what is longer than 292 years, is for ever. Raises
// InvalidArgument for what is no number of seconds.
Duration DurationOf(double seconds);
double SecondsOf(Duration duration);

// `options` is a PutOptions of the module, or None.
PutOptions PutOptionsOf(pybind11::handle options, double timeout);

void BindPutOptions(pybind11::module_& module);

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_OPTIONS_H_
