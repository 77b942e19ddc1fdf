#ifndef KVSTORE_SRC_MASTER_HTTP_H_
#define KVSTORE_SRC_MASTER_HTTP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kvstore/result.h"

namespace kvstore::master {

// GET /metrics and GET /health, for Prometheus and whoever watches over the process. The owner of
// cpp-httplib. Small requests only, short timeouts, a few threads. Thread-safe.
class HttpServer {
 public:
  struct Pages {
    std::function<std::string()> metrics;  // Prometheus's text format
    std::function<std::string()> health;   // JSON
  };

  // Listens on `address` (IPv4 or IPv6); port 0: any. unavailable: it can't, with the reason.
  static Result<std::unique_ptr<HttpServer>> Create(const std::string& address, uint16_t port,
                                                    Pages pages);
  // Stops listening and waits for the requests that are being answered.
  virtual ~HttpServer() = default;

  virtual uint16_t port() const = 0;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_HTTP_H_
