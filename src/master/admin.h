#ifndef KVSTORE_SRC_MASTER_ADMIN_H_
#define KVSTORE_SRC_MASTER_ADMIN_H_

#include <grpcpp/grpcpp.h>

#include "kvstore/clock.h"
#include "kvstore/v1/admin.grpc.pb.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// kvstore.v1.Admin: the catalog's numbers and lists, and what operators have it do. Thread-safe;
// switchboard and table outlive it.
class AdminService final : public v1::Admin::CallbackService {
 public:
  AdminService(Switchboard& switchboard, StreamTable& streams)
      : switchboard_(switchboard), streams_(streams), began_(BootClock::now()) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusReply* reply) override;
  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesReply* reply) override;
  grpc::ServerUnaryReactor* ListDeparted(grpc::CallbackServerContext* context,
                                         const v1::ListDepartedRequest* request,
                                         v1::ListDepartedReply* reply) override;
  grpc::ServerUnaryReactor* ListSegments(grpc::CallbackServerContext* context,
                                         const v1::ListSegmentsRequest* request,
                                         v1::ListSegmentsReply* reply) override;
  grpc::ServerUnaryReactor* ListObjects(grpc::CallbackServerContext* context,
                                        const v1::ListObjectsRequest* request,
                                        v1::ListObjectsReply* reply) override;
  grpc::ServerUnaryReactor* DescribeObject(grpc::CallbackServerContext* context,
                                           const v1::DescribeObjectRequest* request,
                                           v1::DescribeObjectReply* reply) override;
  grpc::ServerUnaryReactor* Evict(grpc::CallbackServerContext* context,
                                  const v1::EvictRequest* request, v1::EvictReply* reply) override;
  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context,
                                  const v1::DrainRequest* request, v1::DrainReply* reply) override;
  grpc::ServerUnaryReactor* StartTask(grpc::CallbackServerContext* context,
                                      const v1::StartTaskRequest* request,
                                      v1::StartTaskReply* reply) override;
  grpc::ServerUnaryReactor* ListTasks(grpc::CallbackServerContext* context,
                                      const v1::ListTasksRequest* request,
                                      v1::ListTasksReply* reply) override;
  grpc::ServerWriteReactor<v1::WatchReply>* Watch(grpc::CallbackServerContext* context,
                                                  const v1::WatchRequest* request) override;

 private:
  Switchboard& switchboard_;
  StreamTable& streams_;
  const TimePoint began_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_ADMIN_H_
