#include "transfer/carrier.h"

#include <utility>

namespace kvstore::transfer {

Carrier::Carrier(std::function<void(Parcel)> carry) : carry_(std::move(carry)) {}

Carrier::~Carrier() {
  std::thread thread;
  {
    MutexLock lock(mu_);
    ending_ = true;
    for (Parcel& parcel : parcels_) parcel.batch->Cancel();
    if (current_ != nullptr) current_->Cancel();
    posted_.NotifyAll();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

void Carrier::Post(Parcel parcel) {
  MutexLock lock(mu_);
  if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
  parcels_.push_back(std::move(parcel));
  posted_.NotifyOne();
}

void Carrier::Work() {
  for (;;) {
    Parcel parcel;
    {
      MutexLock lock(mu_);
      current_.reset();
      while (parcels_.empty() && !ending_) posted_.Wait(mu_);
      if (parcels_.empty()) return;
      parcel = std::move(parcels_.front());
      parcels_.pop_front();
      current_ = parcel.batch;
    }
    carry_(std::move(parcel));
  }
}

}  // namespace kvstore::transfer
