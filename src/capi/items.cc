#include "capi/items.h"

#include <string>
#include <utility>

namespace kvstore::capi {
namespace {

// More than any call has, and few enough for sums over them.
constexpr uint64_t kMaxElements = uint64_t{1} << 32;

std::string Named(const char* name, std::optional<uint64_t> index) {
  return index ? name + std::to_string(*index) : name;
}

}  // namespace

Status CheckArray(const void* array, uint64_t count, const char* name,
                  std::optional<uint64_t> index) {
  if (array == nullptr && count > 0) {
    return InvalidArgumentError(Named(name, index) + " is null, but " + std::to_string(count) +
                                " are said to be there");
  }
  if (count <= kMaxElements) return Status::Ok();
  return InvalidArgumentError(Named(name, index) + " has " + std::to_string(count) +
                              " elements; at most " + std::to_string(kMaxElements) +
                              " are allowed");
}

namespace {

Result<std::string_view> ReadKey(const kvclient_key& key, uint64_t index) {
  if (key.data == nullptr && key.size > 0) {
    return InvalidArgumentError("the key of item " + std::to_string(index) + " is null and has " +
                                std::to_string(key.size) + " bytes");
  }
  return std::string_view(static_cast<const char*>(key.data), key.size);
}

uint64_t ReadLength(uint64_t length) { return length == KVCLIENT_TO_THE_END ? kToTheEnd : length; }

// What the kinds of items differ in.
Result<PutItem> ReadOne(const kvclient_put_item& item, uint64_t index) {
  KVSTORE_ASSIGN_OR_RETURN(const std::string_view key, ReadKey(item.key, index));
  return PutItem{key, {}};
}

Result<GetItem> ReadOne(const kvclient_get_item& item, uint64_t index) {
  KVSTORE_ASSIGN_OR_RETURN(const std::string_view key, ReadKey(item.key, index));
  return GetItem{key, {}, item.offset, ReadLength(item.length)};
}

Result<PartItem> ReadOne(const kvclient_part_item& item, uint64_t) {
  return PartItem{item.object, {}, item.offset, ReadLength(item.length)};
}

// All pieces go into one vector, sized first, since the items' spans point into it.
template <typename Item, typename ItemPiece, typename CItem>
Result<Items<Item, ItemPiece>> ReadItems(const CItem* items, uint64_t count) {
  KVSTORE_RETURN_IF_ERROR(CheckArray(items, count, "items"));
  uint64_t piece_count = 0;
  for (uint64_t i = 0; i < count; ++i) {
    KVSTORE_RETURN_IF_ERROR(
        CheckArray(items[i].pieces, items[i].piece_count, "pieces of item ", i));
    piece_count += items[i].piece_count;
    KVSTORE_RETURN_IF_ERROR(CheckArray(items, piece_count, "all items' pieces together"));
  }
  Items<Item, ItemPiece> read;
  read.items.reserve(count);
  read.pieces.reserve(piece_count);
  for (uint64_t i = 0; i < count; ++i) {
    KVSTORE_ASSIGN_OR_RETURN(Item item, ReadOne(items[i], i));
    const size_t begin = read.pieces.size();
    for (uint64_t p = 0; p < items[i].piece_count; ++p) {
      read.pieces.push_back({items[i].pieces[p].data, items[i].pieces[p].size});
    }
    item.pieces = {read.pieces.data() + begin, read.pieces.size() - begin};
    read.items.push_back(item);
  }
  return read;
}

}  // namespace

Result<PutItems> Read(const kvclient_put_item* items, uint64_t count) {
  return ReadItems<PutItem, ConstPiece>(items, count);
}

Result<GetItems> Read(const kvclient_get_item* items, uint64_t count) {
  return ReadItems<GetItem, Piece>(items, count);
}

Result<PartItems> Read(const kvclient_part_item* items, uint64_t count) {
  return ReadItems<PartItem, Piece>(items, count);
}

Result<std::vector<CreateItem>> Read(const kvclient_create_item* items, uint64_t count) {
  KVSTORE_RETURN_IF_ERROR(CheckArray(items, count, "items"));
  std::vector<CreateItem> read;
  read.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    KVSTORE_ASSIGN_OR_RETURN(const std::string_view key, ReadKey(items[i].key, i));
    read.push_back({key, items[i].size});
  }
  return read;
}

Result<std::vector<std::string_view>> Read(const kvclient_key* keys, uint64_t count) {
  KVSTORE_RETURN_IF_ERROR(CheckArray(keys, count, "keys"));
  std::vector<std::string_view> read;
  read.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    KVSTORE_ASSIGN_OR_RETURN(const std::string_view key, ReadKey(keys[i], i));
    read.push_back(key);
  }
  return read;
}

}  // namespace kvstore::capi
