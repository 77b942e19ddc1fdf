#include "native/memory.h"

#include <string>

#include "native/errors.h"
#include "native/numbers.h"
#include "native/sequence.h"

namespace py = pybind11;

namespace kvstore::python {
namespace {

// A piece that is only read has the same layout, so that one list serves puts and gets.
static_assert(sizeof(Piece) == sizeof(ConstPiece));
static_assert(offsetof(Piece, data) == offsetof(ConstPiece, data));
static_assert(offsetof(Piece, size) == offsetof(ConstPiece, size));

bool IsList(py::handle object) { return PyList_Check(object.ptr()) || PyTuple_Check(object.ptr()); }

// An int, or a number of numpy's. Arrays are sequences, whatever they have in them.
bool IsNumber(py::handle object) {
  return PyLong_Check(object.ptr()) ||
         (PyIndex_Check(object.ptr()) && !PySequence_Check(object.ptr()));
}

// torch conjugates and negates lazily: such a tensor's memory holds other numbers than it has.
void CheckResolved(py::handle tensor) {
  struct Lazy {
    const char* is;
    const char* resolve;
  };
  for (const Lazy lazy : {Lazy{"is_conj", "resolve_conj"}, Lazy{"is_neg", "resolve_neg"}}) {
    if (py::hasattr(tensor, lazy.is) && tensor.attr(lazy.is)().cast<bool>()) {
      throw py::type_error(std::string("a tensor's memory holds other numbers than it has (") +
                           lazy.is + "()); use ." + lazy.resolve + "()");
    }
  }
}

Piece PieceAt(py::handle address, py::handle size) {
  const uint64_t bytes = NumberOf(size, "a size");
  auto* const data =
      reinterpret_cast<void*>(static_cast<uintptr_t>(NumberOf(address, "an address")));
  if (data == nullptr && bytes > 0) throw py::value_error("an address is 0, and its size is not");
  return {data, bytes};
}

}  // namespace

Memory::~Memory() {
  for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
}

void Memory::Reserve(size_t items) {
  kept_.reserve(items);
  pieces_.reserve(items);
  ends_.reserve(items);
}

void Memory::Add(py::handle item) {
  if (!IsList(item)) {
    AddPiece(item);
  } else {
    const Sequence objects(item, "pieces are a list or tuple of buffers or tensors");
    for (size_t i = 0; i < objects.size(); ++i) AddPiece(objects[i]);
  }
  EndItem();
}

void Memory::AddAddresses(py::handle addresses, py::handle sizes) {
  if (IsNumber(addresses)) {
    pieces_.push_back(PieceAt(addresses, sizes));
  } else {
    const Sequence from(addresses, "addresses are an int or a sequence of int");
    const Sequence of(sizes, "sizes are a sequence of int, as addresses are");
    if (from.size() != of.size()) {
      throw py::value_error("an item has " + std::to_string(from.size()) + " addresses and " +
                            std::to_string(of.size()) + " sizes");
    }
    for (size_t i = 0; i < from.size(); ++i) pieces_.push_back(PieceAt(from[i], of[i]));
  }
  EndItem();
}

void Memory::Add(void* data, uint64_t size) {
  pieces_.push_back({data, size});
  EndItem();
}

void AddAddresses(size_t items, py::handle addresses, py::handle sizes, Memory* memory) {
  const Sequence from(addresses, "addresses are a sequence of int, or of sequences of int");
  const Sequence of(sizes, "sizes are a sequence of int, or of sequences of int");
  CheckSameLength("items", items, "addresses", from.size());
  CheckSameLength("items", items, "sizes", of.size());
  memory->Reserve(items);
  for (size_t i = 0; i < items; ++i) memory->AddAddresses(from[i], of[i]);
}

std::span<const Piece> Memory::pieces(size_t item) const {
  const size_t begin = item == 0 ? 0 : ends_[item - 1];
  return std::span(pieces_).subspan(begin, ends_[item] - begin);
}

std::span<const ConstPiece> Memory::const_pieces(size_t item) const {
  const auto writable = pieces(item);
  return {reinterpret_cast<const ConstPiece*>(writable.data()), writable.size()};
}

void Memory::AddPiece(py::handle object) {
  if (use_ == Use::kRead && PyBytes_CheckExact(object.ptr())) {
    kept_.push_back(py::reinterpret_borrow<py::object>(object));
    pieces_.push_back(
        {PyBytes_AS_STRING(object.ptr()), static_cast<uint64_t>(PyBytes_GET_SIZE(object.ptr()))});
    return;
  }
  if (PyObject_CheckBuffer(object.ptr()) == 0) {
    AddTensor(object);
    return;
  }
  Py_buffer buffer;
  const int flags = use_ == Use::kWrite ? PyBUF_WRITABLE : PyBUF_SIMPLE;
  if (PyObject_GetBuffer(object.ptr(), &buffer, flags) != 0) throw py::error_already_set();
  buffers_.push_back(buffer);
  pieces_.push_back({buffer.buf, static_cast<uint64_t>(buffer.len)});
}

// What torch and those that follow it agree on; torch itself is not needed.
void Memory::AddTensor(py::handle tensor) {
  if (!py::hasattr(tensor, "data_ptr")) {
    throw py::type_error(
        std::string("memory is an object with the buffer protocol, a tensor, or a list of "
                    "those, not ") +
        Py_TYPE(tensor.ptr())->tp_name);
  }
  const py::object device = tensor.attr("device").attr("type");
  if (!device.equal(py::str("cpu"))) {
    Raise(UnimplementedError("a tensor lies in memory of device " +
                             py::str(device).cast<std::string>() + "; copy it to the CPU first"));
  }
  if (!tensor.attr("is_contiguous")().cast<bool>()) {
    throw py::value_error("a tensor is not contiguous; use contiguous()");
  }
  CheckResolved(tensor);
  const uint64_t bytes =
      tensor.attr("numel")().cast<uint64_t>() * tensor.attr("element_size")().cast<uint64_t>();
  auto* const data = reinterpret_cast<void*>(tensor.attr("data_ptr")().cast<uintptr_t>());
  if (data == nullptr && bytes > 0) {
    throw py::value_error("a tensor has no memory: its storage was emptied");
  }
  kept_.push_back(py::reinterpret_borrow<py::object>(tensor));
  pieces_.push_back({data, bytes});
}

void AddPairs(py::handle items, const std::string& role, Keys* keys, Memory* memory) {
  const std::string pair_is = "an item is a tuple (key, " + role + ")";
  const Sequence pairs(items, ("items are a sequence of (key, " + role + ")").c_str());
  keys->Reserve(pairs.size());
  memory->Reserve(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Sequence pair(pairs[i], pair_is.c_str());
    if (pair.size() != 2) throw py::type_error(pair_is);
    keys->Add(pair[0]);
    memory->Add(pair[1]);
  }
}

}  // namespace kvstore::python
