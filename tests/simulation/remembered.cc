#include "simulation/remembered.h"

#include <utility>

#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/open_peers.h"

namespace kvstore::simulation {

std::string RememberedLocations::Nearest(const std::string& key) const {
  const auto found = locations_.lower_bound(key);
  return found == locations_.end() ? key : found->first;
}

void RememberedLocations::Learn(const std::string& key, TimePoint deadline) {
  const client::Parts parts = node_->parts();
  const TimePoint asked = parts.clock.Now();
  Locate request;
  request.keys.Add(key);
  std::vector<LocateAnswer> answers = parts.master.Find(std::move(request), deadline);
  LocateAnswer& answer = answers.front();
  if (!answer.status.ok() || answer.lease == Duration::zero()) return;
  const TimePoint lease_end = asked + answer.parked + answer.lease;
  locations_[key] = {std::move(answer), lease_end, node_->incarnation()};
}

std::optional<std::vector<std::byte>> RememberedLocations::Read(const std::string& key,
                                                                TimePoint deadline) {
  const auto found = locations_.find(key);
  if (found == locations_.end()) return std::nullopt;
  const Location location = found->second;
  const client::Parts parts = node_->parts();
  if (parts.clock.Now() >= location.lease_end || location.reader != node_->incarnation()) {
    locations_.erase(found);
    return std::nullopt;
  }
  const LocateAnswer& answer = location.answer;
  std::vector<std::byte> bytes(answer.size);
  const transfer::Piece piece{bytes.data(), bytes.size()};
  const std::span<const transfer::Piece> pieces(&piece, 1);
  client::OpenPeers peers(parts);
  client::CopyPlan plan;
  const Replica& replica =
      answer.replicas[world_->scheduler.random().Below(answer.replicas.size())];
  const Result<transfer::PeerId> holder = peers.Open(replica.segment.holder);
  if (!holder.ok() || !plan.AddRead(pieces, {0, answer.size}, replica, *holder).ok()) {
    return std::nullopt;
  }
  const Status copied = transfer::FirstError(parts.engine.Run(plan.copies(), deadline));
  const bool right = !world_->guards.read.verify_checksum ||
                     client::Checksum(pieces, answer.size) == answer.checksum;
  // An empty object moves no byte, so nothing has asked whether it still stands.
  if (copied.ok() && right && answer.size > 0) return bytes;
  locations_.erase(key);
  return std::nullopt;
}

}  // namespace kvstore::simulation
