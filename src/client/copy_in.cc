#include "client/copy_in.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/parts.h"

namespace kvstore::client {
namespace {

// How often a copy under way looks whether it is still wanted.
constexpr Duration kLook = std::chrono::milliseconds(50);

using Mappings = std::vector<std::unique_ptr<transfer::Mapping>>;

// The memory that the order grants, as one long write access.
Result<Mappings> Reach(transfer::Engine& engine, const CopyOrder& order, TimePoint deadline) {
  KVSTORE_ASSIGN_OR_RETURN(const transfer::PeerId self, engine.Open(engine.Descriptor()));
  Mappings mappings;
  // Of an empty object's granule one byte, so that the word is asked.
  uint64_t left = std::max<uint64_t>(order.size, 1);
  for (const Range& range : order.ranges) {
    if (left == 0) break;
    const uint64_t part = std::min(left, range.length);
    left -= part;
    KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<transfer::Mapping> mapping,
                             engine.Map({.access = transfer::Access::kWrite,
                                         .peer = self,
                                         .region = order.segment,
                                         .offset = range.offset,
                                         .length = part,
                                         .guard = transfer::Guard{range.offset, order.birth}},
                                        deadline));
    mappings.push_back(std::move(mapping));
  }
  if (left > 0) return InternalError("ranges too short for a copy; report this");
  return mappings;
}

bool Stand(const Mappings& mappings) {
  return std::all_of(mappings.begin(), mappings.end(), [](const auto& m) { return m->Stands(); });
}

Status WithdrawnHere() { return AbortedError("the copy's memory was withdrawn meanwhile"); }

}  // namespace

Status CopyIn(transfer::Engine& engine, std::string_view source, const CopyOrder& order,
              TimePoint deadline, const Clock& clock, const std::function<bool()>& wanted) {
  Result<Mappings> mapped = Reach(engine, order, deadline);
  if (mapped.status().code() == StatusCode::kNotFound) {
    return AbortedError("this node lends no such segment");
  }
  KVSTORE_RETURN_IF_ERROR(mapped.status());
  std::vector<Piece> pieces;
  for (const auto& mapping : *mapped) {
    if (order.size > 0) pieces.push_back({mapping->data(), mapping->size()});
  }
  KVSTORE_ASSIGN_OR_RETURN(const transfer::PeerId holder, engine.Open(source));
  CopyPlan plan;
  KVSTORE_RETURN_IF_ERROR(plan.AddRead(pieces, {0, order.size}, order.from, holder).status());

  const std::unique_ptr<transfer::Batch> batch = engine.Submit(plan.copies(), deadline);
  bool called_off = false;
  while (!batch->Wait(After(clock.Now(), kLook))) {
    if (called_off || (wanted() && Stand(*mapped))) continue;
    called_off = true;
    batch->Cancel();
  }
  const Status copied = transfer::FirstError(batch->completions());
  if (!Stand(*mapped)) return WithdrawnHere();
  if (copied.code() == StatusCode::kAborted || copied.code() == StatusCode::kNotFound) {
    return UnavailableError("the source holds the object no more");
  }
  KVSTORE_RETURN_IF_ERROR(copied);
  if (Checksum(pieces, order.size) != order.checksum) {
    return DataLossError("the source's " + std::to_string(order.size) +
                         " bytes don't match their checksum");
  }
  return Stand(*mapped) ? Status::Ok() : WithdrawnHere();
}

}  // namespace kvstore::client
