#include "client/read_session.h"

#include <string>
#include <utility>

#include "client/item_checks.h"

namespace kvstore::client {
namespace {

class LocatedObjects final : public ReadSession {
 public:
  LocatedObjects(std::span<const std::string_view> keys, OpenedObjects opened, ReadOfPuts read)
      : keys_(keys.begin(), keys.end()),
        locations_(std::move(opened.locations)),
        read_(std::move(read)) {
    for (const Located& found : opened.found) {
      puts_.push_back(found.ok() ? (*found)->put : PutId{});
      if (found.ok()) {
        sizes_.emplace_back((*found)->size);
      } else {
        sizes_.emplace_back(found.status());
      }
    }
  }

  const std::vector<Result<uint64_t>>& sizes() const override { return sizes_; }
  std::vector<GetResult> Read(std::span<const PartItem> items, Duration timeout) override;

 private:
  Status Check(const PartItem& item) const;

  const std::vector<std::string> keys_;
  const std::unique_ptr<Locations> locations_;
  const ReadOfPuts read_;
  std::vector<Result<uint64_t>> sizes_;  // unchanging once made, as are the puts
  std::vector<PutId> puts_;
};

std::vector<GetResult> LocatedObjects::Read(std::span<const PartItem> items, Duration timeout) {
  std::vector<GetResult> results(items.size());
  std::vector<size_t> places;  // in `items`, of those that may go on
  std::vector<GetItem> good;
  std::vector<PutId> of_puts;
  const Status call = CheckTimeout(timeout);
  for (size_t i = 0; i < items.size(); ++i) {
    results[i].status = call.ok() ? Check(items[i]) : call;
    if (!results[i].status.ok()) continue;
    const PartItem& item = items[i];
    places.push_back(i);
    good.push_back({keys_[item.object], item.pieces, item.offset, item.length});
    of_puts.push_back(puts_[item.object]);
  }
  if (good.empty()) return results;
  std::vector<GetResult> read = read_(good, timeout, locations_.get(), of_puts);
  for (size_t i = 0; i < read.size(); ++i) results[places[i]] = std::move(read[i]);
  return results;
}

Status LocatedObjects::Check(const PartItem& item) const {
  if (item.object >= keys_.size()) {
    return InvalidArgumentError("object " + std::to_string(item.object) + " was named; there are " +
                                std::to_string(keys_.size()) + ", counted from 0");
  }
  KVSTORE_RETURN_IF_ERROR(sizes_[item.object].status());
  return CheckItem(GetItem{keys_[item.object], item.pieces, item.offset, item.length});
}

}  // namespace

std::unique_ptr<ReadSession> MakeReadSession(std::span<const std::string_view> keys,
                                             OpenedObjects opened, ReadOfPuts read) {
  return std::make_unique<LocatedObjects>(keys, std::move(opened), std::move(read));
}

}  // namespace kvstore::client
