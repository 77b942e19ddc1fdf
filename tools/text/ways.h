#ifndef KVSTORE_TOOLS_TEXT_WAYS_H_
#define KVSTORE_TOOLS_TEXT_WAYS_H_

#include <string_view>
#include <vector>

#include "kvstore/result.h"
#include "kvstore/transfer.h"

namespace kvstore::text {

// The ways that bytes may take: "all" (an empty list, as options have it), or some of "local",
// "shm" and "tcp" with commas between. invalid_argument: another name, one twice, or none.
Result<std::vector<transfer::Way>> ParseWays(std::string_view text);

}  // namespace kvstore::text

#endif  // KVSTORE_TOOLS_TEXT_WAYS_H_
