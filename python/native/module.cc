#include <pybind11/pybind11.h>

#include <string>

#include "kvstore/client.h"
#include "native/buffer_pool.h"
#include "native/calls.h"
#include "native/gil.h"
#include "native/log.h"
#include "native/options.h"
#include "native/span.h"

namespace py = pybind11;

// What python/kvstore/_native.pyi describes.
PYBIND11_MODULE(_native, module) {
  kvstore::python::LogWarningsOnly();
  module.attr("version") = std::string(kvstore::Version());
  module.def("ending_here", &kvstore::python::EndingHere);
  kvstore::python::BindSpan(module);
  kvstore::python::BindBufferPool(module);
  kvstore::python::BindPutOptions(module);
  kvstore::python::ClientClass client(module, "Client");
  kvstore::python::BindPool(client);
  kvstore::python::BindUpkeep(client);
  kvstore::python::BindVerbs(client);
  kvstore::python::BindReads(module, client);
  kvstore::python::BindInPlace(module, client);
}
