#include "transfer/rdma/queue_pair.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

namespace kvstore::transfer {
namespace {

// 4.096 us * 2^14 is 67 ms: a lost packet is sent again after that, and a peer that doesn't answer
// is given up after 8 times, which devices stretch to between 0.5 and 2 s.
constexpr uint8_t kTimeout = 14;
constexpr uint8_t kRetries = 7;
// Receiver not ready: never happens, since nothing is ever sent to a receiver.
constexpr uint8_t kReceiverRetries = 7;
constexpr uint8_t kMinReceiverTimer = 12;
constexpr uint8_t kHopLimit = 64;
// READs that one end may have outstanding at the other.
constexpr int kMaxReads = 16;

Status Failed(const RdmaDevice& device, const char* what, int error) {
  std::string why = device.name() + " can't " + what + " (";
  why += std::strerror(error);
  why += ")";
  if (error == ENOMEM) why += "; it has none left, or too little memory may be locked (ulimit -l)";
  return UnavailableError(why);
}

uint32_t DrawFirstPacket() {
  std::random_device random;
  return random() & 0xffffff;
}

uint8_t MaxReads(const RdmaDevice& device) {
  return static_cast<uint8_t>(std::clamp(device.limits().max_qp_rd_atom, 1, kMaxReads));
}

}  // namespace

CompletionQueue::CompletionQueue(std::shared_ptr<RdmaDevice> device) : device_(std::move(device)) {}

CompletionQueue::~CompletionQueue() {
  if (cq_ != nullptr) device_->verbs().destroy_cq(cq_);
  if (channel_ != nullptr) device_->verbs().destroy_comp_channel(channel_);
}

Result<std::unique_ptr<CompletionQueue>> CompletionQueue::Create(std::shared_ptr<RdmaDevice> device,
                                                                 int entries) {
  std::unique_ptr<CompletionQueue> queue(new CompletionQueue(std::move(device)));
  const Verbs& verbs = queue->device_->verbs();
  queue->channel_ = verbs.create_comp_channel(queue->device_->context());
  if (queue->channel_ == nullptr) return Failed(*queue->device_, "make an event channel", errno);
  entries = std::min(entries, queue->device_->limits().max_cqe);
  queue->cq_ = verbs.create_cq(queue->device_->context(), entries, nullptr, queue->channel_, 0);
  if (queue->cq_ == nullptr) return Failed(*queue->device_, "make a completion queue", errno);
  return queue;
}

Result<size_t> CompletionQueue::Poll(std::span<ibv_wc> completions) {
  const int count =
      device_->verbs().poll_cq(cq_, static_cast<int>(completions.size()), completions.data());
  if (count < 0) return Failed(*device_, "be asked for completions", EIO);
  return static_cast<size_t>(count);
}

void CompletionQueue::Sleep(int other_fd, Duration timeout) {
  // Armed first, and then polled by the caller once more: what comes in between isn't missed.
  if (!armed_) {
    armed_ = device_->verbs().req_notify_cq(cq_, 0) == 0;
    return;
  }
  std::array<pollfd, 2> fds = {pollfd{.fd = channel_->fd, .events = POLLIN, .revents = 0},
                               pollfd{.fd = other_fd, .events = POLLIN, .revents = 0}};
  poll(fds.data(), fds.size(),
       static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(timeout).count()));
  if ((fds[0].revents & POLLIN) == 0) return;
  ibv_cq* cq = nullptr;
  void* cookie = nullptr;
  if (device_->verbs().get_cq_event(channel_, &cq, &cookie) == 0) {
    device_->verbs().ack_cq_events(cq, 1);
  }
  armed_ = false;
}

QueuePair::QueuePair(std::shared_ptr<RdmaDevice> device, const Options& options)
    : device_(std::move(device)), options_(options), first_packet_(DrawFirstPacket()) {}

QueuePair::~QueuePair() { (void)Close(); }

