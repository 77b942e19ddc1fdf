#include "tools/kvbench/objects.h"

#include <algorithm>
#include <cstdio>

namespace kvstore::bench {

std::string KeyOf(std::string_view group, uint64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof(digits), "%016lx", number);
  std::string key = "model@1@0@";
  key += group;
  key += '/';
  const size_t left = kKeyBytes - key.size();
  key.append(left - std::min<size_t>(left, 16), '0');
  key += digits;
  return key;
}

Batch::Batch(std::string_view group, uint64_t first, uint64_t count, uint64_t size, Walk* walk)
    : size_(size) {
  for (uint64_t i = 0; i < count; ++i) {
    keys_.push_back(KeyOf(group, first + i));
    const std::span<std::byte> bytes = walk->Next(size);
    in_.push_back({bytes.data(), size});
    out_.push_back({bytes.data(), size});
  }
  names_.assign(keys_.begin(), keys_.end());
  for (uint64_t i = 0; i < count; ++i) {
    puts_.push_back({.key = names_[i], .pieces = {&out_[i], 1}});
    gets_.push_back({.key = names_[i], .pieces = {&in_[i], 1}});
  }
}

Status Batch::Put(Client& client, const PutOptions& options) const {
  return FirstOf(client.Put(puts_, options));
}

Status Batch::Get(Client& client) const {
  for (const GetResult& result : client.Get(gets_)) {
    if (!result.status.ok()) return result.status;
    if (result.size != size_) {
      return DataLossError("an object of " + std::to_string(size_) + " bytes came as one of " +
                           std::to_string(result.size));
    }
  }
  return Status::Ok();
}

Status Batch::Exists(Client& client) const { return AllExist(client, names_); }

Status AllExist(Client& client, std::span<const std::string_view> keys) {
  for (const Result<bool>& there : client.Exists(keys)) {
    if (!there.ok()) return there.status();
    if (!*there) return NotFoundError("an object that was put is not there");
  }
  return Status::Ok();
}

Status FirstOf(std::span<const Status> statuses) {
  const auto bad = std::find_if(statuses.begin(), statuses.end(),
                                [](const Status& status) { return !status.ok(); });
  return bad == statuses.end() ? Status::Ok() : *bad;
}

Status RemoveGroup(Client& client, std::string_view group) {
  return client.RemoveMatching("model@1@0@" + std::string(group) + '/').status();
}

}  // namespace kvstore::bench
