#ifndef KVSTORE_SRC_TRANSFER_LOCAL_LOCAL_TRANSPORT_H_
#define KVSTORE_SRC_TRANSFER_LOCAL_LOCAL_TRANSPORT_H_

#include <functional>
#include <memory>
#include <utility>

#include "kvstore/incarnation.h"
#include "transfer/carrier.h"
#include "transfer/registry.h"
#include "transfer/transport.h"

namespace kvstore::transfer {

// Copies within this process: memory to memory, between the guard's Enter and Leave. Thread-safe.
class LocalTransport final : public Transport {
 public:
  // `registry` outlives the transport. `own` tells the engine's incarnation of the moment.
  LocalTransport(Registry& registry, std::function<Incarnation()> own);

  Way way() const override { return Way::kLocal; }
  Status Reaches(const Target& target, RegionId region, Access access, TimePoint deadline) override;
  void Post(Parcel parcel) override { carrier_.Post(std::move(parcel)); }
  void Carry(Parcel parcel) override;
  Result<std::unique_ptr<Mapping>> Map(const Target& target, const MapRequest& request,
                                       TimePoint deadline) override;
  // Copies of this process to itself end by themselves.
  void Close(PeerId) override {}

 private:
  Status CopyOne(BatchState& batch, size_t index, bool streamed);

  Registry& registry_;
  const std::function<Incarnation()> own_;
  Carrier carrier_;  // ends first: its thread uses all of the above
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_LOCAL_LOCAL_TRANSPORT_H_
