#ifndef KVSTORE_SRC_CAPI_ITEMS_H_
#define KVSTORE_SRC_CAPI_ITEMS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "capi/guard.h"
#include "kvstore/client.h"
#include "kvstore/kvclient.h"
#include "kvstore/result.h"

namespace kvstore::capi {

// invalid_argument: the array is null but not empty, or has more than 2^32 elements. The message
// calls it `name`, followed by `index` if there is one.
Status CheckArray(const void* array, uint64_t count, const char* name,
                  std::optional<uint64_t> index = std::nullopt);

// The items of one call, as the C++ interface takes them. Borrows the caller's keys and memory, and
// owns the rest, so that it must outlive the call. invalid_argument, for the call as a whole: a
// null array or key that is not empty, or more elements than an array can have. What may be said of
// one item alone is left to the C++ interface.
template <typename Item, typename ItemPiece>
struct Items {
  std::vector<Item> items;
  std::vector<ItemPiece> pieces;  // of all items, in order
};

using PutItems = Items<PutItem, ConstPiece>;
using GetItems = Items<GetItem, Piece>;
using PartItems = Items<PartItem, Piece>;

Result<PutItems> Read(const kvclient_put_item* items, uint64_t count);
Result<GetItems> Read(const kvclient_get_item* items, uint64_t count);
Result<PartItems> Read(const kvclient_part_item* items, uint64_t count);
Result<std::vector<CreateItem>> Read(const kvclient_create_item* items, uint64_t count);
Result<std::vector<std::string_view>> Read(const kvclient_key* keys, uint64_t count);

}  // namespace kvstore::capi

#endif  // KVSTORE_SRC_CAPI_ITEMS_H_
