#ifndef KVSTORE_SRC_CLIENT_READING_H_
#define KVSTORE_SRC_CLIENT_READING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/locations.h"
#include "kvstore/client.h"
#include "kvstore/result.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"

namespace kvstore::client {

// One item on its way to an answer.
struct Reading {
  const GetItem* item = nullptr;
  const PutId* of_put = nullptr;  // null: whatever the key's object is
  GetResult result;
  bool answered = false;

  std::shared_ptr<const Location> location;  // null: not known yet
  bool remembered = false;                   // the master was not asked for it by this call
  // What can't be read of an object of that size. A remembered size is told only once the word has
  // said that the location still stands.
  Status misfit;
  transfer::Stretch part;       // of the object: what is read; of a misfit nothing
  std::vector<size_t> order;    // of the location's replicas; empty: as they are
  size_t next = 0;              // of these: the one to read
  transfer::PeerId holder = 0;  // of that one, once it has been opened
  bool read_again = false;      // it gave bytes that don't match the checksum, once
  bool located_anew = false;
  Status first_error;
  CopyPlan::Span copies;
  std::unique_ptr<RunningChecksum> checksum;  // of these; null: none is wanted, or afterwards
  bool under_way = false;                     // in a wave

  bool Exhausted() const { return !location || next == location->replicas.size(); }
  // Whether another source is left: a further replica, or the master, who may know of new ones.
  bool IsLast() const { return next + 1 == location->replicas.size(); }
  bool MayDoBetter() const { return !IsLast() || remembered || !located_anew; }
  const Replica& Next() const { return location->replicas[order.empty() ? next : order[next]]; }
  bool IsWhole() const { return part.offset == 0 && part.length == location->size; }

  void Answer(Status status, uint64_t bytes = 0) {
    result = {std::move(status), bytes};
    answered = true;
  }

  void NextReplica(Status error) {
    if (first_error.ok()) first_error = std::move(error);
    ++next;
    read_again = false;
  }
};

using Readings = std::vector<Reading*>;

// What the item asks for of an object of `size` bytes. invalid_argument: the object has no such
// part, or the item's pieces no room for it.
Result<transfer::Stretch> PartOf(const GetItem& item, uint64_t size);

// Those of `readings` that have no answer yet and fulfil the condition.
template <typename Condition>
Readings Unanswered(const Readings& readings, Condition condition) {
  Readings open;
  std::copy_if(readings.begin(), readings.end(), std::back_inserter(open),
               [&](const Reading* r) { return !r->answered && condition(*r); });
  return open;
}

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_READING_H_
