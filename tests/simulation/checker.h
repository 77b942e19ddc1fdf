#ifndef KVSTORE_TESTS_SIMULATION_CHECKER_H_
#define KVSTORE_TESTS_SIMULATION_CHECKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvstore/status.h"

namespace kvstore::simulation {

// The promises of the store, checked while it runs, from what its callers see alone. Calls are told
// in the order in which they begin and end; `Mark` is a point in that order.
//
//   I1  an OK Get returns exactly the bytes of one put under its key
//   I2  not of one that was removed, or replaced by a newer one, before the Get began
//   I3  not of a put that was answered "not committed"
//   and after an OK Put the object is found, unless something that forgets objects has happened
//
// A value is *known* once its put has been answered OK or a Get has returned it. It is *over* once
// a Remove that began later is answered, or once another value of the key, whose put (or a Get of
// which) began later, is known: then no call that begins later may find it.
// Confined to the baton. The first violation is kept.
class Checker {
 public:
  using Mark = uint64_t;

  // `objects_forgotten` grows with every eviction, lost node and end of a master.
  explicit Checker(std::function<uint64_t()> objects_forgotten)
      : objects_forgotten_(std::move(objects_forgotten)) {}

  // A new value for a put that begins; its number. Never 0.
  uint64_t BeginPut(const std::string& key, uint64_t size);
  void EndPut(uint64_t number, const Status& status);

  Mark Begin() { return ++now_; }
  void EndGet(Mark begun, const std::string& key, const Status& status,
              std::span<const std::byte> bytes);
  // Cells of an object, from that byte on.
  void EndGetOfPart(Mark begun, const std::string& key, uint64_t offset,
                    std::span<const std::byte> bytes);
  // An answer about a key: Exists, WaitExists.
  void EndLook(Mark begun, const std::string& key, bool found);

  Mark BeginRemove(const std::string& key);
  void EndRemove(Mark begun, const std::string& key, const Status& status);

  // Memory was corrupted on purpose, so that a Get may end with data_loss.
  void AllowDataLoss() { data_loss_allowed_ = true; }

  void Fail(const std::string& violation);
  // Whether no call that begins now may find that value.
  bool IsOver(uint64_t number) const { return values_[number].over != kNever; }

  // Empty: none.
  const std::string& violation() const { return violation_; }
  // Misses of objects that a put had been answered OK for; each was justified.
  uint64_t forgotten_misses() const { return forgotten_misses_; }

 private:
  static constexpr Mark kNever = UINT64_MAX;

  struct Value {
    std::string key;
    uint64_t size = 0;
    Mark put_began = 0;
    Mark known = kNever;
    Mark over = kNever;
    Mark refused = kNever;  // its put was answered "not committed"
    uint64_t forgotten_before = 0;
  };
  struct Key {
    std::vector<uint64_t> values;
    Mark last_remove_ended = 0;
    uint64_t removes_open = 0;  // or without an answer: they may still take effect
  };

  // The number of the value whose bytes these are, 0 and a violation if there is none.
  uint64_t FindReturned(const std::string& key, uint64_t offset, std::span<const std::byte> bytes,
                        bool is_whole);
  uint64_t FindEmpty(Mark begun, const std::string& key);
  void EndRead(Mark begun, const std::string& key, uint64_t number);
  // Why a call that began then may not find the value now; empty: it may.
  std::string WhyNotFindable(const Value& value, Mark begun) const;
  void BecomesKnown(uint64_t number, Mark begun);
  void CheckMiss(Mark begun, const std::string& key);

  const std::function<uint64_t()> objects_forgotten_;
  Mark now_ = 0;
  std::vector<Value> values_{1};  // by number
  std::map<std::string, Key> keys_;
  bool data_loss_allowed_ = false;
  uint64_t forgotten_misses_ = 0;
  std::string violation_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_CHECKER_H_
