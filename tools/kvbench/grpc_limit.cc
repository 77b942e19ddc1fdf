#include "tools/kvbench/grpc_limit.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "tools/demo/child.h"
#include "tools/kvbench/pool.h"

namespace kvstore::bench {
namespace {

constexpr const char* kUnary = "/kvbench.Limit/Unary";
constexpr const char* kStream = "/kvbench.Limit/Stream";

// `lead` stands first: how long the answer is to be.
grpc::ByteBuffer Message(uint64_t size, uint64_t lead) {
  std::string bytes(std::max(size, uint64_t{sizeof(lead)}), 'x');
  std::memcpy(bytes.data(), &lead, sizeof(lead));
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

uint64_t LeadOf(const grpc::ByteBuffer& message) {
  std::vector<grpc::Slice> slices;
  uint64_t lead = 0;
  if (message.Dump(&slices).ok() && !slices.empty() && slices[0].size() >= sizeof(lead)) {
    std::memcpy(&lead, slices[0].begin(), sizeof(lead));
  }
  return lead;
}

// One call, answered message by message.
class Answering final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Answering(bool once) : once_(once) { StartRead(&request_); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    reply_ = Message(LeadOf(request_), 0);
    if (once_) {
      StartWriteAndFinish(&reply_, grpc::WriteOptions(), grpc::Status::OK);
    } else {
      StartWrite(&reply_);
    }
  }
  void OnWriteDone(bool ok) override {
    if (once_) return;
    if (ok) {
      StartRead(&request_);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

  const bool once_;
  grpc::ByteBuffer request_, reply_;
};

class AnsweringService final : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Answering(context->method() == kUnary);
  }
};

Status Gone() { return UnavailableError("gRPC's other end has gone"); }

// Waits for so many events, of which there are no others.
Status Await(grpc::CompletionQueue* queue, int events) {
  while (events-- > 0) {
    void* tag = nullptr;
    bool ok = false;
    if (!queue->Next(&tag, &ok) || !ok) return Gone();
  }
  return Status::Ok();
}

}  // namespace

struct GrpcLimit::Works {
  std::unique_ptr<demo::Child> server;
  std::unique_ptr<grpc::GenericStub> stub;
};

GrpcLimit::GrpcLimit(std::unique_ptr<Works> works) : works_(std::move(works)) {}
GrpcLimit::~GrpcLimit() = default;

Result<std::unique_ptr<GrpcLimit>> GrpcLimit::Start(const std::string& programs) {
  auto works = std::make_unique<Works>();
  KVSTORE_ASSIGN_OR_RETURN(
      works->server,
      demo::Child::Start("gRPC's other end", {programs + "/kvbench", "worker", "grpc"}));
  const std::string text = "serving on ";
  KVSTORE_ASSIGN_OR_RETURN(const std::string line, AwaitLine(works->server.get(), text));
  works->stub = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(
      "127.0.0.1:" + line.substr(text.size()), grpc::InsecureChannelCredentials()));
  return std::unique_ptr<GrpcLimit>(new GrpcLimit(std::move(works)));
}

Result<Times> GrpcLimit::Unary(MessageSizes sizes, Duration time) {
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer request = Message(sizes.request, sizes.reply);
  return Repeat(time, [&] {
    return Time([&] {
      grpc::ClientContext context;
      grpc::ByteBuffer reply;
      grpc::Status status;
      const auto call = works_->stub->PrepareUnaryCall(&context, kUnary, request, &queue);
      call->StartCall();
      call->Finish(&reply, &status, nullptr);
      const Status waited = Await(&queue, 1);
      return status.ok() ? waited : Gone();
    });
  });
}

Result<Times> GrpcLimit::Stream(MessageSizes sizes, Duration time) {
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const grpc::ByteBuffer request = Message(sizes.request, sizes.reply);
  grpc::ByteBuffer reply;
  const auto stream = works_->stub->PrepareCall(&context, kStream, &queue);
  stream->StartCall(nullptr);
  Status begun = Await(&queue, 1);
  Result<Times> times = begun.ok() ? Repeat(time,
                                            [&] {
                                              return Time([&] {
                                                stream->Read(&reply, nullptr);
                                                stream->Write(request, nullptr);
                                                return Await(&queue, 2);
                                              });
                                            })
                                   : Result<Times>(std::move(begun));
  // What is still under way ends by this; then the queue is empty.
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) continue;
  return times;
}

int ServeGrpc() {
  AnsweringService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::fprintf(stderr, "can't serve on loopback\n");
    return 1;
  }
  std::printf("serving on %d\n", port);
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  return 0;
}

}  // namespace kvstore::bench
