#ifndef KVSTORE_SRC_TRANSFER_CARRIER_H_
#define KVSTORE_SRC_TRANSFER_CARRIER_H_

#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include "thread_annotations.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// A thread that carries posted parcels one after the other, for ways on which one thread moves all
// that memory can. Thread-safe.
class Carrier {
 public:
  // `carry` ends all copies of a parcel; called by the thread only.
  explicit Carrier(std::function<void(Parcel)> carry);
  // Cancels what was posted and waits until it is final.
  ~Carrier();

  // Doesn't wait.
  void Post(Parcel parcel);

 private:
  void Work();

  const std::function<void(Parcel)> carry_;
  Mutex mu_;
  CondVar posted_;
  std::deque<Parcel> parcels_ GUARDED_BY(mu_);
  std::shared_ptr<BatchState> current_ GUARDED_BY(mu_);  // of the parcel that is being carried
  bool ending_ GUARDED_BY(mu_) = false;
  std::thread thread_ GUARDED_BY(mu_);  // started by the first Post
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_CARRIER_H_
