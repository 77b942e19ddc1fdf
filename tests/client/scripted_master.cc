#include "client/scripted_master.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>

#include "kvstore/v1/kvstore.grpc.pb.h"
#include "proto/codec.h"
#include "thread_annotations.h"

namespace kvstore::client {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);

grpc::Status ToGrpc(const Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message()};
}

}  // namespace

class ScriptedMaster::Service final : public v1::Master::Service {
 public:
  using SessionStream = grpc::ServerReaderWriter<v1::MasterMessage, v1::NodeMessage>;
  using BeatStream = grpc::ServerReaderWriter<v1::BeatReply, v1::Beat>;
  using VerbReplies = grpc::ServerReaderWriter<v1::VerbReplyMessage, v1::VerbMessage>;

  grpc::Status Session(grpc::ServerContext* context, SessionStream* stream) override {
    v1::NodeMessage message;
    if (!stream->Read(&message)) return grpc::Status::OK;
    const Hello hello = *Decode(message.hello());
    std::function<Result<Welcome>(const Hello&)> answer;
    {
      MutexLock lock(mu_);
      hellos_.push_back(hello);
      answer = on_hello_;
      changed_.NotifyAll();
    }
    const Result<Welcome> welcome = answer(hello);
    if (!welcome.ok()) return ToGrpc(welcome.status());
    Begin(&sessions_, context);  // before anybody can know of it
    v1::MasterMessage reply;
    Encode(*welcome, reply.mutable_welcome());
    stream->Write(reply);
    {
      MutexLock lock(mu_);
      session_ = stream;
      changed_.NotifyAll();
    }
    while (stream->Read(&message)) Take(message);
    Hang(context);
    {
      MutexLock lock(mu_);
      if (session_ == stream) session_ = nullptr;
    }
    End(&sessions_, context);
    return grpc::Status::OK;
  }

  grpc::Status Heartbeat(grpc::ServerContext*, BeatStream* stream) override {
    v1::Beat beat;
    while (stream->Read(&beat)) {
      v1::BeatReply reply;
      {
        MutexLock lock(mu_);
        beats_.push_back(Decode(beat).self);
        Encode(BeatReply{beat.term(), unknown_}, &reply);
        changed_.NotifyAll();
      }
      stream->Write(reply);
    }
    return grpc::Status::OK;
  }

  grpc::Status Verbs(grpc::ServerContext* context, VerbReplies* stream) override {
    Begin(&verbs_, context);
    v1::VerbMessage message;
    while (!Stalled(context) && stream->Read(&message)) {
      MutexLock lock(mu_);
      if (message.has_hello()) {
        verb_hellos_.push_back(Decode(message.hello()).self);
      } else {
        requests_.push_back(*Decode(std::move(*message.mutable_request())));
        if (const std::optional<VerbReply> reply = on_request_(requests_.back())) {
          v1::VerbReplyMessage encoded;
          Encode(*reply, 1, &encoded);
          stream->Write(encoded);
        }
      }
      changed_.NotifyAll();
    }
    End(&verbs_, context);
    return grpc::Status::OK;
  }

  // Waits until `list` has `count` entries; fills it up with empty ones when they don't come.
  template <typename T>
  std::vector<T> WaitFor(std::vector<T> Service::*list, size_t count) {
    const TimePoint until = BootClock::now() + kPatience;
    MutexLock lock(mu_);
    while ((this->*list).size() < count && BootClock::now() < until) {
      changed_.WaitUntil(mu_, until);
    }
    EXPECT_GE((this->*list).size(), count);
    std::vector<T> found = this->*list;
    found.resize(std::max(found.size(), count));
    return found;
  }

  void Send(const Orders& orders) {
    v1::MasterMessage message;
    Encode(orders, message.mutable_orders());
    const TimePoint until = BootClock::now() + kPatience;
    MutexLock lock(mu_);
    while (session_ == nullptr && BootClock::now() < until) changed_.WaitUntil(mu_, until);
    ASSERT_NE(session_, nullptr);
    session_->Write(message);
  }

  void Cancel(std::set<grpc::ServerContext*> Service::*which) {
    MutexLock lock(mu_);
    for (grpc::ServerContext* context : this->*which) context->TryCancel();
  }

  Mutex mu_;
  CondVar changed_;
  std::function<Result<Welcome>(const Hello&)> on_hello_ GUARDED_BY(mu_) =
      [](const Hello&) -> Result<Welcome> { return Greeting(); };
  std::function<std::optional<VerbReply>(const VerbRequest&)> on_request_ GUARDED_BY(mu_) =
      [](const VerbRequest&) { return std::nullopt; };
  bool unknown_ GUARDED_BY(mu_) = false;
  bool stalled_ GUARDED_BY(mu_) = false;
  bool hangs_ GUARDED_BY(mu_) = false;
  bool goodbye_ GUARDED_BY(mu_) = false;
  uint64_t counter_ GUARDED_BY(mu_) = 0;
  SessionStream* session_ GUARDED_BY(mu_) = nullptr;

  // Each only grows; read under mu_ by WaitFor.
  std::vector<Hello> hellos_;
  std::vector<RetireAck> retired_;
  std::vector<ReadyAck> ready_;
  std::vector<NoteAck> noted_;
  std::vector<Report> reports_;
  std::vector<Incarnation> beats_;
  std::vector<Incarnation> verb_hellos_;
  std::vector<VerbRequest> requests_;
  std::set<grpc::ServerContext*> sessions_;
  std::set<grpc::ServerContext*> verbs_;

