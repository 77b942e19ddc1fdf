#ifndef KVSTORE_SRC_MASTER_CLIENT_TOTALS_H_
#define KVSTORE_SRC_MASTER_CLIENT_TOTALS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/verbs.h"

namespace kvstore::master {

// What clients have asked for, and what they say that they did.
struct ClientSums {
  uint64_t hits = 0, misses = 0;  // keys of Locate and Exists
  ClientTally tally;
};

// Adds, up to the greatest number that there is.
ClientSums& operator+=(ClientSums& sum, const ClientSums& more);

// What a client said last, and said before, made one: no number of it goes back.
void Raise(ClientTally* told, const ClientTally& news);

// What has been counted since `before`.
ClientTally Difference(const ClientTally& tally, const ClientTally& before);

// The sums of those that have left, so that no sum over clients ever goes back. A bounded number of
// names is kept apart: a name gets a place when a client of that name joins and keeps it until all
// have left and another name needs it; who gets no place counts among the others. Pure.
// Thread-compatible.
class ClientTotals {
 public:
  explicit ClientTotals(size_t names = 200) : places_(names) {}

  // Whether the name has a place, which the client has then until it leaves.
  bool Join(const std::string& name);
  // `named`: what Join said.
  void Leave(const std::string& name, bool named, const ClientSums& sums);

  // Of those that have left:
  const ClientSums& all() const { return all_; }
  const ClientSums& others() const { return others_; }
  // By each name that has a place.
  std::map<std::string, ClientSums> named() const;

 private:
  struct Place {
    size_t members = 0;
    uint64_t left = 0;  // when the last one left, in the order of such
    ClientSums sums;
  };

  const size_t places_;
  std::map<std::string, Place> named_;
  uint64_t leaving_ = 0;
  ClientSums all_;
  ClientSums others_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_CLIENT_TOTALS_H_
