#include "tools/kvctl/space_text.h"

namespace kvstore::kvctl {

void WriteSpace(text::JsonWriter* json, const Space& space) {
  json->Name("space_bytes");
  json->BeginObject();
  json->Member("size", space.size);
  json->Member("unprepared", space.unprepared);
  json->Member("free", space.free);
  json->Member("unfinished", space.unfinished);
  json->Member("committed", space.committed);
  json->Member("retiring", space.retiring);
  json->Member("leased", space.leased);
  json->Member("pinned", space.pinned);
  json->Member("ahead", space.ahead);
  json->EndObject();
}

}  // namespace kvstore::kvctl
