#ifndef KVSTORE_PYTHON_NATIVE_MEMORY_H_
#define KVSTORE_PYTHON_NATIVE_MEMORY_H_

#include <pybind11/pybind11.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvstore/client.h"
#include "native/keys.h"

namespace kvstore::python {

// The memory that the items of one call name, where it lies, kept in place and alive until this is
// destroyed. An item is an object with the buffer protocol, a tensor (an object with data_ptr()) in
// the CPU's memory, or a list or tuple of those, which are its pieces in order; or addresses, whose
// memory is the caller's to keep. Made and destroyed with the interpreter's lock.
class Memory {
 public:
  enum class Use { kRead, kWrite };

  // kWrite: memory that must not be written is refused with what the object itself raises.
  explicit Memory(Use use) : use_(use) {}
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void Reserve(size_t items);

  // One more item. Raises TypeError for an object without memory, or whose memory holds other
  // numbers than it has (lazily conjugated or negated tensors), ValueError for memory that is not
  // one stretch, Unimplemented for a device's.
  void Add(pybind11::handle item);
  // One more item: an address and a size, or a list of each.
  void AddAddresses(pybind11::handle addresses, pybind11::handle sizes);
  // One more item: memory of the caller's own.
  void Add(void* data, uint64_t size);

  size_t size() const { return ends_.size(); }
  // Stay valid until the next item is added.
  std::span<const Piece> pieces(size_t item) const;
  std::span<const ConstPiece> const_pieces(size_t item) const;

 private:
  void AddPiece(pybind11::handle object);
  void AddTensor(pybind11::handle tensor);
  void EndItem() { ends_.push_back(pieces_.size()); }

  const Use use_;
  std::vector<Py_buffer> buffers_;
  std::vector<pybind11::object> kept_;
  std::vector<Piece> pieces_;
  std::vector<size_t> ends_;  // per item: the index after its last piece
};

// Adds `items` items: per item an address and a size, or a sequence of each. Raises ValueError
// where the numbers differ.
void AddAddresses(size_t items, pybind11::handle addresses, pybind11::handle sizes, Memory* memory);

// Adds the keys and the memory of a sequence of (key, memory). `role` is what errors call the
// memory. Raises TypeError for what is not such a sequence.
void AddPairs(pybind11::handle items, const std::string& role, Keys* keys, Memory* memory);

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_MEMORY_H_
