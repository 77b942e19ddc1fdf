#ifndef KVSTORE_TOOLS_KVCTL_INPUT_H_
#define KVSTORE_TOOLS_KVCTL_INPUT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "kvstore/result.h"

namespace kvstore::kvctl {

// All bytes of the file at `path`, or of standard input for "-". OK only when the end of the input
// was seen and nothing failed before it: an error of any read, a lack of memory, or a regular file
// whose size is another than it was at the beginning is unavailable, with a line for a person.
Result<std::string> ReadInput(const std::string& path);

// The same for an open descriptor, whose input `name` stands for in messages. `expected`: how many
// bytes there must be; none: as many as come.
Result<std::string> ReadDescriptor(int fd, const std::string& name,
                                   std::optional<uint64_t> expected);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_INPUT_H_
