#ifndef KVSTORE_SRC_TRANSFER_RDMA_WINDOW_H_
#define KVSTORE_SRC_TRANSFER_RDMA_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kvstore/status.h"
#include "transfer/job.h"
#include "transfer/rdma/chain.h"
#include "transfer/rdma/frame.h"
#include "transfer/rdma/regions.h"
#include "transfer/rdma/staging.h"

namespace kvstore::transfer {

// One slice of a window.
struct Flight {
  Slice slice;
  const Copy* copy = nullptr;
  const RegionAnswer* region = nullptr;
  bool guarded = false;  // its word is to be read
  uint64_t word = 0;     // where, in the region's words
  bool staged = false;
  uint64_t staged_at = 0;  // in the staging buffer's data
  size_t first_part = 0;   // of the window's parts; where it isn't staged
  size_t parts = 0;
  bool over = false;  // finished
};

// What a lane carries at once: slices that are all read or all written, and where each begins and
// ends at this end. A slice goes straight to or from its place where that is registered, and
// through a staging buffer where not. Never asks for more requests at once than its queue pairs
// take. Confined to one thread.
class Window {
 public:
  static constexpr uint64_t kBytes = StagingBuffer::kDataBytes;
  static constexpr size_t kMaxPieces = 16;  // of one request
  // The fewest with which any slice can be carried: its word, both parts of the region that it
  // lies in, those of a staging buffer, and the READ behind writes, if each takes one piece only.
  static constexpr size_t kLeastRequests = 8;

  // The references outlive the window. `max_requests`: of one chain.
  Window(RdmaRegions& regions, StagingPool& staging, size_t device, size_t max_requests,
         size_t max_pieces);

  std::vector<Flight>& flights() { return flights_; }
  uint64_t bytes() const { return bytes_; }
  // The region in which all of that lies, in use from here on; null: there is none.
  const RdmaRegions::Region* Hold(const std::byte* data, uint64_t size);
  // Takes it in. False: there is no room for it, which there always is in an empty window.
  bool Take(const Flight& flight);
  // Lets go of all flights and of the regions that they lie in.
  void Clear();

  // A buffer for what is staged and for words; kept until it is given back, which may be done when
  // no device touches it any more.
  Status TakeStaging();
  void GiveBackStaging();
  // Whether the device writes to memory that isn't ours, when it carries these flights.
  bool ReadsStraight() const;
  // Gives up what these flights may touch, to be kept until they can't any more. The flights stay.
  std::unique_ptr<StagingBuffer> ReleaseStaging() { return std::move(staging_); }
  std::vector<RdmaRegions::Use> ReleaseHeld();
  StagingBuffer& staging() { return *staging_; }

  // What comes next is posted together.
  Chain& chain() { return chain_; }
  void ChainWord(size_t flight);
  void ChainData(const Flight& flight);
  // Of one byte of what was written by that flight: completed when it is in place.
  void ChainReadBehind(const Flight& flight);
  // Between the slice's pieces and the staging buffer, if it is staged.
  void MoveStaged(const Flight& flight);
  // As it was read.
  uint64_t WordOf(size_t flight) const { return staging_->words()[flight]; }

 private:
  // A stretch of a registered region of ours.
  struct Part {
    const RegisteredMemory* memory = nullptr;
    uint64_t offset = 0;
    uint64_t length = 0;
  };

  // Finds the flight's pieces in registered regions; false: some of them are in none.
  bool PlaceStraight(Flight* flight);
  // The most requests that it may take, its word and the READ behind it included.
  size_t RequestsOf(const Flight& flight) const;

  RdmaRegions& regions_;
  StagingPool& staging_pool_;
  const size_t device_;
  const size_t max_requests_;
  Chain chain_;
  std::unique_ptr<StagingBuffer> staging_;
  std::vector<Flight> flights_;
  std::vector<Part> parts_;
  std::vector<RdmaRegions::Use> held_;  // our regions in use
  uint64_t bytes_ = 0;
  uint64_t staged_bytes_ = 0;
  size_t requests_ = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_WINDOW_H_
