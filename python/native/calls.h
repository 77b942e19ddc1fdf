#ifndef KVSTORE_PYTHON_NATIVE_CALLS_H_
#define KVSTORE_PYTHON_NATIVE_CALLS_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <vector>

#include "kvstore/client.h"
#include "native/errors.h"
#include "native/handle.h"

namespace kvstore::python {

// What the module's class Client has, by topic.
using ClientClass = pybind11::class_<Handle, std::unique_ptr<Handle>>;
void BindVerbs(ClientClass& client);                               // put, exists, remove, stat, pin
void BindReads(pybind11::module_& module, ClientClass& client);    // get, read sessions
void BindInPlace(pybind11::module_& module, ClientClass& client);  // view, create
void BindPool(ClientClass& client);                                // connect, lend, counters
void BindUpkeep(ClientClass& client);                              // list, tasks

// One entry per item: None, or the error that was not raised.
pybind11::list ErrorsOf(const std::vector<Status>& statuses);

// One entry per item: what `convert` makes of the value, or the error.
template <typename T, typename Convert>
pybind11::list ValuesOf(std::vector<Result<T>>* results, const Convert& convert) {
  pybind11::list values(results->size());
  for (size_t i = 0; i < results->size(); ++i) {
    Result<T>& result = (*results)[i];
    pybind11::object value =
        result.ok() ? pybind11::object(convert(*result)) : ErrorOf(result.status());
    PyList_SET_ITEM(values.ptr(), static_cast<Py_ssize_t>(i), value.release().ptr());
  }
  return values;
}

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_CALLS_H_
