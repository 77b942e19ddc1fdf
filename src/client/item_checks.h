#ifndef KVSTORE_SRC_CLIENT_ITEM_CHECKS_H_
#define KVSTORE_SRC_CLIENT_ITEM_CHECKS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/client.h"
#include "kvstore/status.h"

namespace kvstore::client {

// What is refused before anybody is asked, item by item.
Status CheckItem(std::string_view key);
Status CheckItem(const PutItem& item);
Status CheckItem(const GetItem& item);
Status CheckItem(const CreateItem& item);

// What is refused for a whole call.
Status CheckTimeout(Duration timeout);
Status CheckPutOptions(const PutOptions& options);
Status CheckPinOptions(const PinOptions& options);
Status CheckPrefix(std::string_view prefix);

inline std::string_view KeyOf(std::string_view key) { return key; }
inline std::string_view KeyOf(const PutItem& item) { return item.key; }
inline std::string_view KeyOf(const GetItem& item) { return item.key; }
inline std::string_view KeyOf(const CreateItem& item) { return item.key; }

// All keys of one call travel in one string below: invalid_argument beyond 4 GiB.
Status CheckKeyBytes(uint64_t bytes);

inline GetResult Refusal(const Status& status, const GetResult*) { return {status, 0}; }
inline Status Refusal(const Status& status, const Status*) { return status; }
template <typename T>
Result<T> Refusal(const Status& status, const Result<T>*) {
  return status;
}

template <typename Item>
bool AllGood(std::span<const Item> items) {
  uint64_t key_bytes = 0;
  for (const Item& item : items) {
    if (!CheckItem(item).ok()) return false;
    key_bytes += KeyOf(item).size();
  }
  return CheckKeyBytes(key_bytes).ok();
}

// One answer per item: that of `verb`, which is called once with the items that may go on, and the
// refusal of each of the others. With `call` not OK nothing goes on.
template <typename Answer, typename Item, typename Verb>
std::vector<Answer> AnswerEach(Status call, std::span<const Item> items, const Verb& verb) {
  constexpr const Answer* kKind = nullptr;
  if (call.ok() && !items.empty() && AllGood(items)) return verb(items);
  std::vector<Status> checks;
  checks.reserve(items.size());
  std::vector<Item> good;
  uint64_t key_bytes = 0;
  for (const Item& item : items) {
    checks.push_back(CheckItem(item));
    if (!checks.back().ok()) continue;
    key_bytes += KeyOf(item).size();
    good.push_back(item);
  }
  if (call.ok()) call = CheckKeyBytes(key_bytes);
  std::vector<Answer> some;
  if (call.ok() && !good.empty()) some = verb(std::span<const Item>(good));
  std::vector<Answer> all;
  all.reserve(items.size());
  size_t next = 0;
  for (const Status& check : checks) {
    if (!call.ok()) {
      all.push_back(Refusal(call, kKind));
    } else if (!check.ok()) {
      all.push_back(Refusal(check, kKind));
    } else {
      all.push_back(std::move(some[next++]));
    }
  }
  return all;
}

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_ITEM_CHECKS_H_
