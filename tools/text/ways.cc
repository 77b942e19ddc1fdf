#include "tools/text/ways.h"

#include <algorithm>
#include <string>

namespace kvstore::text {
namespace {

using transfer::Way;

Result<Way> ParseWay(std::string_view name) {
  for (const Way way : {Way::kLocal, Way::kShm, Way::kTcp, Way::kRdma}) {
    if (name == transfer::WayName(way)) return way;
  }
  return InvalidArgumentError("'" + std::string(name) +
                              "' is no way: write all, or some of local, shm, rdma and tcp with "
                              "commas");
}

}  // namespace

Result<std::vector<Way>> ParseWays(std::string_view text) {
  std::vector<Way> ways;
  if (text == "all") return ways;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    KVSTORE_ASSIGN_OR_RETURN(const Way way, ParseWay(text.substr(0, comma)));
    if (std::find(ways.begin(), ways.end(), way) != ways.end()) {
      return InvalidArgumentError("'" + std::string(transfer::WayName(way)) + "' stands twice");
    }
    ways.push_back(way);
    if (more) text.remove_prefix(comma + 1);
  }
  return ways;
}

}  // namespace kvstore::text
