#ifndef KVSTORE_SRC_MASTER_SERVER_H_
#define KVSTORE_SRC_MASTER_SERVER_H_

#include <cstdint>
#include <memory>

#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "master/config.h"

namespace kvstore::master {

// A whole master in this process: catalog, gRPC, HTTP and ticker. Thread-compatible.
class Server {
 public:
  // Begins a new pool and serves it. unavailable: a port can't be had, with the reason.
  static Result<std::unique_ptr<Server>> Create(const Config& config);

  // Ends all streams with `unavailable`, gives them the config's shutdown timeout, cancels what is
  // left.
  virtual ~Server() = default;

  virtual uint16_t port() const = 0;
  virtual uint16_t metrics_port() const = 0;  // 0: none
  virtual Incarnation pool() const = 0;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SERVER_H_
