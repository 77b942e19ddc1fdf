#ifndef KVSTORE_SRC_MASTER_WAITING_H_
#define KVSTORE_SRC_MASTER_WAITING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "master/chain.h"
#include "proto/verbs.h"

namespace kvstore::master {

class KeyEntry;
struct Object;
struct WaitingItem;
using WaitList = Chain<WaitingItem>;

struct RequestName {
  Incarnation caller;
  uint64_t id = 0;
  friend auto operator<=>(const RequestName&, const RequestName&) = default;
};

enum class WaitingVerb : uint8_t {
  kStartPut,   // for room
  kCommitPut,  // for the withdrawal of an older object, and notes
  kAbortPut,   // for the withdrawal of what was noted
  kLocate,     // until a commit of the key is through; so do kExists and kStat
  kExists,
  kStat,
  kWaitExists,  // for a commit
  kPin,         // as kLocate, and then as kKept
  kKept,        // for the notes of a pin
  kRemove,      // for the withdrawal of what was removed; so does kSweep
  kSweep,
  kItem,  // only held up, until no member of the last reign is missing; so may be others
};

// One item that is answered later.
struct WaitingItem {
  RequestName request;
  uint32_t index = 0;
  WaitingVerb verb = WaitingVerb::kLocate;
  bool want_lease = false;  // kLocate
  bool found = false;       // kRemove: there was an object
  bool only_reads = false;  // kLocate: a miss of it announces no put
  bool readable = false;    // kLocate, kExists: not found on suspected holders alone
  Duration awaits{};        // kLocate: not zero: so long at most for a put, then it is not found
  TimePoint since{};
  TimePoint deadline{};  // then it is answered with what it waits for

  bool hard = false;         // kPin
  Duration soft{};           // kPin
  Object* object = nullptr;  // kStartPut, kCommitPut, kAbortPut, kKept
  KeyEntry* key = nullptr;   // all others but kSweep
  // Held up: what is to be done later; neither object nor key then.
  std::shared_ptr<const VerbRequest> held_up;
  WaitList* list = nullptr;  // of `object` or `key`: what is answered together
  uint64_t serial = 0;       // order of arrival; unique

  WaitingItem* previous = nullptr;  // of `list`
  WaitingItem* next = nullptr;
};

// All items that are answered later: found by request (to recognise retries), by deadline, by
// caller, and, through their lists, by what they wait for. Pure. Thread-compatible.
class WaitingItems {
 public:
  explicit WaitingItems(size_t limit) : limit_(limit) {}

  bool IsFull() const { return size_ >= limit_; }
  size_t size() const { return size_; }
  size_t requests() const { return requests_.size(); }

  // Whether that item waits already, so that its retry has nothing to do.
  bool Contains(const RequestName& request, uint32_t index) const;

  // null: it does not wait.
  WaitingItem* Find(const RequestName& request, uint32_t index);

  // Takes the item, whose `list` is set, in at the end of that list. It must not wait yet, and
  // there must be room. The pointer is good until Remove.
  WaitingItem* Add(WaitingItem item);

  // It waits for something else, with its other fields as they are now, until the same deadline.
  static void Move(WaitingItem* item, WaitList* list);

  // Forgets the item, also in its list.
  void Remove(WaitingItem* item);

  // The item with the earliest deadline, if that is not after `now`.
  WaitingItem* FirstDue(TimePoint now) const;

  std::vector<WaitingItem*> OfCaller(Incarnation caller);
  std::vector<const WaitingItem*> All() const;

 private:
  using Items = std::map<uint32_t, WaitingItem>;  // by index

  const size_t limit_;
  size_t size_ = 0;  // over all requests
  uint64_t next_serial_ = 1;
  std::map<RequestName, Items> requests_;  // none is empty
  std::map<std::pair<TimePoint, uint64_t>, WaitingItem*> by_deadline_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_WAITING_H_
