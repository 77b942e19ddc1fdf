#ifndef KVSTORE_TESTS_SIMULATION_SIM_MAPPING_H_
#define KVSTORE_TESTS_SIMULATION_SIM_MAPPING_H_

#include <memory>
#include <utility>

#include "simulation/shared_link.h"

namespace kvstore::simulation {

// Memory of this process in place: an access that the region's guard let in.
class LocalMapping final : public transfer::Mapping {
 public:
  LocalMapping(Process* process, const Region* region, const transfer::MapRequest& request)
      : process_(process), region_(region), request_(request) {}
  ~LocalMapping() override {
    if (process_->dead() || region_->guard == nullptr) return;
    region_->guard->Leave(request_.access, request_.guard->first, request_.offset, request_.length,
                          request_.guard->birth);
  }

  std::byte* data() const override { return region_->base + request_.offset; }
  uint64_t size() const override { return request_.length; }
  bool Stands() const override {
    return region_->guard == nullptr ||
           region_->guard->Stands(request_.guard->first, request_.guard->birth);
  }
  transfer::Way way() const override { return transfer::Way::kLocal; }

 private:
  Process* const process_;
  const Region* const region_;
  const transfer::MapRequest request_;
};

// Memory of another process of this host in place: a slot, set for as long as this lives.
class SharedMapping final : public transfer::Mapping {
 public:
  SharedMapping(std::shared_ptr<SharedLink> link, SharedLink::Slot slot, const Region* region,
                const transfer::MapRequest& request)
      : link_(std::move(link)), slot_(slot), region_(region), request_(request) {}
  ~SharedMapping() override { link_->Clear(slot_); }

  std::byte* data() const override { return region_->base + request_.offset; }
  uint64_t size() const override { return request_.length; }
  bool Stands() const override {
    return !request_.guard.has_value() || region_->WordStands(*request_.guard);
  }
  transfer::Way way() const override { return transfer::Way::kShm; }

 private:
  const std::shared_ptr<SharedLink> link_;
  const SharedLink::Slot slot_;
  const Region* const region_;
  const transfer::MapRequest request_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_MAPPING_H_
