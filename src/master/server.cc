#include "master/server.h"

#include <glog/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <sys/random.h>

#include <string>
#include <utility>

#include "descriptor_limit.h"
#include "master/acceptor.h"
#include "master/admin.h"
#include "master/calls.h"
#include "master/http.h"
#include "master/http_api.h"
#include "master/metrics.h"
#include "master/poller.h"
#include "master/service.h"
#include "master/state_file.h"
#include "master/switchboard.h"
#include "master/ticker.h"
#include "master/tool_services.h"

namespace kvstore::master {
namespace {

constexpr Duration kTickInterval = std::chrono::milliseconds(20);
// A twentieth of the time after which an unconfirmed note holds up its holder's next puts.
constexpr Duration kGather = std::chrono::milliseconds(5);
constexpr int kStreamsPerConnection = 128;
// Of gRPC, the ports, and some to spare.
constexpr size_t kDescriptorsToBegin = 16;

EventLog::Options LogOptions(const Config& config) {
  return {config.log_format == "json" ? LogFormat::kJson : LogFormat::kText, config.log_objects};
}

Incarnation RandomIncarnation() {
  Incarnation drawn;
  CHECK_EQ(getrandom(&drawn, sizeof(drawn), 0), static_cast<ssize_t>(sizeof(drawn)));
  return drawn;
}

// gRPC's own log is for its authors; what operators need is in ours.
void ForwardLog(gpr_log_func_args* line) { VLOG(1) << "gRPC: " << line->message; }

void SetOptions(const Config& config, grpc::ServerBuilder* builder) {
  grpc::ResourceQuota quota("kvstore_master");
  quota.SetMaxThreads(static_cast<int>(config.max_threads));
  builder->SetResourceQuota(quota);
  builder->SetMaxReceiveMessageSize(static_cast<int>(kMaxMessageBytes));
  builder->SetMaxSendMessageSize(-1);  // replies of verbs are cut to fit, see CutToMessages
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  // A peer that died without a word is noticed after 15 s even where no heartbeat misses it.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Clients may ping once a second; gRPC's default, every 5 minutes, answers that by hanging up.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 900);
  // A connection that does not get as far as HTTP/2.
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000);
}

class GrpcServer final : public Server {
 public:
  // `state`: null, the pool ends with this object.
  GrpcServer(const Config& config, std::unique_ptr<StateFile> state, const Reign& reign)
      : config_(config),
        state_(std::move(state)),
        members_began_with_(reign.members.size()),
        streams_({.hello_within = config.hello_timeout}),
        switchboard_(config.limits, reign, Clock::Boot(),
                     state_ ? static_cast<Members&>(*state_) : unkept_, LogOptions(config),
                     kGather) {
    ServeMaster(switchboard_, streams_, metrics_, &calls_);
    ServeAdmin(switchboard_, streams_, &calls_);
    ServeTools(streams_, &calls_);
  }

  Status Serve() override {
    gpr_set_log_function(ForwardLog);
    KVSTORE_RETURN_IF_ERROR(CheckDescriptors(kDescriptorsToBegin));
    KVSTORE_ASSIGN_OR_RETURN(acceptor_, Acceptor::Listen(config_.listen, config_.port));
    grpc::ServerBuilder builder;
    SetOptions(config_, &builder);
    connections_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
    calls_.Register(&builder);
    auto queue = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return InternalError("gRPC can't serve with these options");
    poller_.emplace(std::move(queue), config_.max_threads);
    calls_.Begin(&*poller_);
    if (config_.metrics_port != 0) {
      KVSTORE_ASSIGN_OR_RETURN(http_, HttpServer::Create(config_.listen, config_.metrics_port,
                                                         [this](const std::string& target) {
                                                           return http_api_.Answer(target);
                                                         }));
    }
    ticker_.emplace(kTickInterval, [this] {
      switchboard_.Tick();
      streams_.EndSilent(BootClock::now());
    });
    acceptor_->Start(
        [this](int descriptor) {
          grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
          connection.fd = descriptor;
          connections_->HandleNewConnection(&connection);
        },
        [this] { metrics_.ConnectionRefused(); });
    port_ = acceptor_->port();
    return Status::Ok();
  }

  ~GrpcServer() override {
    http_.reset();
    acceptor_.reset();
    if (server_ == nullptr) return;
    switchboard_.SendGathered();
    // Clients that take nothing have half of the time, so that there is some to end the others.
    const auto half =
        std::chrono::duration_cast<std::chrono::milliseconds>(config_.shutdown_timeout / 2);
    streams_.Close(UnavailableError("the master is shutting down"), BootClock::now() + half);
    server_->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                   gpr_time_from_millis(half.count(), GPR_TIMESPAN)));
    server_->Wait();
    poller_.reset();
    if (state_) state_->Close();    // no more calls of the switchboard
    CHECK_EQ(streams_.size(), 0U);  // gRPC has let go of every stream
    if (ticker_) {
      LOG(INFO) << "ended with " << switchboard_.TakeCensus().objects << " objects in the pool";
    }
  }

  uint16_t port() const override { return port_; }
  uint16_t metrics_port() const override { return http_ == nullptr ? 0 : http_->port(); }
  Incarnation pool() const override { return switchboard_.pool(); }
  uint64_t term() const override { return switchboard_.term(); }
  size_t members() const override { return members_began_with_; }
  std::string state_file() const override { return state_ ? state_->path() : ""; }

 private:
  const Config config_;
  const std::unique_ptr<StateFile> state_;
  UnkeptMembers unkept_;
  const size_t members_began_with_;
  Metrics metrics_;
  StreamTable streams_;
  Switchboard switchboard_;
  Calls calls_;
  HttpApi http_api_{switchboard_, metrics_};
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<Poller> poller_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<HttpServer> http_;
  std::optional<Ticker> ticker_;
  uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::Prepare(const Config& config) {
  std::unique_ptr<StateFile> state;
  Reign reign{RandomIncarnation(), 1, {}, {}};
  KVSTORE_ASSIGN_OR_RETURN(const std::string path, StatePath(config));
  if (!path.empty()) {
    KVSTORE_ASSIGN_OR_RETURN(state, StateFile::Open(path));
    KVSTORE_ASSIGN_OR_RETURN(reign, state->Begin(reign.pool, config.limits.lease));
  }
  return std::unique_ptr<Server>(std::make_unique<GrpcServer>(config, std::move(state), reign));
}

Result<std::unique_ptr<Server>> Server::Create(const Config& config) {
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Prepare(config));
  KVSTORE_RETURN_IF_ERROR(server->Serve());
  return server;
}

}  // namespace kvstore::master
