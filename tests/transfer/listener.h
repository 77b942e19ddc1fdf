#ifndef KVSTORE_TESTS_TRANSFER_LISTENER_H_
#define KVSTORE_TESTS_TRANSFER_LISTENER_H_

#include <cstddef>
#include <span>
#include <vector>

#include "kvstore/transfer.h"

namespace kvstore::transfer {

// A tap that keeps what it is told.
class Listener final : public Tap {
 public:
  void Take(std::span<const std::byte> bytes) override {
    const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
    heard_.insert(heard_.end(), data, data + bytes.size());
  }
  const std::vector<unsigned char>& heard() const { return heard_; }

 private:
  std::vector<unsigned char> heard_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_LISTENER_H_
