#ifndef KVSTORE_SRC_MASTER_CALLS_H_
#define KVSTORE_SRC_MASTER_CALLS_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "master/poller.h"
#include "thread_annotations.h"

namespace kvstore::master {

// One call of a client, of whatever method, as gRPC has it: messages are bytes.
struct Call {
  explicit Call(Poller& the_poller) : poller(the_poller) {}

  // That the call is over, as gRPC says it once; see Stream.
  struct Over final : Poller::Operation {
    void Done(bool ok) override { told(ok); }
    std::function<void(bool ok)> told;
  };

  Poller& poller;
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter wire{&context};
  Over over;
};

// The calls that clients begin, each handed to whoever serves its method; of others they are told
// `unimplemented`. Thread-compatible.
class Calls final : private Poller::Operation {
 public:
  using Open = std::function<void(std::unique_ptr<Call> call)>;

  // Before Begin. `method` as in "/package.Service/Method".
  void Serve(const std::string& method, Open open) { methods_[method] = std::move(open); }

  void Register(grpc::ServerBuilder* builder) { builder->RegisterAsyncGenericService(&service_); }
  // The server has been started; it is shut down before the poller ends.
  void Begin(Poller* poller);

 private:
  void Done(bool ok) override;
  void AwaitNext();
  void OpenCall(std::unique_ptr<Call> call);

  grpc::AsyncGenericService service_;
  std::map<std::string, Open> methods_;
  Poller* poller_ = nullptr;
  std::unique_ptr<Call> next_;  // gRPC's until Done
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_CALLS_H_
