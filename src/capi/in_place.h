#ifndef KVSTORE_SRC_CAPI_IN_PLACE_H_
#define KVSTORE_SRC_CAPI_IN_PLACE_H_

// What views and new objects have in common: many are made by one call, and each hands out pieces.

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/items.h"
#include "capi/results.h"

namespace kvstore::capi {

// An object in place, with its pieces as C has them.
template <typename Object, typename CPiece>
struct InPlace {
  InPlace(kvclient& client, std::unique_ptr<Object> made)
      : dependent(client), object(std::move(made)) {
    for (const auto& piece : object->pieces()) pieces.push_back({piece.data, piece.size});
  }

  Dependent dependent;
  std::unique_ptr<Object> object;
  std::vector<CPiece> pieces;
};

// The pieces of a handle; null and 0 for none.
template <typename Handle>
auto* PiecesOf(const Handle* handle, uint64_t* piece_count) {
  const bool some = handle != nullptr && !handle->pieces.empty();
  if (piece_count != nullptr) *piece_count = some ? handle->pieces.size() : 0;
  return some ? handle->pieces.data() : nullptr;
}

// A handle each for what `open(client, &items)` made, or null where it made none.
template <typename Handle, typename CItem, typename Open>
kvclient_code OpenMany(kvclient* client, const CItem* items, uint64_t count, Handle** opened,
                       kvclient_results** wanted, const Open& open) noexcept {
  return Guarded([&]() -> Status {
    Results results(wanted);
    KVSTORE_RETURN_IF_ERROR(CheckArray(opened, count, "the array for what is opened"));
    std::fill_n(opened, count, nullptr);
    KVSTORE_RETURN_IF_ERROR(CheckClient(client));
    KVSTORE_ASSIGN_OR_RETURN(auto read, Read(items, count));
    std::vector<std::unique_ptr<Handle>> handles(count);
    KVSTORE_ASSIGN_OR_RETURN(auto made, open(*client->client, &read));
    for (uint64_t i = 0; i < count; ++i) {
      results->statuses.push_back(made[i].status());
      if (made[i].ok()) handles[i] = std::make_unique<Handle>(*client, *std::move(made[i]));
    }
    Status first = results.HandOver();
    for (uint64_t i = 0; i < count; ++i) opened[i] = handles[i].release();
    return first;
  });
}

}  // namespace kvstore::capi

#endif  // KVSTORE_SRC_CAPI_IN_PLACE_H_
