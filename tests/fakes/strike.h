#ifndef KVSTORE_TESTS_FAKES_STRIKE_H_
#define KVSTORE_TESTS_FAKES_STRIKE_H_

#include <iterator>
#include <utility>
#include <vector>

#include "master/catalog.h"

namespace kvstore::master {

// Where no state file is kept: whom the effects want struck is struck at once, and what follows
// from that is appended to them.
inline Effects WithStrikes(Catalog* catalog, TimePoint now, Effects effects) {
  const auto append = [](auto* to, auto& from) {
    to->insert(to->end(), std::make_move_iterator(from.begin()),
               std::make_move_iterator(from.end()));
  };
  for (const Incarnation node : std::exchange(effects.strike, {})) {
    Effects more = WithStrikes(catalog, now, catalog->Struck(now, node));
    append(&effects.replies, more.replies);
    append(&effects.orders, more.orders);
    append(&effects.gone, more.gone);
    append(&effects.node_events, more.node_events);
    append(&effects.object_events, more.object_events);
  }
  return effects;
}

// Of a node whose memory holds nothing.
inline Report WholeReport(uint64_t term, uint64_t counter) {
  Report report;
  report.term = term;
  report.counter = counter;
  report.last = true;
  return report;
}

}  // namespace kvstore::master

#endif  // KVSTORE_TESTS_FAKES_STRIKE_H_
