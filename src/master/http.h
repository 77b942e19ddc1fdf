#ifndef KVSTORE_SRC_MASTER_HTTP_H_
#define KVSTORE_SRC_MASTER_HTTP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kvstore/result.h"

namespace kvstore::master {

struct HttpReply {
  int status = 200;
  std::string type;  // "application/json"
  std::string body;
};

// Answers GET and HEAD; every other method is refused. The owner of cpp-httplib. Small requests
// only, short timeouts, a few threads. Thread-safe.
class HttpServer {
 public:
  // The reply to GET `target` ("/path?name=value", as sent); called by several threads at once.
  using Handler = std::function<HttpReply(const std::string& target)>;

  // Listens on `address` (IPv4 or IPv6); port 0: any. unavailable: it can't, with the reason.
  static Result<std::unique_ptr<HttpServer>> Create(const std::string& address, uint16_t port,
                                                    Handler handler);
  // Stops listening and waits for the requests that are being answered.
  virtual ~HttpServer() = default;

  virtual uint16_t port() const = 0;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_HTTP_H_
