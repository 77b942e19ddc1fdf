#include "client/object_view.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "client/checksum.h"
#include "client/failures.h"
#include "client/locate.h"
#include "client/open_peers.h"
#include "client/read_notes.h"

namespace kvstore::client {
namespace {

using Mappings = std::vector<std::unique_ptr<transfer::Mapping>>;
using Viewed = Result<std::unique_ptr<ObjectView>>;

// The mappings are the pin: while they exist their holder gives the memory to nobody.
class MappedObject final : public ObjectView {
 public:
  MappedObject(std::shared_ptr<const Location> location, Mappings mappings)
      : location_(std::move(location)), mappings_(std::move(mappings)) {
    if (location_->size == 0) return;
    for (const auto& mapping : mappings_) pieces_.push_back({mapping->data(), mapping->size()});
  }

  std::span<const ConstPiece> pieces() const override { return pieces_; }
  uint64_t size() const override { return location_->size; }
  uint64_t checksum() const override { return location_->checksum; }
  Status Verify() const override {
    if (Checksum(pieces_) == location_->checksum) return Status::Ok();
    return DataLossError("the object's " + std::to_string(location_->size) +
                         " bytes don't match their checksum; put the object anew");
  }

 private:
  const std::shared_ptr<const Location> location_;
  const Mappings mappings_;
  std::vector<ConstPiece> pieces_;
};

// One key on its way to a view.
struct Viewing {
  std::string_view key;
  std::shared_ptr<const Location> location;
  bool remembered = false;
  bool located_anew = false;
  std::optional<Viewed> answer;
};

using Viewings = std::vector<Viewing*>;

// One call of ViewObjects. Confined to the thread that makes it.
class ViewCall {
 public:
  ViewCall(const Parts& parts, Duration timeout, const ReadGuards& guards, GetCounters* counters)
      : parts_(parts),
        began_(parts.clock.Now()),
        deadline_(After(began_, timeout)),
        guards_(guards),
        counters_(*counters),
        peers_(parts.peers == nullptr ? &own_peers_.emplace(parts) : parts.peers) {}

  std::vector<Viewed> Run(std::span<const std::string_view> keys);

 private:
  void Recall(Viewing* viewing) const;
  void Locate(const Viewings& viewings) const;
  // Answers, or leaves it to be located anew.
  void View(Viewing* viewing);
  Viewed ViewNearest(const Viewing& viewing);
  Viewed Map(const Replica& replica, const std::shared_ptr<const Location>& location);

