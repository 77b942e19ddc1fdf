#include "master/object_table.h"

namespace kvstore::master {

Object& ObjectTable::Add(const PutId& id) {
  Writer& writer = writers_.try_emplace(id.writer, Writer{id.writer}).first->second;
  ++writer.objects;
  Object& object = *slab_.New();
  object.writer = &writer;
  object.sequence = id.sequence;
  index_.Add(&object, std::hash<PutId>()(id));
  return object;
}

void ObjectTable::Erase(Object& object) {
  const PutId id = object.id();
  index_.Remove(&object, std::hash<PutId>()(id));
  slab_.Delete(&object);
  const auto writer = writers_.find(id.writer);
  if (--writer->second.objects == 0) writers_.erase(writer);
}

}  // namespace kvstore::master
