#ifndef KVSTORE_SRC_TRANSFER_LOCAL_LOCAL_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_LOCAL_LOCAL_TRANSPORT_H_

#include <deque>
#include <functional>
#include <thread>

#include "kvstore/incarnation.h"
#include "thread_annotations.h"
#include "transfer/registry.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// Copies within this process: memory to memory, between the guard's Enter and Leave. Thread-safe.
class LocalTransport final : public Transport {
 public:
  // `registry` outlives the transport. `own` tells the engine's incarnation of the moment.
  LocalTransport(Registry& registry, std::function<Incarnation()> own);
  ~LocalTransport() override;

  Way way() const override { return Way::kLocal; }
  Status Reaches(const PeerDescriptor& peer) const override;
  void Post(Parcel parcel) override;
  void Carry(Parcel parcel) override;
  // Copies of this process to itself end by themselves.
  void Close(PeerId) override {}

 private:
  Status CopyOne(const BatchState& batch, size_t index);
  void Work();

  Registry& registry_;
  const std::function<Incarnation()> own_;

  Mutex mu_;
  CondVar posted_;
  std::deque<Parcel> parcels_ GUARDED_BY(mu_);
  std::shared_ptr<BatchState> current_ GUARDED_BY(mu_);  // of the parcel that the worker carries
  bool ending_ GUARDED_BY(mu_) = false;
  std::thread worker_ GUARDED_BY(mu_);  // started by the first Post
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_LOCAL_LOCAL_TRANSPORT_H_
