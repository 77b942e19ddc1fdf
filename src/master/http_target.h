#ifndef KVSTORE_SRC_MASTER_HTTP_TARGET_H_
#define KVSTORE_SRC_MASTER_HTTP_TARGET_H_

#include <map>
#include <string>
#include <string_view>

#include "kvstore/result.h"

namespace kvstore::master {

// What a request line names: "/api/v1/objects?prefix=a%2Fb".
struct HttpTarget {
  std::string path;                                            // as sent
  std::map<std::string, std::string, std::less<>> parameters;  // decoded
};

// invalid_argument: a bad escape, or a parameter stands twice.
Result<HttpTarget> ParseTarget(std::string_view target);

// Any bytes, as part of a path, or ('+' is a space then) of a query. invalid_argument: a % that two
// hexadecimal digits don't follow.
Result<std::string> DecodePercent(std::string_view text, bool plus_is_space);
// All but letters, digits and -._~ as %NN, so that it is taken for itself in paths and queries.
std::string EncodePercent(std::string_view bytes);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_HTTP_TARGET_H_
