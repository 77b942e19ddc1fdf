#ifndef KVSTORE_SRC_CAPI_HANDLES_H_
#define KVSTORE_SRC_CAPI_HANDLES_H_

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capi/guard.h"
#include "kvstore/client.h"
#include "kvstore/kvclient.h"

// A client, and how many sessions, views and new objects of it live. Thread-safe.
struct kvclient {
  explicit kvclient(std::unique_ptr<kvstore::Client> made)
      : client(std::move(made)), rdma_devices(client->lending().reach.rdma_devices) {}

  // OK in the process that connected; in a forked child failed_precondition.
  kvstore::Status CheckProcess() const;
  bool InChild() const { return getpid() != maker; }

  const pid_t maker = getpid();
  std::unique_ptr<kvstore::Client> client;
  const std::vector<std::string> rdma_devices;
  std::atomic<uint64_t> dependents{0};
};

namespace kvstore::capi {

// CheckGiven and CheckProcess.
Status CheckClient(const kvclient* client);

// Keeps its client from being closed, as a member of a handle that must be freed before. Declared
// first in it, so that it goes last.
class Dependent {
 public:
  explicit Dependent(kvclient& client) : client_(client) { ++client_.dependents; }
  ~Dependent() { --client_.dependents; }
  Dependent(const Dependent&) = delete;
  Dependent& operator=(const Dependent&) = delete;

  const kvclient& client() const { return client_; }

 private:
  kvclient& client_;
};

// CheckGiven and, of its client, CheckProcess.
template <typename Handle>
Status CheckDependent(const Handle* handle, const char* name) {
  KVSTORE_RETURN_IF_ERROR(CheckGiven(handle, name));
  return handle->dependent.client().CheckProcess();
}

// Ends a handle with a `dependent`. In a child its memory and threads are not there: it is left.
template <typename Handle>
void FreeDependent(Handle* handle) {
  if (handle == nullptr || handle->dependent.client().InChild()) return;
  delete handle;
}

}  // namespace kvstore::capi

#endif  // KVSTORE_SRC_CAPI_HANDLES_H_
