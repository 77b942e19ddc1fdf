#ifndef KVSTORE_PYTHON_NATIVE_NUMBERS_H_
#define KVSTORE_PYTHON_NATIVE_NUMBERS_H_

#include <pybind11/pybind11.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace kvstore::python {

// A whole number of at most `largest`. Raises TypeError for what is no int, and ValueError, with
// `what` the number is, for one out of bounds.
uint64_t NumberOf(pybind11::handle number, const char* what,
                  uint64_t largest = std::numeric_limits<uint64_t>::max());

// One number per item from a sequence of int, or `otherwise` where it is None or an entry of it is.
// Raises ValueError unless it has `items` entries.
std::vector<uint64_t> NumbersOf(pybind11::handle numbers, const char* name, size_t items,
                                uint64_t otherwise);

// Positions of items, as PutItem has them; all 0 for None.
std::vector<uint32_t> PositionsOf(pybind11::handle positions, size_t items);

// Raises ValueError where two lists that belong together are not of one length.
void CheckSameLength(const char* a, size_t size_a, const char* b, size_t size_b);

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_NUMBERS_H_