 private:
  void Take(const v1::NodeMessage& message) {
    MutexLock lock(mu_);
    if (message.has_goodbye()) {
      goodbye_ = true;
    } else if (message.has_report()) {
      reports_.push_back(*Decode(message.report()));
    } else {
      const Acks acks = *Decode(message.acks());
      counter_ = acks.counter;
      retired_.insert(retired_.end(), acks.retired.begin(), acks.retired.end());
      ready_.insert(ready_.end(), acks.ready.begin(), acks.ready.end());
      noted_.insert(noted_.end(), acks.noted.begin(), acks.noted.end());
    }
    changed_.NotifyAll();
  }

  void Hang(grpc::ServerContext* context) {
    MutexLock lock(mu_);
    while (hangs_ && !context->IsCancelled()) {
      changed_.WaitUntil(mu_, BootClock::now() + std::chrono::milliseconds(10));
    }
  }

  // While verbs are not to be read: until the stream is over.
  bool Stalled(grpc::ServerContext* context) {
    MutexLock lock(mu_);
    while (stalled_ && !context->IsCancelled()) {
      changed_.WaitUntil(mu_, BootClock::now() + std::chrono::milliseconds(10));
    }
    return stalled_;
  }

  void Begin(std::set<grpc::ServerContext*>* streams, grpc::ServerContext* context) {
    MutexLock lock(mu_);
    streams->insert(context);
  }
  void End(std::set<grpc::ServerContext*>* streams, grpc::ServerContext* context) {
    MutexLock lock(mu_);
    streams->erase(context);
  }
};

struct ScriptedMaster::Server {
  Service service;
  std::unique_ptr<grpc::Server> grpc;
  std::string address;
};

ScriptedMaster::ScriptedMaster() : server_(std::make_unique<Server>()) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&server_->service);
  server_->grpc = builder.BuildAndStart();
  server_->address = "127.0.0.1:" + std::to_string(port);
}

ScriptedMaster::~ScriptedMaster() {
  server_->grpc->Shutdown(std::chrono::system_clock::now());
  server_->grpc->Wait();
}

const std::string& ScriptedMaster::address() const { return server_->address; }

Welcome ScriptedMaster::Greeting() {
  Welcome welcome;
  welcome.software = "scripted";
  welcome.pool = {1, 1};
  welcome.term = 1;
  welcome.heartbeat_interval = std::chrono::milliseconds(10);
  welcome.suspect_after = std::chrono::seconds(1);
  return welcome;
}

void ScriptedMaster::OnHello(std::function<Result<Welcome>(const Hello&)> answer) {
  MutexLock lock(server_->service.mu_);
  server_->service.on_hello_ = std::move(answer);
}

void ScriptedMaster::AnswerBeats(bool unknown) {
  MutexLock lock(server_->service.mu_);
  server_->service.unknown_ = unknown;
}

void ScriptedMaster::OnRequest(std::function<std::optional<VerbReply>(const VerbRequest&)> answer) {
  MutexLock lock(server_->service.mu_);
  server_->service.on_request_ = std::move(answer);
}

void ScriptedMaster::StopReadingVerbs() {
  MutexLock lock(server_->service.mu_);
  server_->service.stalled_ = true;
}

void ScriptedMaster::HangOnGoodbye() {
  MutexLock lock(server_->service.mu_);
  server_->service.hangs_ = true;
}

void ScriptedMaster::Send(const Orders& orders) { server_->service.Send(orders); }
void ScriptedMaster::EndSessions() { server_->service.Cancel(&Service::sessions_); }
void ScriptedMaster::EndVerbs() { server_->service.Cancel(&Service::verbs_); }

std::vector<Hello> ScriptedMaster::WaitForHellos(size_t count) {
  return server_->service.WaitFor(&Service::hellos_, count);
}
std::vector<RetireAck> ScriptedMaster::WaitForRetireAcks(size_t count) {
  return server_->service.WaitFor(&Service::retired_, count);
}
std::vector<ReadyAck> ScriptedMaster::WaitForReadyAcks(size_t count) {
  return server_->service.WaitFor(&Service::ready_, count);
}
std::vector<NoteAck> ScriptedMaster::WaitForNoteAcks(size_t count) {
  return server_->service.WaitFor(&Service::noted_, count);
}
std::vector<Report> ScriptedMaster::WaitForReports(size_t count) {
  return server_->service.WaitFor(&Service::reports_, count);
}
std::vector<Incarnation> ScriptedMaster::WaitForVerbHellos(size_t count) {
  return server_->service.WaitFor(&Service::verb_hellos_, count);
}
std::vector<Incarnation> ScriptedMaster::WaitForBeats(size_t count) {
  return server_->service.WaitFor(&Service::beats_, count);
}
std::vector<VerbRequest> ScriptedMaster::WaitForRequests(size_t count) {
  return server_->service.WaitFor(&Service::requests_, count);
}

bool ScriptedMaster::WaitForGoodbye() {
  Service& service = server_->service;
  const TimePoint until = BootClock::now() + kPatience;
  MutexLock lock(service.mu_);
  while (!service.goodbye_ && BootClock::now() < until) {
    service.changed_.WaitUntil(service.mu_, until);
  }
  return service.goodbye_;
}

uint64_t ScriptedMaster::last_counter() {
  MutexLock lock(server_->service.mu_);
  return server_->service.counter_;
}

}  // namespace kvstore::client
