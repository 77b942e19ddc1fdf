#include "native/buffer_pool.h"

#include <bit>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>

namespace py = pybind11;

namespace kvstore::python {
namespace {

// Smaller ones are malloc's to keep.
constexpr uint64_t kSmallest = 64u << 10;
constexpr uint64_t kLargest = std::numeric_limits<int64_t>::max() / 2;

int GetBuffer(PyObject* self, Py_buffer* view, int flags) {
  const auto& buffer = py::handle(self).cast<const Buffer&>();
  return PyBuffer_FillInfo(view, self, buffer.data(), static_cast<Py_ssize_t>(buffer.size()), 0,
                           flags);
}

}  // namespace

BufferPool::~BufferPool() {
  for (const std::vector<void*>& blocks : free_) {
    for (void* const block : blocks) std::free(block);
  }
}

size_t BufferPool::ClassOf(uint64_t size) {
  return static_cast<size_t>(std::countr_zero(std::bit_ceil(size)));
}

void* BufferPool::Take(uint64_t size) {
  if (size > kLargest) return nullptr;
  if (size < kSmallest) return std::malloc(size > 0 ? size : 1);
  const size_t of = ClassOf(size);
  std::vector<void*>& blocks = free_[of];
  if (blocks.empty()) return std::malloc(uint64_t{1} << of);
  void* const block = blocks.back();
  blocks.pop_back();
  kept_ -= uint64_t{1} << of;
  return block;
}

void BufferPool::GiveBack(void* block, uint64_t size) {
  const size_t of = size < kSmallest ? 0 : ClassOf(size);
  const uint64_t bytes = uint64_t{1} << of;
  if (size < kSmallest || bytes > limit_ - kept_) {
    std::free(block);
    return;
  }
  kept_ += bytes;
  free_[of].push_back(block);
}

Buffer::Buffer(std::shared_ptr<BufferPool> pool, uint64_t size)
    : pool_(std::move(pool)), size_(size), data_(pool_->Take(size)) {
  if (data_ == nullptr) throw std::bad_alloc();
}

void BindBufferPool(py::module_& module) {
  py::class_<BufferPool, std::shared_ptr<BufferPool>>(module, "BufferPool")
      .def(py::init<uint64_t>())
      .def("kept", &BufferPool::kept);
  py::class_<Buffer>(module, "Buffer", py::custom_type_setup([](PyHeapTypeObject* type) {
                       type->as_buffer.bf_getbuffer = GetBuffer;
                       type->ht_type.tp_as_buffer = &type->as_buffer;
                     }))
      .def(py::init<std::shared_ptr<BufferPool>, uint64_t>(), py::arg("pool").none(false),
           py::arg("size"))
      .def("__len__", &Buffer::size)
      .def("address",
           [](const Buffer& buffer) { return reinterpret_cast<uintptr_t>(buffer.data()); });
}

}  // namespace kvstore::python
