#ifndef KVSTORE_SRC_MASTER_GROUP_H_
#define KVSTORE_SRC_MASTER_GROUP_H_

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "master/object.h"
#include "master/standing.h"

namespace kvstore::master {

// So that a lookup needs no std::string.
struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};

// Objects that are evicted together.
struct Group {
  std::string name;
  std::vector<Object*> members;               // parked, pending, committing and complete ones
  std::array<size_t, kStandings> replicas{};  // of the members, by standing; kept by the segments

  // Whether one of them keeps all from being evicted. `soft`: so does a soft pin.
  bool IsBarred(bool soft) const {
    const auto count = [this](Standing s) { return replicas[static_cast<size_t>(s)]; };
    return count(Standing::kUnfinished) + count(Standing::kPinned) + count(Standing::kLeased) > 0 ||
           (soft && count(Standing::kSoftPinned) > 0);
  }

  // The i-th member changes places with the first.
  void BringForward(size_t i);
};

// All groups that have members, by name; so that an object of none pays a null pointer for it.
// Thread-compatible.
class Groups {
 public:
  // The object, which is in none and has no memory yet, joins the group of that name; none if that
  // is empty.
  void Join(Object* object, std::string_view name);
  // It leaves its group, if any, with its replicas. The group ends with its last member.
  void Leave(Object* object);

  size_t size() const { return groups_.size(); }
  // By name.
  const std::unordered_map<std::string, Group, NameHash, std::equal_to<>>& all() const {
    return groups_;
  }

 private:
  std::unordered_map<std::string, Group, NameHash, std::equal_to<>> groups_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_GROUP_H_
