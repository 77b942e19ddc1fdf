#include "transfer/rdma/chain.h"

#include <algorithm>

namespace kvstore::transfer {

Chain::Chain(size_t max_requests, size_t max_pieces) : max_pieces_(max_pieces) {
  requests_.reserve(max_requests);
  pieces_.reserve(max_requests);
  first_piece_.reserve(max_requests);
}

void Chain::Clear() {
  requests_.clear();
  pieces_.clear();
  first_piece_.clear();
  next_remote_ = 0;
  fenced_ = kNone;
  parts_.clear();
  part_bytes_ = 0;
}

void Chain::Part() {
  if (part_bytes_ < kMuch) return;
  parts_.push_back(requests_.size());
  part_bytes_ = 0;
}

void Chain::Add(Access access, const RegisteredMemory& local, uint64_t local_offset,
                const RemoteMemory& remote, uint64_t remote_offset, uint64_t length) {
  part_bytes_ += length;
  const ibv_wr_opcode opcode = access == Access::kRead ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE;
  while (length > 0) {
    // Neither end may cross from one part of its registration to the next.
    const uint64_t step = std::min({length, LeftInPart(local_offset, local.part_bytes()),
                                    LeftInPart(remote_offset, remote.part_bytes)});
    const uint32_t key = remote.keys[PartOf(remote_offset, remote.part_bytes)];
    const uint64_t address = remote.origin + remote_offset;
    const bool apart =
        fenced_ == requests_.size() || (!parts_.empty() && parts_.back() == requests_.size());
    const bool joins = !requests_.empty() && !apart && requests_.back().opcode == opcode &&
                       requests_.back().wr.rdma.rkey == key && next_remote_ == address &&
                       pieces_.size() - first_piece_.back() < max_pieces_;
    if (!joins) {
      ibv_send_wr& request = requests_.emplace_back();
      request = {};
      request.opcode = opcode;
      request.wr.rdma.remote_addr = address;
      request.wr.rdma.rkey = key;
      first_piece_.push_back(pieces_.size());
    }
    pieces_.push_back({.addr = local.origin() + local_offset,
                       .length = static_cast<uint32_t>(step),
                       .lkey = local.local_key(local_offset)});
    next_remote_ = address + step;
    local_offset += step;
    remote_offset += step;
    length -= step;
  }
}

ibv_send_wr* Chain::Link(uint64_t number) {
  auto part = parts_.begin();
  for (size_t i = 0; i < requests_.size(); ++i) {
    const bool last = i + 1 == requests_.size();
    const size_t end = last ? pieces_.size() : first_piece_[i + 1];
    const bool ends_part = !last && part != parts_.end() && *part == i + 1;
    if (ends_part) ++part;
    requests_[i].wr_id = ends_part ? kPart : number;
    requests_[i].sg_list = pieces_.data() + first_piece_[i];
    requests_[i].num_sge = static_cast<int>(end - first_piece_[i]);
    requests_[i].next = last ? nullptr : &requests_[i + 1];
    requests_[i].send_flags = 0;
    if (last || ends_part) requests_[i].send_flags |= IBV_SEND_SIGNALED;
    if (i == fenced_) requests_[i].send_flags |= IBV_SEND_FENCE;
  }
  return requests_.data();
}

}  // namespace kvstore::transfer
