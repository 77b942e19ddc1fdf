#ifndef KVSTORE_SRC_TRANSFER_SHM_MAPPING_H_
#define KVSTORE_SRC_TRANSFER_SHM_MAPPING_H_

#include <unistd.h>

#include <memory>
#include <utility>

#include "kvstore/transfer.h"
#include "transfer/shm/ledger.h"
#include "transfer/shm/region.h"
#include "transfer/shm/windows.h"

namespace kvstore::transfer {

// A stretch of a peer's region, announced as long as it lives. Thread-safe; in a forked child,
// which has not the memory, its destructor does nothing.
class ShmMapping final : public Mapping {
 public:
  ShmMapping(std::shared_ptr<ShmRegion> region, std::shared_ptr<Window> window,
             Announcement announced, const MapRequest& request)
      : held_(new Held{std::move(region), std::move(window), std::move(announced)}),
        request_(request) {}
  ~ShmMapping() override {
    if (getpid() != creator_) (void)held_.release();
  }

  std::byte* data() const override {
    return request_.access == Access::kRead ? held_->region->data() + request_.offset
           : held_->window != nullptr       ? held_->window->At(request_.offset)
                                            : nullptr;
  }
  uint64_t size() const override { return request_.length; }
  bool Stands() const override { return held_->region->CheckWords(request_.guard).ok(); }
  Way way() const override { return Way::kShm; }

 private:
  struct Held {
    std::shared_ptr<ShmRegion> region;
    std::shared_ptr<Window> window;  // kWrite, unless it is empty
    Announcement announced;          // withdrawn first
  };

  std::unique_ptr<Held> held_;
  const MapRequest request_;
  const pid_t creator_ = getpid();
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_SHM_MAPPING_H_
