#include "master/waiting.h"

namespace kvstore::master {

bool WaitingItems::Contains(const RequestName& request, uint32_t index) const {
  const auto it = requests_.find(request);
  return it != requests_.end() && it->second.contains(index);
}

WaitingItem* WaitingItems::Find(const RequestName& request, uint32_t index) {
  const auto it = requests_.find(request);
  if (it == requests_.end()) return nullptr;
  const auto item = it->second.find(index);
  return item == it->second.end() ? nullptr : &item->second;
}

WaitingItem* WaitingItems::Add(WaitingItem item) {
  WaitingItem* const added = &requests_[item.request].emplace(item.index, item).first->second;
  added->serial = next_serial_++;
  by_deadline_.emplace(std::pair(added->deadline, added->serial), added);
  added->list->PushBack(added);
  ++size_;
  return added;
}

void WaitingItems::Move(WaitingItem* item, WaitList* list) {
  item->list->Remove(item);
  item->list = list;
  list->PushBack(item);
}

void WaitingItems::Remove(WaitingItem* item) {
  item->list->Remove(item);
  by_deadline_.erase({item->deadline, item->serial});
  --size_;
  const auto request = requests_.find(item->request);
  request->second.erase(item->index);
  if (request->second.empty()) requests_.erase(request);
}

WaitingItem* WaitingItems::FirstDue(TimePoint now) const {
  if (by_deadline_.empty() || by_deadline_.begin()->first.first > now) return nullptr;
  return by_deadline_.begin()->second;
}

std::vector<WaitingItem*> WaitingItems::OfCaller(Incarnation caller) {
  std::vector<WaitingItem*> items;
  for (auto it = requests_.lower_bound({caller, 0});
       it != requests_.end() && it->first.caller == caller; ++it) {
    for (auto& [index, item] : it->second) items.push_back(&item);
  }
  return items;
}

std::vector<const WaitingItem*> WaitingItems::All() const {
  std::vector<const WaitingItem*> items;
  for (const auto& [name, request] : requests_) {
    for (const auto& [index, item] : request) items.push_back(&item);
  }
  return items;
}

}  // namespace kvstore::master
