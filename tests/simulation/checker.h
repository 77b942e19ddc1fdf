#ifndef KVSTORE_TESTS_SIMULATION_CHECKER_H_
#define KVSTORE_TESTS_SIMULATION_CHECKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/status.h"

namespace kvstore::simulation {

// What may have made the store forget an object of a key since the run began; each only grows.
struct Forgotten {
  uint64_t lost = 0;         // the key's objects; holders of what nobody knows; pools
  uint64_t evicted = 0;      // the key's objects
  uint64_t unconfirmed = 0;  // masters lost before the key's object was noted by all its holders
  uint64_t masters = 0;      // lost; of itself it makes nobody forget anything
  uint64_t holders = 0;      // lost, with puts that were not visible yet
  friend bool operator==(const Forgotten&, const Forgotten&) = default;
};

// What a put was asked for, beyond its bytes.
struct Asked {
  bool replace = true;
  bool durable = false;
  bool hard_pin = false;
  Duration ttl{};  // 0: never expires
};

// The promises of the store, checked while it runs, from what its callers see alone. Calls are told
// in the order in which they begin and end; `Mark` is a point in that order.
//
//   I1  an OK Get returns exactly the bytes of one put under its key
//   I2  not of one that was removed, or replaced by a newer one, before the Get began
//   I3  not of a put that was, or will be, answered "not committed"
//   and after an OK Put the object is found, unless something that forgets objects has happened:
//   I5  a durable one is not forgotten with a master, a pinned one is not evicted
//   I6  one with a TTL is not found when that has run out
// The masters see to I4 (each one's invariants) and I7 (what is leased is not evicted, whoever
// leased it); the calls to I8 (they end in time).
//
// A Put that is begun again, since the next master does not know what became of it, may take effect
// twice: over the end of a master, what is put by a call that goes on may come back.
//
// A value is *known* once its put has been answered OK or a Get has returned it. It is *over* once
// a Remove that began later is answered, or once another value of the key, whose put (or a Get of
// which) began later, is known: then no call that begins later may find it.
// Confined to the baton. The first violation is kept.
class Checker {
 public:
  using Mark = uint64_t;

  // `now` is true time. `ttl_slack`: so long an expired object may still be found, beyond what
  // clocks differ.
  Checker(std::function<Forgotten(const std::string& key)> forgotten, std::function<Duration()> now,
          Duration ttl_slack)
      : forgotten_(std::move(forgotten)), true_now_(std::move(now)), ttl_slack_(ttl_slack) {}

  // A new value for a put that begins; its number. Never 0.
  uint64_t BeginPut(const std::string& key, uint64_t size, const Asked& asked = {});
  void EndPut(uint64_t number, const Status& status);

  Mark Begin() { return Next(); }
  void EndGet(Mark begun, const std::string& key, const Status& status,
              std::span<const std::byte> bytes);
  // Cells of an object, from that byte on.
  void EndGetOfPart(Mark begun, const std::string& key, uint64_t offset,
                    std::span<const std::byte> bytes);
  // An answer about a key: Exists, WaitExists.
  void EndLook(Mark begun, const std::string& key, bool found);

  Mark BeginRemove(const std::string& key);
  void EndRemove(Mark begun, const std::string& key, const Status& status);

  // Somebody asks to unpin the key's object, whichever that is then.
  void MayUnpin(const std::string& key);

  // Memory was corrupted on purpose, so that a Get may end with data_loss.
  void AllowDataLoss() { data_loss_allowed_ = true; }

  void Fail(const std::string& violation);
  bool WasDurable(uint64_t number) const { return values_[number].asked.durable; }
  // Whether no call that begins now may find that value.
  bool IsOver(uint64_t number) const { return values_[number].over != kNever; }

  // Empty: none.
  const std::string& violation() const { return violation_; }
  // Misses of objects that a put had been answered OK for; each was justified.
  uint64_t forgotten_misses() const { return forgotten_misses_; }
  // Of these, with a master that had no confirmed note of them.
  uint64_t unconfirmed_misses() const { return unconfirmed_misses_; }
  uint64_t expired_misses() const { return expired_misses_; }
  uint64_t came_back() const { return came_back_; }

 private:
  static constexpr Mark kNever = UINT64_MAX;

  struct Value {
    std::string key;
    uint64_t size = 0;
    Mark put_began = 0;
    Mark known = kNever;
    Mark over = kNever;
    Mark ended = kNever;    // its put's call
    Mark refused = kNever;  // its put was answered "not committed"
    Asked asked;
    Forgotten forgotten_before;
    Duration began{};
    Duration expired{};  // by then, if `known` by its put's answer; 0: it is not known when
  };
  struct Key {
    std::vector<uint64_t> values;
    Mark last_remove_ended = 0;
    uint64_t removes_open = 0;  // or without an answer: they may still take effect
  };

  Mark Next();
  // The number of the value whose bytes these are, 0 and a violation if there is none.
  uint64_t FindReturned(const std::string& key, uint64_t offset, std::span<const std::byte> bytes,
                        bool is_whole);
  uint64_t FindEmpty(Mark begun, const std::string& key);
  void EndRead(Mark begun, const std::string& key, uint64_t number);
  // Whether a master was lost since its put began.
  bool MayBeBegunAgain(const Value& value) const;
  // Whether the value, which was over, may be there again: see above.
  bool MayComeBack(const Value& value) const;
  // Why a call that began then may not find the value now; empty: it may.
  std::string WhyNotFindable(const Value& value, Mark begun) const;
  void BecomesKnown(uint64_t number, Mark begun);
  void CheckMiss(Mark begun, const std::string& key);

  bool MayHaveTakenAlong(const Value& rival, const Value& value) const;
  // Whether an object that was known may be missing now; counts why.
  bool MayBeMissing(uint64_t number, const Key& history);

  const std::function<Forgotten(const std::string& key)> forgotten_;
  const std::function<Duration()> true_now_;
  const Duration ttl_slack_;
  Mark now_ = 0;
  std::vector<Duration> times_{Duration::zero()};  // true ones, of all marks
  std::vector<Value> values_{1};                   // by number
  std::map<std::string, Key> keys_;
  bool data_loss_allowed_ = false;
  uint64_t forgotten_misses_ = 0;
  uint64_t unconfirmed_misses_ = 0;
  uint64_t expired_misses_ = 0;
  uint64_t came_back_ = 0;
  std::string violation_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_CHECKER_H_
