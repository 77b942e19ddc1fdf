#ifndef KVSTORE_SRC_CLIENT_ADMIN_STUB_H_
#define KVSTORE_SRC_CLIENT_ADMIN_STUB_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/result.h"
#include "kvstore/upkeep.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kvstore::client {

// The part of the master's admin service that clients offer. Every call waits for a master until
// its deadline, and to be connected no longer than `patience`: unavailable, or deadline_exceeded,
// then. Thread-safe.
class AdminStub {
 public:
  // `master` is named in messages.
  AdminStub(std::shared_ptr<grpc::Channel> channel, std::string master, Duration patience);
  ~AdminStub();

  Result<ObjectPage> List(std::string_view prefix, std::string_view after, uint32_t limit,
                          Duration timeout);
  Result<uint64_t> Start(const CopyTask& task, Duration timeout);
  Result<std::vector<TaskStat>> Tasks(Duration timeout);

 private:
  template <typename Request, typename Reply, typename Method>
  Status Ask(Method method, const Request& request, Reply* reply, Duration timeout);

  struct Service;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::string master_;
  const Duration patience_;
  const std::unique_ptr<Service> service_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_ADMIN_STUB_H_
