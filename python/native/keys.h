#ifndef KVSTORE_PYTHON_NATIVE_KEYS_H_
#define KVSTORE_PYTHON_NATIVE_KEYS_H_

#include <pybind11/pybind11.h>

#include <span>
#include <string_view>
#include <vector>

namespace kvstore::python {

// The bytes of a key: a str's UTF-8, or bytes. Live as long as the object. Raises TypeError for
// others.
std::string_view KeyOf(pybind11::handle key);

// The keys of one call, kept alive whatever becomes of the sequence that they came in. Confined to
// threads that hold the interpreter's lock, save for views().
class Keys {
 public:
  Keys() = default;
  // Of any iterable but a str or bytes, which would be taken for their letters.
  static Keys Of(pybind11::handle iterable);

  void Add(pybind11::handle key);
  void Reserve(size_t count);

  size_t size() const { return views_.size(); }
  std::string_view operator[](size_t i) const { return views_[i]; }
  std::span<const std::string_view> views() const { return views_; }

 private:
  std::vector<pybind11::object> kept_;
  std::vector<std::string_view> views_;
};

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_KEYS_H_
