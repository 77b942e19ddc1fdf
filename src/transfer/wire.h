#ifndef KVSTORE_SRC_TRANSFER_WIRE_H_
#define KVSTORE_SRC_TRANSFER_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvstore::transfer {

// Little endian, as everything that leaves the process.
template <typename T>
void AppendNumber(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
  }
}

// Takes parts from the front of bytes that anybody may have sent; once one is missing, everything
// is. The bytes are borrowed. Thread-compatible value.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  std::string_view Take(size_t size) {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const std::string_view part = left_.substr(0, size);
    left_.remove_prefix(size);
    return part;
  }
  template <typename T>
  T Number() {
    uint64_t value = 0;
    const std::string_view part = Take(sizeof(T));
    for (size_t i = 0; i < part.size(); ++i) {
      value |= uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
    }
    return static_cast<T>(value);
  }

  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_WIRE_H_
