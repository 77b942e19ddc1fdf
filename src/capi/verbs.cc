#include <utility>
#include <vector>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/items.h"
#include "capi/option_handles.h"
#include "capi/results.h"

namespace {

using kvstore::Client;
using kvstore::Duration;
using kvstore::Result;
using kvstore::Status;
using kvstore::capi::FromMilliseconds;
using kvstore::capi::Guarded;
using kvstore::capi::Results;

using Keys = std::vector<std::string_view>;

// One verb: `act(client, items, results)` with what the caller gave, checked.
template <typename CItem, typename Act>
kvclient_code Run(kvclient* client, const CItem* items, uint64_t count, kvclient_results** wanted,
                  const Act& act) noexcept {
  return Guarded([&]() -> Status {
    Results results(wanted);
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckClient(client));
    KVSTORE_ASSIGN_OR_RETURN(const auto read, kvstore::capi::Read(items, count));
    act(*client->client, read, &results);
    return results.HandOver();
  });
}

// Answers that have a value when they are OK.
template <typename T, typename Keep>
void TakeEach(std::vector<Result<T>> answers, Results* results, const Keep& keep) {
  for (Result<T>& answer : answers) {
    (*results)->statuses.push_back(answer.status());
    keep(answer.ok() ? *std::move(answer) : T{});
  }
}

}  // namespace

kvclient_code kvclient_put(kvclient* client, const kvclient_put_item* items, uint64_t count,
                           const kvclient_put_options* options, kvclient_results** results) {
  return Guarded([&]() -> Status {
    Results answers(results);
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckClient(client));
    KVSTORE_ASSIGN_OR_RETURN(auto read, kvstore::capi::Read(items, count));
    KVSTORE_ASSIGN_OR_RETURN(const kvstore::PutOptions asked,
                             kvstore::capi::Apply(options, &read.items));
    answers->statuses = client->client->Put(read.items, asked);
    return answers.HandOver();
  });
}

kvclient_code kvclient_get(kvclient* client, const kvclient_get_item* items, uint64_t count,
                           int64_t timeout_ms, kvclient_results** results) {
  return Run(client, items, count, results,
             [&](Client& member, const kvstore::capi::GetItems& read, Results* answers) {
               kvstore::capi::Take(member.Get(read.items, FromMilliseconds(timeout_ms)), answers);
             });
}

kvclient_code kvclient_exists(kvclient* client, const kvclient_key* keys, uint64_t count,
                              int64_t timeout_ms, kvclient_results** results) {
  return Run(client, keys, count, results, [&](Client& member, const Keys& read, Results* answers) {
    TakeEach(member.Exists(read, FromMilliseconds(timeout_ms)), answers,
             [&](bool found) { (*answers)->found.push_back(found); });
  });
}

kvclient_code kvclient_wait_exists(kvclient* client, const kvclient_key* keys, uint64_t count,
                                   int64_t timeout_ms, kvclient_results** results) {
  return Run(client, keys, count, results, [&](Client& member, const Keys& read, Results* answers) {
    (*answers)->statuses = member.WaitExists(read, FromMilliseconds(timeout_ms));
  });
}

kvclient_code kvclient_await_puts(kvclient* client, const kvclient_key* keys, uint64_t count,
                                  int64_t at_most_ms, const kvclient_key* after, int64_t timeout_ms,
                                  kvclient_results** results) {
  return Guarded([&]() -> Status {
    Results answers(results);
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckClient(client));
    KVSTORE_ASSIGN_OR_RETURN(const auto read, kvstore::capi::Read(keys, count));
    KVSTORE_ASSIGN_OR_RETURN(const auto before,
                             kvstore::capi::Read(after, after == nullptr ? 0 : 1));
    kvstore::AwaitOptions options;
    options.at_most = FromMilliseconds(at_most_ms);
    options.timeout = FromMilliseconds(timeout_ms);
    if (!before.empty()) options.after = before.front();
    TakeEach(client->client->AwaitPuts(read, options), &answers,
             [&](bool found) { answers->found.push_back(found); });
    return answers.HandOver();
  });
}

kvclient_code kvclient_remove(kvclient* client, const kvclient_key* keys, uint64_t count,
                              int64_t timeout_ms, kvclient_results** results) {
  return Run(client, keys, count, results, [&](Client& member, const Keys& read, Results* answers) {
    (*answers)->statuses = member.Remove(read, FromMilliseconds(timeout_ms));
  });
}

kvclient_code kvclient_stat(kvclient* client, const kvclient_key* keys, uint64_t count,
                            int64_t timeout_ms, kvclient_results** results) {
  return Run(client, keys, count, results, [&](Client& member, const Keys& read, Results* answers) {
    TakeEach(member.Stat(read, FromMilliseconds(timeout_ms)), answers,
             [&](kvstore::ObjectStat stat) {
               (*answers)->sizes.push_back(stat.size);
               (*answers)->stats.push_back(std::move(stat));
             });
  });
}

kvclient_code kvclient_pin(kvclient* client, const kvclient_key* keys, uint64_t count, int hard,
                           int64_t soft_ms, int64_t timeout_ms, kvclient_results** results) {
  return Run(client, keys, count, results, [&](Client& member, const Keys& read, Results* answers) {
    const kvstore::PinOptions options{.hard = hard != 0, .soft = FromMilliseconds(soft_ms)};
    (*answers)->statuses = member.Pin(read, options, FromMilliseconds(timeout_ms));
  });
}

kvclient_code kvclient_remove_matching(kvclient* client, const void* prefix, uint64_t prefix_size,
                                       int64_t timeout_ms, uint64_t* removed) {
  if (removed != nullptr) *removed = 0;
  return Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckClient(client));
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckArray(prefix, prefix_size, "prefix"));
    const std::string_view begins(static_cast<const char*>(prefix), prefix_size);
    KVSTORE_ASSIGN_OR_RETURN(const uint64_t count,
                             client->client->RemoveMatching(begins, FromMilliseconds(timeout_ms)));
    if (removed != nullptr) *removed = count;
    return Status::Ok();
  });
}
