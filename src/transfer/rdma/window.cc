#include "transfer/rdma/window.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "transfer/mover.h"

namespace kvstore::transfer {
namespace {

constexpr size_t kMaxFlights = std::min(kMaxWrites, StagingBuffer::kWords);
static_assert(kMinPartBytes >= kSliceBytes);

// How many borders between parts lie within that stretch.
uint64_t Borders(uint64_t offset, uint64_t length, uint64_t part_bytes) {
  return length == 0 ? 0 : PartOf(offset + length - 1, part_bytes) - PartOf(offset, part_bytes);
}

}  // namespace

Window::Window(RdmaRegions& regions, StagingPool& staging, size_t device, size_t max_requests,
               size_t max_pieces)
    : regions_(regions),
      staging_pool_(staging),
      device_(device),
      max_requests_(max_requests),
      chain_(max_requests, max_pieces) {}

const RdmaRegions::Region* Window::Hold(const std::byte* data, uint64_t size) {
  // A region that is being unregistered may overlap a newer one.
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const auto& region) {
    return data >= region->base && size <= region->size &&
           static_cast<uint64_t>(data - region->base) <= region->size - size;
  });
  if (found != held_.end()) return found->get();
  RdmaRegions::Use region = regions_.FindLocal(data, size);
  return region == nullptr ? nullptr : held_.emplace_back(std::move(region)).get();
}

bool Window::PlaceStraight(Flight* flight) {
  std::array<iovec, kMaxPieces> pieces;
  const size_t count = flight->slice.cursor.Gather(flight->slice.length, pieces);
  flight->first_part = parts_.size();
  flight->parts = count;
  uint64_t covered = 0;
  for (const iovec& piece : std::span(pieces).first(count)) {
    auto* const data = static_cast<std::byte*>(piece.iov_base);
    const RdmaRegions::Region* const region = Hold(data, piece.iov_len);
    if (region == nullptr || region->memory[device_] == nullptr) break;
    parts_.push_back({.memory = region->memory[device_].get(),
                      .offset = static_cast<uint64_t>(data - region->base),
                      .length = piece.iov_len});
    covered += piece.iov_len;
  }
  if (covered == flight->slice.length) return true;
  parts_.resize(flight->first_part);
  return false;
}

size_t Window::RequestsOf(const Flight& flight) const {
  const RegionAnswer& region = *flight.region;
  const uint64_t remote = Borders(flight.copy->offset + flight.slice.offset, flight.slice.length,
                                  region.memory.part_bytes);
  // No part is smaller than a slice, so that one border at most lies within it.
  uint64_t pieces = flight.staged ? 2 : flight.parts;
  for (size_t i = 0; i < flight.parts; ++i) {
    const Part& part = parts_[flight.first_part + i];
    pieces += Borders(part.offset, part.length, part.memory->part_bytes());
  }
  const uint64_t most = chain_.max_pieces();
  return static_cast<size_t>((pieces + remote + most - 1) / most + remote) + 2;
}

bool Window::Take(const Flight& taken) {
  Flight flight = taken;
  if (flights_.size() == kMaxFlights || flight.slice.length > kBytes - bytes_) return false;
  flight.staged = !PlaceStraight(&flight);
  if (!flight.staged && flights_.empty() && RequestsOf(flight) > max_requests_) {
    flight.staged = true;  // whose pieces are few
  }
  if (flight.staged) {
    flight.parts = 0;
    parts_.resize(flight.first_part);
    flight.staged_at = staged_bytes_;
  }
  const size_t requests = RequestsOf(flight);
  if (requests > max_requests_ - requests_) {
    parts_.resize(flight.first_part);
    return false;
  }
  requests_ += requests;
  bytes_ += flight.slice.length;
  if (flight.staged) staged_bytes_ += flight.slice.length;
  flights_.push_back(flight);
  return true;
}

void Window::Clear() {
  flights_.clear();
  parts_.clear();
  held_.clear();
  chain_.Clear();
  bytes_ = staged_bytes_ = 0;
  requests_ = 0;
}

Status Window::TakeStaging() {
  if (staging_ != nullptr) return Status::Ok();
  KVSTORE_ASSIGN_OR_RETURN(staging_, staging_pool_.Take(device_));
  return Status::Ok();
}

void Window::GiveBackStaging() {
  if (staging_ != nullptr) staging_pool_.GiveBack(std::move(staging_));
}

bool Window::ReadsStraight() const {
  return std::any_of(flights_.begin(), flights_.end(), [](const Flight& flight) {
    return !flight.over && !flight.staged && flight.copy->access == Access::kRead;
  });
}

std::vector<RdmaRegions::Use> Window::ReleaseHeld() { return std::exchange(held_, {}); }

void Window::ChainWord(size_t flight) {
  chain_.Add(Access::kRead, staging_->memory(device_), StagingBuffer::word_offset(flight),
             flights_[flight].region->words, flights_[flight].word, sizeof(uint64_t));
}

void Window::ChainData(const Flight& flight) {
  chain_.Part();
  const Access access = flight.copy->access;
  uint64_t remote = flight.copy->offset + flight.slice.offset;
  if (flight.staged) {
    chain_.Add(access, staging_->memory(device_), flight.staged_at, flight.region->memory, remote,
               flight.slice.length);
    return;
  }
  for (const Part& part : std::span(parts_).subspan(flight.first_part, flight.parts)) {
    chain_.Add(access, *part.memory, part.offset, flight.region->memory, remote, part.length);
    remote += part.length;
  }
}

void Window::ChainReadBehind(const Flight& flight) {
  chain_.Add(Access::kRead, staging_->memory(device_), StagingBuffer::word_offset(0),
             flight.region->memory, flight.copy->offset + flight.slice.offset, 1);
}

void Window::MoveStaged(const Flight& flight) {
  if (!flight.staged) return;
  Mover(flight.copy->access, flight.slice.cursor, nullptr, false)
      .Move(staging_->data() + flight.staged_at, flight.slice.length);
}

}  // namespace kvstore::transfer
