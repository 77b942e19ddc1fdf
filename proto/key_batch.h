#ifndef KVSTORE_PROTO_KEY_BATCH_H_
#define KVSTORE_PROTO_KEY_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvstore {

// Keys of a batch in one string, so that 4096 of them cost two allocations. Thread-compatible.
class KeyBatch {
 public:
  KeyBatch() = default;

  // `ends[i]` is where key i ends in `bytes`: not decreasing, the last equal to bytes.size(). The
  // caller (proto/codec_*.cc) has checked that.
  KeyBatch(std::string bytes, std::vector<uint32_t> ends)
      : bytes_(std::move(bytes)), ends_(std::move(ends)) {}

  void Add(std::string_view key) {
    bytes_.append(key);
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }

  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }

  // Valid until the batch changes.
  std::string_view operator[](size_t i) const {
    const uint32_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }

  const std::string& bytes() const { return bytes_; }
  const std::vector<uint32_t>& ends() const { return ends_; }

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_;
};

}  // namespace kvstore

#endif  // KVSTORE_PROTO_KEY_BATCH_H_
