#ifndef KVSTORE_TESTS_SIMULATION_IN_PLACE_COPY_H_
#define KVSTORE_TESTS_SIMULATION_IN_PLACE_COPY_H_

#include <memory>
#include <optional>

#include "simulation/shared_link.h"
#include "simulation/sim_batch.h"

namespace kvstore::simulation {

// One copy by shared memory. The process that asked for it carries it out, at its own pace and
// without the holder, which may be paused or dead: it touches the holder's memory, unit by unit, so
// that anything may happen between two of its steps.
//
//   a write   announces itself; reads the word; writes; withdraws
//   a read    takes the bytes; reads the word
class InPlaceCopy {
 public:
  InPlaceCopy(Fabric* fabric, std::shared_ptr<SharedLink> link, std::shared_ptr<BatchState> batch,
              size_t index, const transfer::Copy& copy, uint64_t size);

  // Moves on by one step; true when it has ended, and its batch knows.
  bool Step(uint64_t slice);
  // Touches nothing any more, says nothing.
  void Abandon();

 private:
  enum class Stage : uint8_t { kBegins, kAnnounced, kWordRead, kCopies, kOver };

  bool IsWrite() const { return frame_.access == transfer::Access::kWrite; }
  bool Begin();
  bool Announce(Stage then);
  bool ReadWord(Stage then);
  bool MoveSlice(uint64_t slice);
  bool EndRead();
  bool WordStands() const;
  Status Misfit() const;
  bool End(const Status& verdict);

  Fabric* const fabric_;
  const std::shared_ptr<SharedLink> link_;
  const std::shared_ptr<BatchState> batch_;
  const size_t index_;
  const uint64_t size_;
  Frame frame_;  // a read's bytes on their way
  const Region* const region_;
  Stage stage_ = Stage::kBegins;
  std::optional<SharedLink::Slot> slot_;
  uint64_t moved_ = 0;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_IN_PLACE_COPY_H_
