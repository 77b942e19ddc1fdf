#ifndef KVSTORE_SRC_MASTER_SERVICE_H_
#define KVSTORE_SRC_MASTER_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "kvstore/v1/kvstore.grpc.pb.h"
#include "master/metrics.h"
#include "master/stream_table.h"
#include "master/switchboard.h"

namespace kvstore::master {

// kvstore.v1.Master over gRPC's callback API, so that an item which waits holds no thread: decode,
// ask the switchboard, encode. The verbs are here, session and heartbeat in session.h. Thread-safe;
// switchboard, table and metrics outlive it and every stream.
class MasterService final : public v1::Master::CallbackService {
 public:
  MasterService(Switchboard& switchboard, StreamTable& streams, Metrics& metrics)
      : switchboard_(switchboard), streams_(streams), metrics_(metrics) {}

  grpc::ServerBidiReactor<v1::NodeMessage, v1::MasterMessage>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::Beat, v1::BeatReply>* Heartbeat(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::VerbMessage, v1::VerbReplyMessage>* Verbs(
      grpc::CallbackServerContext* context) override;

 private:
  Switchboard& switchboard_;
  StreamTable& streams_;
  Metrics& metrics_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SERVICE_H_
