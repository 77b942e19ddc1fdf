#ifndef KVSTORE_SRC_MASTER_CHAIN_H_
#define KVSTORE_SRC_MASTER_CHAIN_H_

#include <cstddef>

namespace kvstore::master {

// A list through fields `previous` and `next` of T, so that joining, leaving and moving to the end
// cost O(1) and no allocation. Owns nothing: elements outlive their time in it and stay where they
// are in memory. An element is in one chain at most. Thread-compatible.
template <typename T>
class Chain {
 public:
  Chain() = default;
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  T* front() const { return front_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void PushBack(T* element) {
    element->previous = back_;
    element->next = nullptr;
    (back_ ? back_->next : front_) = element;
    back_ = element;
    ++size_;
  }

  void Remove(T* element) {
    (element->previous ? element->previous->next : front_) = element->next;
    (element->next ? element->next->previous : back_) = element->previous;
    element->previous = element->next = nullptr;
    --size_;
  }

 private:
  T* front_ = nullptr;
  T* back_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_CHAIN_H_
