#ifndef KVSTORE_SRC_MASTER_HTTP_JSON_H_
#define KVSTORE_SRC_MASTER_HTTP_JSON_H_

#include "master/snapshot.h"
#include "text/json.h"

namespace kvstore::master {

// The catalog's lines as members of JSON objects, by the names that kvctl gives them. Times are
// whole milliseconds, and names that end in no unit are numbers or bytes as said in catalog.h.

// "space": {"size_bytes": ...}
void AddSpace(const Space& space, text::JsonWriter* json);
// The members of a status: pool, term, census and counters.
void AddStatus(const Snapshot& snapshot, text::JsonWriter* json);
// One object each.
void AddLine(const NodeLine& line, text::JsonWriter* json);
void AddLine(const SegmentLine& line, text::JsonWriter* json);
void AddLine(const ObjectLine& line, text::JsonWriter* json);
void AddLine(const TaskLine& line, text::JsonWriter* json);
void AddDetail(const ObjectDetail& detail, text::JsonWriter* json);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_HTTP_JSON_H_
