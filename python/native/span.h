#ifndef KVSTORE_PYTHON_NATIVE_SPAN_H_
#define KVSTORE_PYTHON_NATIVE_SPAN_H_

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace kvstore::python {

// How many buffers (memoryviews, arrays) Python holds of some memory.
using Exports = std::atomic<int64_t>;

// Memory that Python reaches by the buffer protocol, as one stretch of bytes.
struct Span {
  std::shared_ptr<void> owner;       // keeps the memory in place
  std::shared_ptr<Exports> exports;  // counted up and down
  void* data = nullptr;
  uint64_t size = 0;  // bytes
  bool read_only = true;
};

// A memoryview of it.
pybind11::object MemoryViewOf(Span span);

void BindSpan(pybind11::module_& module);

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_SPAN_H_
