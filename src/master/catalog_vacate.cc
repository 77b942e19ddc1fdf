// Memory that is emptied: drains, and segments that grow and shrink.

#include "master/catalog_state.h"

namespace kvstore::master {

Status Catalog::State::HandleLend(Event& /*event*/, Node& /*node*/, const Lend& /*lend*/) {
  return UnimplementedError("segments that grow and shrink");
}

Status Catalog::State::Drain(Event& /*event*/, std::string_view /*node*/, bool /*drain*/) {
  return UnimplementedError("drains");
}

}  // namespace kvstore::master