Status QueuePair::Close() {
  if (qp_ == nullptr) return Status::Ok();
  const Verbs& verbs = device_->verbs();
  const int error = verbs.destroy_qp(qp_);
  if (error == 0) {
    qp_ = nullptr;
    if (std::exchange(troubled_, false)) device_->NoteTrouble(Status::Ok());
    return Status::Ok();
  }
  // A queue pair that is reset moves nothing either.
  ibv_qp_attr reset{};
  reset.qp_state = IBV_QPS_RESET;
  stopped_ = stopped_ || verbs.modify_qp(qp_, &reset, IBV_QP_STATE) == 0 ||
             (error == EIO && device_->is_gone());
  if (stopped_) {
    if (std::exchange(troubled_, false)) device_->NoteTrouble(Status::Ok());
    return Status::Ok();
  }
  const Status failed =
      Failed(*device_, "close a queue pair, whose memory is therefore kept", error);
  device_->NoteTrouble(failed);
  troubled_ = true;
  return failed;
}

Result<std::unique_ptr<QueuePair>> QueuePair::Create(std::shared_ptr<RdmaDevice> device,
                                                     CompletionQueue& completions,
                                                     const Options& options) {
  std::unique_ptr<QueuePair> pair(new QueuePair(std::move(device), options));
  ibv_qp_init_attr init{};
  init.send_cq = init.recv_cq = completions.get();
  init.qp_type = IBV_QPT_RC;
  init.cap.max_send_wr = options.max_requests;
  init.cap.max_send_sge = options.max_pieces;
  init.cap.max_recv_wr = 1;
  init.cap.max_recv_sge = 1;
  pair->qp_ = pair->device_->verbs().create_qp(pair->device_->pd(), &init);
  if (pair->qp_ == nullptr) return Failed(*pair->device_, "make a queue pair", errno);
  return pair;
}

QueuePairEnd QueuePair::end() const {
  const PortView port = device_->port();
  return {.number = qp_->qp_num,
          .first_packet = first_packet_,
          .gid = port.gid,
          .lid = port.lid,
          .mtu = static_cast<uint8_t>(port.mtu),
          .max_reads = MaxReads(*device_)};
}

Status QueuePair::Connect(const QueuePairEnd& peer) {
  const Verbs& verbs = device_->verbs();
  const PortView port = device_->port();
  ibv_qp_attr init{};
  init.qp_state = IBV_QPS_INIT;
  init.port_num = kPort;
  init.qp_access_flags = (options_.peer_reads ? IBV_ACCESS_REMOTE_READ : 0) |
                         (options_.peer_writes ? IBV_ACCESS_REMOTE_WRITE : 0);
  int error = verbs.modify_qp(qp_, &init,
                              IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
  if (error != 0) return Failed(*device_, "prepare a queue pair", error);

  ibv_qp_attr receive{};
  receive.qp_state = IBV_QPS_RTR;
  receive.path_mtu = std::min(port.mtu, static_cast<ibv_mtu>(peer.mtu));
  receive.dest_qp_num = peer.number;
  receive.rq_psn = peer.first_packet;
  receive.max_dest_rd_atomic = MaxReads(*device_);
  receive.min_rnr_timer = kMinReceiverTimer;
  receive.ah_attr.port_num = kPort;
  receive.ah_attr.dlid = peer.lid;
  receive.ah_attr.is_global = port.ethernet ? 1 : 0;
  std::memcpy(receive.ah_attr.grh.dgid.raw, peer.gid.data(), peer.gid.size());
  receive.ah_attr.grh.sgid_index = port.gid_index;
  receive.ah_attr.grh.hop_limit = kHopLimit;
  error = verbs.modify_qp(qp_, &receive,
                          IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                              IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
  if (error != 0) {
    return Failed(*device_, ("find the way to " + GidText(peer.gid)).c_str(), error);
  }

  ibv_qp_attr send{};
  send.qp_state = IBV_QPS_RTS;
  send.timeout = kTimeout;
  send.retry_cnt = kRetries;
  send.rnr_retry = kReceiverRetries;
  send.sq_psn = first_packet_;
  send.max_rd_atomic = std::min<uint8_t>(
      std::max<uint8_t>(peer.max_reads, 1),
      static_cast<uint8_t>(std::clamp(device_->limits().max_qp_init_rd_atom, 1, kMaxReads)));
  error = verbs.modify_qp(qp_, &send,
                          IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
                              IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
  if (error != 0) return Failed(*device_, "start a queue pair", error);
  return Status::Ok();
}

Status QueuePair::Post(ibv_send_wr* chain) {
  ibv_send_wr* bad = nullptr;
  const int error = device_->verbs().post_send(qp_, chain, &bad);
  if (error != 0) return Failed(*device_, "take a request", error);
  return Status::Ok();
}

}  // namespace kvstore::transfer
