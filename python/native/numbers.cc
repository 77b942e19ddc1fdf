#include "native/numbers.h"

#include "native/sequence.h"

namespace py = pybind11;

namespace kvstore::python {

uint64_t NumberOf(py::handle number, const char* what, uint64_t largest) {
  const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(number.ptr()));
  if (!index) throw py::error_already_set();
  const auto value = PyLong_AsUnsignedLongLong(index.ptr());
  const bool failed = value == static_cast<unsigned long long>(-1) && PyErr_Occurred() != nullptr;
  if (failed) PyErr_Clear();
  if (failed || value > largest) {
    throw py::value_error(std::string(what) + " is " + py::str(number).cast<std::string>() +
                          "; it is 0 to " + std::to_string(largest));
  }
  return value;
}

std::vector<uint64_t> NumbersOf(py::handle numbers, const char* name, size_t items,
                                uint64_t otherwise) {
  std::vector<uint64_t> values(items, otherwise);
  if (numbers.is_none()) return values;
  const Sequence given(numbers, "numbers are a sequence of int");
  CheckSameLength("items", items, name, given.size());
  for (size_t i = 0; i < items; ++i) {
    if (!given[i].is_none()) values[i] = NumberOf(given[i], name);
  }
  return values;
}

std::vector<uint32_t> PositionsOf(py::handle positions, size_t items) {
  std::vector<uint32_t> values(items);
  if (positions.is_none()) return values;
  const Sequence given(positions, "positions are a sequence of int");
  CheckSameLength("items", items, "positions", given.size());
  for (size_t i = 0; i < items; ++i) {
    values[i] = static_cast<uint32_t>(
        NumberOf(given[i], "a position", std::numeric_limits<uint32_t>::max()));
  }
  return values;
}

void CheckSameLength(const char* a, size_t size_a, const char* b, size_t size_b) {
  if (size_a == size_b) return;
  throw py::value_error("there are " + std::to_string(size_a) + " " + a + ", but " +
                        std::to_string(size_b) + " " + b);
}

}  // namespace kvstore::python
