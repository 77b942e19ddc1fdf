#ifndef KVSTORE_TOOLS_KVCTL_COMPLETION_H_
#define KVSTORE_TOOLS_KVCTL_COMPLETION_H_

#include <string>

namespace kvstore::kvctl {

// Scripts that have a shell complete kvctl's verbs, options and values; made of the table of verbs.
std::string BashCompletion();
std::string ZshCompletion();
std::string FishCompletion();

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_COMPLETION_H_
