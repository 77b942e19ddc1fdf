#ifndef KVSTORE_TOOLS_KVCTL_EXPLAIN_LIKENESS_H_
#define KVSTORE_TOOLS_KVCTL_EXPLAIN_LIKENESS_H_

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/kvctl/explain/anatomy.h"

namespace kvstore::kvctl {

// What keys that were asked for in vain have in common with keys that exist.
struct Finding {
  enum class What : unsigned char {
    kOtherPart,   // the same hash is there, and all is equal but `part`
    kOtherParts,  // the same hash is there, but more than one part differs; `part` is the first
    kOtherHash,   // all is equal but the hash, and no hash asked for is there
    kOtherKind,  // no hash asked for is there, nor are all other parts equal; `part` differs always
  };
  What what = What::kOtherPart;
  Part part = Part::kHash;
  std::string asked, there;  // the part's text in one such pair; kOtherKind: in some, by commas
  std::string asked_key, there_key;  // that pair
  uint64_t keys = 0;                 // asked for that are so
};

// A line for a person that says what to do about it.
std::string_view RemedyFor(const Finding& finding);

// Compares keys that are not there with those that are, one of these at a time: a key is no more
// than one of both. Keys whose form Dissect does not know are passed over. Thread-compatible.
class Likeness {
 public:
  explicit Likeness(std::span<const std::string> missing);

  // Keys whose form is known.
  uint64_t missing() const { return missing_.size(); }
  uint64_t compared() const { return compared_; }

  void Add(std::string_view existing);
  // The most telling first.
  std::vector<Finding> Take() const;

 private:
  struct Missing {
    std::string key;
    Anatomy anatomy;
  };
  struct Pair {
    std::set<size_t> keys;  // in missing_
    Finding example;
  };
  void Compare(size_t missing, std::string_view existing, const Anatomy& anatomy);

  std::vector<Missing> missing_;
  std::unordered_map<std::string, std::vector<size_t>> by_hash_;  // its text
  // All but the hash. Emptied when it has been found among existing keys.
  std::unordered_map<std::string, std::vector<size_t>> by_frame_;
  std::map<std::pair<Part, bool>, Pair> other_parts_;  // second: more than that one
  Pair other_hash_;
  uint64_t compared_ = 0;
  // By maker and place among the parts: what they are in existing keys, some of them.
  std::map<std::pair<std::string_view, size_t>, std::set<std::string>> there_;
};

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_EXPLAIN_LIKENESS_H_
