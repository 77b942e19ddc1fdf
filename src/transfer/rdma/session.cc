#include "transfer/rdma/session.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "thread_annotations.h"

namespace kvstore::transfer {
namespace {

// Nothing is ever completed at this end.
constexpr int kCompletions = 16;

// As long as the process lives.
template <typename Kept>
void KeepForEver(Kept what) {
  static Mutex mu;
  static auto* const kept = new std::vector<Kept>();
  MutexLock lock(mu);
  kept->push_back(std::move(what));
}

}  // namespace

RdmaSession::RdmaSession(RdmaRegions& regions, Registry& registry, const TransferGuards& guards)
    : regions_(regions), registry_(registry), guards_(guards) {}

RdmaSession::~RdmaSession() {
  if (!End()) KeepForEver(std::move(writes_));
  // What a device may read still is nobody else's.
  if (probe_memory_ != nullptr && !probe_memory_->Close().ok()) KeepForEver(std::move(probe_));
}

void RdmaSession::Unmap::operator()(std::byte* probe) const { munmap(probe, kProbeBytes); }

bool RdmaSession::End() {
  // A fence that failed is none: what may still land stays counted.
  const bool fenced = writer_ == nullptr || writer_->Close().ok();
  if (fenced || !guards_.rdma_fence_is_confirmed) writes_.clear();
  const bool closed = reader_ == nullptr || reader_->Close().ok();
  return closed && writes_.empty();
}

Result<std::string> RdmaSession::Answer(std::string_view question) {
  const std::optional<Question> decoded = DecodeQuestion(question);
  if (!decoded) return InvalidArgumentError("no question of an RDMA peer");
  return std::visit([this](const auto& each) { return AnswerTo(each); }, *decoded);
}

bool RdmaSession::MayGoOn() {
  if (device_ != nullptr && !device_->is_up()) return false;  // nothing more comes that way
  if (!guards_.rdma_cut_withdrawn_writes) return true;
  return std::all_of(writes_.begin(), writes_.end(),
                     [](const RegionAccess& write) { return write.StillStands(); });
}

Result<std::string> RdmaSession::AnswerTo(const DevicesQuestion&) {
  std::vector<HolderDevice> devices;
  for (size_t i = 0; i < regions_.devices().size(); ++i) {
    const RdmaDevice& device = *regions_.devices()[i];
    devices.push_back({.name = device.name(),
                       .ethernet = device.port().ethernet,
                       .near = device.is_up() && regions_.IsNear(i)});
  }
  return Encode(devices);
}

Status RdmaSession::UseDevice(size_t index) {
  if (index >= regions_.devices().size()) {
    return NotFoundError("this peer has no RDMA device " + std::to_string(index));
  }
  const std::shared_ptr<RdmaDevice>& device = regions_.devices()[index];
  if (device_ != nullptr) {
    return device_ == device ? Status::Ok()
                             : InvalidArgumentError("a lane leads to one device only");
  }
  if (probe_ == nullptr) {
    void* const mapped =
        mmap(nullptr, kProbeBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return ResourceExhaustedError("this peer has no memory left");
    probe_.reset(static_cast<std::byte*>(mapped));
    std::fill_n(probe_.get(), kProbeBytes, kProbeByte);
  }
  KVSTORE_ASSIGN_OR_RETURN(
      probe_memory_,
      RegisteredMemory::Create(device, probe_.get(), kProbeBytes, MemoryUse::kRemoteRead));
  KVSTORE_ASSIGN_OR_RETURN(completions_, CompletionQueue::Create(device, kCompletions));
  device_ = device;
  return Status::Ok();
}

Result<std::string> RdmaSession::AnswerTo(const OpenQuestion& question) {
  KVSTORE_RETURN_IF_ERROR(UseDevice(question.device));
  const bool writes = question.access == Access::kWrite;
  std::unique_ptr<QueuePair>& pair = writes ? writer_ : reader_;
  if (pair != nullptr) return InvalidArgumentError("a lane has one queue pair of a kind");
  KVSTORE_ASSIGN_OR_RETURN(
      std::unique_ptr<QueuePair> made,
      QueuePair::Create(
          device_, *completions_,
          {.peer_reads = true, .peer_writes = writes || !guards_.rdma_readers_cannot_write}));
  KVSTORE_RETURN_IF_ERROR(made->Connect(question.client));
  pair = std::move(made);
  return Encode(OpenAnswer{.holder = pair->end(),
                           .probe_origin = probe_memory_->origin(),
                           .probe_key = probe_memory_->remote_keys().front()});
}

Result<std::string> RdmaSession::AnswerTo(const RegionQuestion& question) {
  KVSTORE_ASSIGN_OR_RETURN(const RegionAnswer answer,
                           regions_.Find(question.region, question.device));
  return Encode(answer);
}

Result<std::string> RdmaSession::AnswerTo(const BeginQuestion& question) {
  if (writer_ == nullptr || !writes_.empty()) {
    return InvalidArgumentError("writes begin over a queue pair for them, when others have ended");
  }
  std::vector<Status> verdicts;
  for (const WriteClaim& write : question.writes) {
    Result<RegionAccess> access =
        registry_.Begin(Access::kWrite, write.region, write.offset, write.length, write.guard);
    verdicts.push_back(access.status());
    if (access.ok()) writes_.push_back(*std::move(access));
  }
  return Encode(verdicts);
}

Result<std::string> RdmaSession::AnswerTo(const EndQuestion&) {
  std::vector<Status> verdicts;
  for (const RegionAccess& write : writes_) {
    verdicts.push_back(write.StillStands()
                           ? Status::Ok()
                           : AbortedError("the memory was withdrawn during the copy; it has a new "
                                          "owner, or will have"));
  }
  writes_.clear();
  return Encode(verdicts);
}

}  // namespace kvstore::transfer
