#ifndef KVSTORE_TESTS_FAKES_FAKE_ENGINE_H_
#define KVSTORE_TESTS_FAKES_FAKE_ENGINE_H_

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fakes/fake_node.h"
#include "kvstore/transfer.h"

namespace kvstore::testing {

// Moves bytes between the test's memory and its nodes, by the rules of the holder, at once. The
// test may decide the fate of a copy, or interfere between its last byte and its validation.
// Confined to one thread.
class FakeEngine final : public transfer::Engine {
 public:
  explicit FakeEngine(std::vector<std::unique_ptr<FakeNode>>& nodes) : nodes_(nodes) {}

  // A completion: that is what becomes of the copy, and no byte moves.
  std::function<std::optional<transfer::Completion>(const transfer::Copy&)> instead;
  // After the bytes of a copy have moved, before the holder is asked whether it stands.
  std::function<void(const transfer::Copy&)> after_bytes;
  // Not OK: that is what becomes of the mapping.
  std::function<Status(const transfer::MapRequest&)> instead_of_mapping;

  // What Submit returns; null: it carries the copies at once, as Run does.
  std::function<std::unique_ptr<transfer::Batch>(std::span<const transfer::Copy>)> submit;

  std::vector<TimePoint> deadlines;  // of Run and Submit, in order
  std::vector<Duration> stalls;      // likewise
  size_t copies = 0;                 // in all
  size_t mappings = 0;               // alive

  std::vector<transfer::Completion> Run(std::span<const transfer::Copy> batch,
                                        const transfer::CopyLimits& limits) override;
  Result<transfer::PeerId> Open(std::string_view descriptor) override;
  Result<std::unique_ptr<transfer::Mapping>> Map(const transfer::MapRequest& request,
                                                 TimePoint) override;

  // The rest of the interface is not what Put, Get and View use.
  Result<transfer::RegionId> Register(void*, uint64_t, const transfer::RegionOptions&) override;
  Status Unregister(transfer::RegionId) override;
  std::string Descriptor() const override { return "fake:0"; }
  Incarnation incarnation() const override { return {}; }
  void Rename(Incarnation) override {}
  void Close(transfer::PeerId) override {}
  std::unique_ptr<transfer::Batch> Submit(std::span<const transfer::Copy> batch,
                                          const transfer::CopyLimits& limits) override;
  std::vector<transfer::Stretch> TouchedByOthers(transfer::RegionId) override { return {}; }
  transfer::WayCounters counters(transfer::Way) const override { return {}; }
  transfer::ServedCounters served() const override { return {}; }

 private:
  class Pinned;

  transfer::Completion Move(const transfer::Copy& copy);

  std::vector<std::unique_ptr<FakeNode>>& nodes_;
};

}  // namespace kvstore::testing

#endif  // KVSTORE_TESTS_FAKES_FAKE_ENGINE_H_
