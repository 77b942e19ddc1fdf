#include "master/group.h"

#include <utility>

#include "master/segment.h"

namespace kvstore::master {

void Group::BringForward(size_t i) {
  std::swap(members[i], members[0]);
  members[i]->more().group_place = static_cast<uint32_t>(i);
  members[0]->more().group_place = 0;
}

void Groups::Join(Object* object, std::string_view name) {
  if (name.empty()) return;
  auto it = groups_.find(name);
  if (it == groups_.end()) {
    it = groups_.try_emplace(std::string(name)).first;
    it->second.name = it->first;
  }
  Group& group = it->second;
  object->more().group = &group;
  object->more().group_place = static_cast<uint32_t>(group.members.size());
  group.members.push_back(object);
}

void Groups::Leave(Object* object) {
  Group* const group = object->group();
  if (!group) return;
  Segment::Reclassify(object, [object] { object->more().group = nullptr; });
  Object* const last = group->members.back();
  group->members[object->rest().group_place] = last;
  last->more().group_place = object->rest().group_place;
  group->members.pop_back();
  if (group->members.empty()) groups_.erase(groups_.find(group->name));
}

}  // namespace kvstore::master
