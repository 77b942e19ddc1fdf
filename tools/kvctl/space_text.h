#ifndef KVSTORE_TOOLS_KVCTL_SPACE_TEXT_H_
#define KVSTORE_TOOLS_KVCTL_SPACE_TEXT_H_

#include "text/json.h"
#include "tools/kvctl/pool_rows.h"

namespace kvstore::kvctl {

// The member "space_bytes" of the object that is open.
void WriteSpace(text::JsonWriter* json, const Space& space);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_SPACE_TEXT_H_
