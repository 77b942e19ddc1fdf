#include "master/client_totals.h"

#include <algorithm>
#include <limits>

namespace kvstore::master {
namespace {

constexpr uint64_t ClientTally::*kFields[] = {
    &ClientTally::gets_ok,         &ClientTally::gets_missed,
    &ClientTally::gets_failed,     &ClientTally::gets_remembered,
    &ClientTally::puts_ok,         &ClientTally::puts_failed,
    &ClientTally::bytes_got,       &ClientTally::bytes_put,
    &ClientTally::reads_refused,   &ClientTally::checksum_mismatches,
    &ClientTally::entries_refused, &ClientTally::accesses_refused};

// A client may say any number.
void AddTo(uint64_t* sum, uint64_t more) {
  *sum = more > std::numeric_limits<uint64_t>::max() - *sum ? std::numeric_limits<uint64_t>::max()
                                                            : *sum + more;
}

}  // namespace

ClientSums& operator+=(ClientSums& sum, const ClientSums& more) {
  AddTo(&sum.hits, more.hits);
  AddTo(&sum.misses, more.misses);
  for (const auto field : kFields) AddTo(&(sum.tally.*field), more.tally.*field);
  std::vector<uint64_t>& ways = sum.tally.bytes_by_way;
  const std::vector<uint64_t>& more_ways = more.tally.bytes_by_way;
  ways.resize(std::max(ways.size(), more_ways.size()));
  for (size_t i = 0; i < more_ways.size(); ++i) AddTo(&ways[i], more_ways[i]);
  return sum;
}

void Raise(ClientTally* told, const ClientTally& news) {
  for (const auto field : kFields) told->*field = std::max(told->*field, news.*field);
  std::vector<uint64_t>& ways = told->bytes_by_way;
  ways.resize(std::max(ways.size(), news.bytes_by_way.size()));
  for (size_t i = 0; i < news.bytes_by_way.size(); ++i) {
    ways[i] = std::max(ways[i], news.bytes_by_way[i]);
  }
}

ClientTally Difference(const ClientTally& tally, const ClientTally& before) {
  ClientTally difference = tally;
  for (const auto field : kFields) {
    difference.*field -= std::min(difference.*field, before.*field);
  }
  for (size_t i = 0; i < std::min(tally.bytes_by_way.size(), before.bytes_by_way.size()); ++i) {
    uint64_t& bytes = difference.bytes_by_way[i];
    bytes -= std::min(bytes, before.bytes_by_way[i]);
  }
  return difference;
}

bool ClientTotals::Join(const std::string& name) {
  auto place = named_.find(name);
  if (place == named_.end()) {
    if (named_.size() >= places_) {
      auto oldest = named_.end();
      for (auto it = named_.begin(); it != named_.end(); ++it) {
        if (it->second.members > 0) continue;
        if (oldest == named_.end() || it->second.left < oldest->second.left) oldest = it;
      }
      if (oldest == named_.end()) return false;
      named_.erase(oldest);
    }
    place = named_.emplace(name, Place()).first;
  }
  ++place->second.members;
  return true;
}

void ClientTotals::Leave(const std::string& name, bool named, const ClientSums& sums) {
  all_ += sums;
  if (!named) {
    others_ += sums;
    return;
  }
  Place& place = named_.at(name);
  place.sums += sums;
  if (--place.members == 0) place.left = ++leaving_;
}

std::map<std::string, ClientSums> ClientTotals::named() const {
  std::map<std::string, ClientSums> sums;
  for (const auto& [name, place] : named_) sums.emplace(name, place.sums);
  return sums;
}

}  // namespace kvstore::master
