#include "fakes/fake_engine.h"

#include <cstring>
#include <utility>

namespace kvstore::testing {

using transfer::Completion;
using transfer::Copy;
using transfer::Outcome;

std::vector<Completion> FakeEngine::Run(std::span<const Copy> batch,
                                        const transfer::CopyLimits& limits) {
  deadlines.push_back(limits.deadline);
  stalls.push_back(limits.stall);
  std::vector<Completion> completions;
  for (const Copy& copy : batch) {
    ++copies;
    std::optional<Completion> decided = instead ? instead(copy) : std::nullopt;
    completions.push_back(decided ? *std::move(decided) : Move(copy));
  }
  return completions;
}

Completion FakeEngine::Move(const Copy& copy) {
  uint64_t length = 0;
  for (const transfer::Piece& piece : copy.pieces) length += piece.size;
  FakeNode& node = *nodes_[copy.peer];
  const Completion refused{Outcome::kFailed, AbortedError("the memory has a new owner"), {}};
  std::vector<RetireAck> acks;
  if (!node.holder().Enter(copy.region, copy.access, copy.guard->first, copy.offset, length,
                           copy.guard->birth)) {
    return refused;
  }
  char* far_end = node.memory() + copy.offset;
  for (const transfer::Piece& piece : copy.pieces) {
    const bool read = copy.access == transfer::Access::kRead;
    std::memcpy(read ? piece.data : far_end, read ? far_end : piece.data, piece.size);
    if (copy.tap != nullptr) {
      copy.tap->Take({static_cast<const std::byte*>(piece.data), piece.size});
    }
    far_end += piece.size;
  }
  if (after_bytes) after_bytes(copy);
  const bool stood = node.holder().Stands(copy.region, copy.guard->first, copy.guard->birth);
  node.holder().Leave(copy.region, copy.access, copy.guard->first, copy.offset, length,
                      copy.guard->birth, &acks);
  return stood ? Completion{Outcome::kDone, Status::Ok(), transfer::Way::kLocal} : refused;
}

// An access that its holder counts as long as this lives.
class FakeEngine::Pinned final : public transfer::Mapping {
 public:
  Pinned(FakeEngine& engine, const transfer::MapRequest& request)
      : engine_(engine), node_(*engine.nodes_[request.peer]), request_(request) {
    ++engine_.mappings;
  }
  ~Pinned() override {
    --engine_.mappings;
    std::vector<RetireAck> acks;
    node_.holder().Leave(request_.region, request_.access, request_.guard->first, request_.offset,
                         request_.length, request_.guard->birth, &acks);
  }
  std::byte* data() const override {
    return reinterpret_cast<std::byte*>(node_.memory() + request_.offset);
  }
  uint64_t size() const override { return request_.length; }
  bool Stands() const override {
    return node_.holder().Stands(request_.region, request_.guard->first, request_.guard->birth);
  }
  transfer::Way way() const override { return transfer::Way::kShm; }

 private:
  FakeEngine& engine_;
  FakeNode& node_;
  const transfer::MapRequest request_;
};

Result<std::unique_ptr<transfer::Mapping>> FakeEngine::Map(const transfer::MapRequest& request,
                                                           TimePoint) {
  if (instead_of_mapping) KVSTORE_RETURN_IF_ERROR(instead_of_mapping(request));
  if (!nodes_[request.peer]->holder().Enter(request.region, request.access, request.guard->first,
                                            request.offset, request.length, request.guard->birth)) {
    return AbortedError("the memory has a new owner");
  }
  return std::unique_ptr<transfer::Mapping>(std::make_unique<Pinned>(*this, request));
}

Result<transfer::PeerId> FakeEngine::Open(std::string_view descriptor) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i]->peer().descriptor == descriptor) return i;
  }
  return InvalidArgumentError("not a descriptor");
}

Result<transfer::RegionId> FakeEngine::Register(void*, uint64_t, const transfer::RegionOptions&) {
  return UnimplementedError("fake");
}

Status FakeEngine::Unregister(transfer::RegionId) { return UnimplementedError("fake"); }

namespace {

// Final from the start.
class EndedBatch final : public transfer::Batch {
 public:
  explicit EndedBatch(std::vector<Completion> completions) : completions_(std::move(completions)) {}
  bool Wait(TimePoint) override { return true; }
  void Cancel() override {}
  uint64_t moved() const override { return 0; }
  const std::vector<Completion>& completions() const override { return completions_; }

 private:
  const std::vector<Completion> completions_;
};

}  // namespace

std::unique_ptr<transfer::Batch> FakeEngine::Submit(std::span<const Copy> batch,
                                                    const transfer::CopyLimits& limits) {
  if (submit) {
    deadlines.push_back(limits.deadline);
    stalls.push_back(limits.stall);
    if (std::unique_ptr<transfer::Batch> made = submit(batch)) return made;
    deadlines.pop_back();
    stalls.pop_back();
  }
  return std::make_unique<EndedBatch>(Run(batch, limits));
}

}  // namespace kvstore::testing
