#ifndef KVSTORE_SRC_MASTER_HTTP_API_H_
#define KVSTORE_SRC_MASTER_HTTP_API_H_

#include <string>

#include "master/http.h"
#include "master/http_target.h"
#include "master/metrics.h"
#include "master/switchboard.h"
#include "text/json.h"
#include "thread_annotations.h"

namespace kvstore::master {

// What the master shows over HTTP, all of it read only:
//
//   /                      what there is
//   /metrics, /health      for Prometheus, and for whoever watches over the process
//   /api/v1/version        software and protocol
//   /api/v1/status         pool, term, census, counters
//   /api/v1/nodes          ?after=INCARNATION&limit=
//   /api/v1/segments       ?after=INCARNATION.INDEX&limit=
//   /api/v1/objects        ?prefix=&after=KEY&limit=
//   /api/v1/objects/KEY    one object and where it lies
//   /api/v1/tasks          ?after=ID&limit=    copies and moves
//   /get_all_segments      text: the names of the nodes that lend memory, one a line; Mooncake's
//                          path, for engines that wait for the first one
//
// Keys are percent-encoded in URLs, as any bytes; in JSON a key that is not UTF-8 is "key_base64".
// A page has `limit` (1 to 4096; 1000) lines at most and ends early beyond 1 MiB; "next", if there
// is more, is the URL of the next one. An error is {"error": {"code": "not_found", "message": ...}}
// with the status that fits. Thread-safe; switchboard and metrics outlive it.
class HttpApi {
 public:
  HttpApi(const Switchboard& switchboard, const Metrics& metrics)
      : switchboard_(switchboard), metrics_(metrics) {}

  // The reply to GET `target`.
  HttpReply Answer(const std::string& target) const;

 private:
  HttpReply Route(const HttpTarget& target) const;
  std::string Health() const;
  std::string Lenders() const;
  Result<std::string> Page(const HttpTarget& target, std::string_view name) const;
  Result<std::string> Nodes(const HttpTarget& target) const;
  Result<std::string> Segments(const HttpTarget& target) const;
  Result<std::string> Objects(const HttpTarget& target) const EXCLUDES(listing_);
  Result<std::string> Object(std::string_view encoded_key) const;
  Result<std::string> Tasks(const HttpTarget& target) const;

  const Switchboard& switchboard_;
  const Metrics& metrics_;
  // One walk over all objects at a time: each holds up the catalog.
  mutable Mutex listing_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_HTTP_API_H_
