#ifndef KVSTORE_SRC_MASTER_ADMIN_H_
#define KVSTORE_SRC_MASTER_ADMIN_H_

#include <grpcpp/grpcpp.h>

#include "kvstore/clock.h"
#include "kvstore/v1/admin.grpc.pb.h"
#include "master/switchboard.h"

namespace kvstore::master {

// kvstore.v1.Admin: the catalog's numbers and lists. Thread-safe; the switchboard outlives it.
class AdminService final : public v1::Admin::CallbackService {
 public:
  explicit AdminService(Switchboard& switchboard)
      : switchboard_(switchboard), began_(BootClock::now()) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusReply* reply) override;
  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesReply* reply) override;
  grpc::ServerUnaryReactor* ListSegments(grpc::CallbackServerContext* context,
                                         const v1::ListSegmentsRequest* request,
                                         v1::ListSegmentsReply* reply) override;
  grpc::ServerUnaryReactor* ListObjects(grpc::CallbackServerContext* context,
                                        const v1::ListObjectsRequest* request,
                                        v1::ListObjectsReply* reply) override;

 private:
  Switchboard& switchboard_;
  const TimePoint began_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_ADMIN_H_
