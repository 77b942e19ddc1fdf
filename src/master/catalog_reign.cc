// A new reign: reports of members, and what waits for them.

#include "master/catalog_state.h"

namespace kvstore::master {

void Catalog::State::BeginReign(TimePoint /*now*/, const Reign& /*reign*/) {}

Status Catalog::State::HandleReport(Event& /*event*/, Node& /*node*/, const Report& /*report*/) {
  return Status::Ok();
}

}  // namespace kvstore::master