  const Parts& parts_;
  const TimePoint began_;
  const TimePoint deadline_;
  const ReadGuards& guards_;
  GetCounters& counters_;
  std::optional<OpenPeers> own_peers_;
  OpenPeers* const peers_;
};

std::vector<Viewed> ViewCall::Run(std::span<const std::string_view> keys) {
  std::vector<Viewing> viewings(keys.size());
  Viewings open;
  Viewings unknown;
  for (size_t i = 0; i < keys.size(); ++i) {
    viewings[i].key = keys[i];
    Recall(&viewings[i]);
    open.push_back(&viewings[i]);
    if (!viewings[i].location) unknown.push_back(&viewings[i]);
  }
  Locate(unknown);
  while (true) {
    std::erase_if(open, [](const Viewing* viewing) { return viewing->answer.has_value(); });
    if (open.empty()) break;
    Viewings again;
    for (Viewing* viewing : open) {
      View(viewing);
      if (!viewing->answer) again.push_back(viewing);
    }
    counters_.located_anew += again.size();
    Locate(again);
  }
  std::vector<Viewed> views;
  views.reserve(keys.size());
  for (Viewing& viewing : viewings) views.push_back(*std::move(viewing.answer));
  return views;
}

void ViewCall::Recall(Viewing* viewing) const {
  viewing->location = RecallLocation(parts_, guards_, viewing->key, began_);
  viewing->remembered = viewing->location != nullptr;
}

void ViewCall::Locate(const Viewings& viewings) const {
  std::vector<std::string_view> keys;
  for (const Viewing* viewing : viewings) keys.push_back(viewing->key);
  std::vector<Located> found = LocateObjects(parts_, keys, deadline_);
  for (size_t i = 0; i < viewings.size(); ++i) {
    if (found[i].ok()) {
      viewings[i]->location = *std::move(found[i]);
    } else {
      viewings[i]->answer = found[i].status();
    }
  }
}

void ViewCall::View(Viewing* viewing) {
  Viewed view = ViewNearest(*viewing);
  if (view.ok()) {
    if (viewing->remembered) {
      ++counters_.remembered;
      if (parts_.notes != nullptr) parts_.notes->Add(viewing->location->put);
    }
    viewing->answer = std::move(view);
    return;
  }
  const bool lost = view.status().code() == StatusCode::kUnavailable;
  if (lost && parts_.locations != nullptr) {
    parts_.locations->Forget(viewing->key, viewing->location->put);
  }
  // What is remembered may be out of date, so a no is never told from it.
  if (viewing->located_anew || !(lost || viewing->remembered)) {
    viewing->answer = std::move(view);
    return;
  }
  viewing->located_anew = !std::exchange(viewing->remembered, false);
}

// From the nearest replica of this host that can be mapped; else why the first can't be.
Viewed ViewCall::ViewNearest(const Viewing& viewing) {
  std::optional<Status> first_error;
  for (const Replica& replica : viewing.location->replicas) {
    if (DistanceTo(replica, parts_) == Distance::kElsewhere) break;  // and so are the rest
    if (parts_.clock.Now() >= deadline_) return DeadlineExceededError("not mapped in time");
    Viewed view = Map(replica, viewing.location);
    if (view.ok()) return view;
    if (!first_error) first_error = view.status();
  }
  if (first_error) return *std::move(first_error);
  return FailedPreconditionError("no replica of the object lies on this host; Get can read it");
}

Viewed ViewCall::Map(const Replica& replica, const std::shared_ptr<const Location>& location) {
  KVSTORE_ASSIGN_OR_RETURN(const transfer::PeerId holder, peers_->Open(replica.segment.holder));
  Mappings mappings;
  // Of an empty object a byte of its granule is pinned, so that the word is asked.
  uint64_t left = std::max<uint64_t>(location->size, 1);
  for (const Range& range : replica.ranges) {
    if (left == 0) break;
    const uint64_t part = std::min(left, range.length);
    left -= part;
    Result<std::unique_ptr<transfer::Mapping>> mapping =
        parts_.engine.Map({.access = transfer::Access::kRead,
                           .peer = holder,
                           .region = replica.segment.index,
                           .offset = range.offset,
                           .length = part,
                           .guard = transfer::Guard{range.offset, replica.birth}},
                          deadline_);
    const StatusCode code = mapping.status().code();
    if (code == StatusCode::kAborted || code == StatusCode::kNotFound) {
      ++counters_.refused;
      return UnavailableError(
          "the object was moved, replaced or removed while it was mapped; try again");
    }
    if (code == StatusCode::kUnavailable && parts_.failures != nullptr) {
      parts_.failures->Add(replica.segment, parts_.clock.Now());
    }
    if (!mapping.ok()) return mapping.status();
    mappings.push_back(*std::move(mapping));
  }
  if (left > 0) return InternalError("ranges too short for an object; report this");
  return Viewed(std::make_unique<MappedObject>(location, std::move(mappings)));
}

}  // namespace

std::vector<Viewed> ViewObjects(const Parts& parts, std::span<const std::string_view> keys,
                                Duration timeout, const ReadGuards& guards, GetCounters* counters) {
  return ViewCall(parts, timeout, guards, counters).Run(keys);
}

}  // namespace kvstore::client
