#ifndef KVSTORE_SRC_MASTER_REIGN_TEXT_H_
#define KVSTORE_SRC_MASTER_REIGN_TEXT_H_

#include <string>
#include <string_view>

#include "kvstore/result.h"
#include "master/catalog.h"

namespace kvstore::master {

// A reign as text, for the state file:
//
//   kvstore master state 1
//   pool 0123456789abcdef0123456789abcdef
//   term 7
//   longest_lease_us 5000000
//   member 00000000000000010000000000000001 name of the node
//   checksum 0123456789abcdef
//
// The checksum is that of all lines before it (FNV-1a, 64 bits): against torn writes and slips of
// an editor, not against forgery.
std::string ToText(const Reign& reign);

// The inverse. data_loss: it is not whole, or was changed; failed_precondition: it is no such text,
// or of another version. The message says what is wrong, not where.
Result<Reign> ParseReign(std::string_view text);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_REIGN_TEXT_H_
