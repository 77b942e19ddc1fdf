#include "transfer/rdma/two_reads.h"

namespace kvstore::transfer {

bool TwoReads::Aim(size_t request, const RegisteredMemory& local, uint64_t local_offset,
                   const RemoteMemory& remote, uint64_t remote_offset, uint64_t length) {
  if (length == 0 || length > LeftInPart(local_offset, local.part_bytes()) ||
      length > LeftInPart(remote_offset, remote.part_bytes)) {
    return false;
  }
  pieces_[request] = {.addr = local.origin() + local_offset,
                      .length = static_cast<uint32_t>(length),
                      .lkey = local.local_key(local_offset)};
  ibv_send_wr& read = requests_[request];
  read.opcode = IBV_WR_RDMA_READ;
  read.wr.rdma.remote_addr = remote.origin + remote_offset;
  read.wr.rdma.rkey = remote.keys[PartOf(remote_offset, remote.part_bytes)];
  return true;
}

ibv_send_wr* TwoReads::Link(uint64_t number) {
  for (size_t i = 0; i < requests_.size(); ++i) {
    requests_[i].sg_list = &pieces_[i];
    requests_[i].num_sge = 1;
  }
  requests_[0].next = &requests_[1];
  requests_[1].wr_id = number;
  requests_[1].send_flags = IBV_SEND_SIGNALED;
  return requests_.data();
}

}  // namespace kvstore::transfer
