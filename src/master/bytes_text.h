#ifndef KVSTORE_SRC_MASTER_BYTES_TEXT_H_
#define KVSTORE_SRC_MASTER_BYTES_TEXT_H_

#include <cstdint>
#include <string>

namespace kvstore::master {

// "8.0 MiB".
std::string BytesText(uint64_t bytes);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_BYTES_TEXT_H_
