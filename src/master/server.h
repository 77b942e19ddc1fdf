#ifndef KVSTORE_SRC_MASTER_SERVER_H_
#define KVSTORE_SRC_MASTER_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "kvstore/status.h"
#include "master/config.h"

namespace kvstore::master {

// A whole master in this process: state file, catalog, gRPC, HTTP and ticker. Thread-compatible.
class Server {
 public:
  // Begins the next reign of the pool that the config's state file names, or a new pool. It answers
  // nobody yet. unavailable: the file can't be written, with the reason. Other errors are
  // StateFile::Open's.
  static Result<std::unique_ptr<Server>> Prepare(const Config& config);
  // Listens and answers from now on; once. unavailable: a port can't be had, with the reason.
  virtual Status Serve() = 0;
  // Both at once.
  static Result<std::unique_ptr<Server>> Create(const Config& config);

  // Ends all streams with `unavailable`, gives them the config's shutdown timeout, cancels what is
  // left.
  virtual ~Server() = default;

  virtual uint16_t port() const = 0;
  virtual uint16_t metrics_port() const = 0;  // 0: none
  virtual Incarnation pool() const = 0;
  virtual uint64_t term() const = 0;
  virtual size_t members() const = 0;          // that the reign began with
  virtual std::string state_file() const = 0;  // empty: none, the pool ends with its master
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SERVER_H_
