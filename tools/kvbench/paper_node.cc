#include "tools/kvbench/paper_node.h"

#include <grpcpp/grpcpp.h>
#include <sys/random.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "kvstore/v1/kvstore.grpc.pb.h"
#include "proto/codec.h"
#include "proto/verbs.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kSize = 64;
constexpr Duration kPatience = std::chrono::seconds(30);

Incarnation DrawIncarnation() {
  Incarnation drawn;
  while (drawn.IsNone()) {
    if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn)) drawn = {};
  }
  return drawn;
}

KeyBatch Pack(std::span<const std::string_view> keys) {
  KeyBatch batch;
  for (const std::string_view key : keys) batch.Add(key);
  return batch;
}

// What a holder says to orders that cost it nothing.
Acks Confirm(const Orders& orders, uint64_t* counter) {
  Acks acks;
  for (const Order& order : orders.orders) {
    if (const auto* note = std::get_if<NoteOrder>(&order)) {
      acks.noted.push_back({.put = note->put,
                            .segment = note->segment,
                            .birth = note->birth,
                            .kept = true,
                            .version = note->version});
    } else if (const auto* retire = std::get_if<RetireOrder>(&order)) {
      ++*counter;
      for (const RetireStage stage : {RetireStage::kWithdrawn, RetireStage::kFree}) {
        acks.retired.push_back({retire->put, retire->segment, retire->birth, stage});
      }
    } else if (const auto* prepare = std::get_if<PrepareOrder>(&order)) {
      acks.ready.push_back({prepare->segment, prepare->limit, ""});
    }
  }
  acks.term = orders.term;
  acks.counter = *counter;
  return acks;
}

// How many items of a request a reply answers; the first that did not come out well.
size_t CountAnswers(const VerbReply& reply, Status* first) {
  return std::visit(
      [&](const auto& answers) {
        for (const auto& answer : answers) {
          if (first->ok()) *first = answer.status;
        }
        return answers.size();
      },
      reply.answers);
}

Status Gone() { return UnavailableError("the master has ended a stream"); }

}  // namespace

// The node's three streams: a thread each for orders and for beats, verbs for who calls.
class PaperNode::Talk {
 public:
  Talk(const std::string& master, uint64_t lend_bytes) : lend_bytes_(lend_bytes) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::Master::NewStub(
        grpc::CreateCustomChannel(master, grpc::InsecureChannelCredentials(), arguments));
  }

  ~Talk() {
    {
      const std::lock_guard lock(mu_);
      ending_ = true;
    }
    changed_.notify_all();
    for (grpc::ClientContext* context : {&session_context_, &beat_context_, &verb_context_}) {
      context->TryCancel();
    }
    if (orders_.joinable()) orders_.join();
    if (beats_.joinable()) beats_.join();
  }

  Status Begin() {
    KVSTORE_RETURN_IF_ERROR(Greet());
    orders_ = std::thread([this] { FollowOrders(); });
    beats_ = std::thread([this] { SendBeats(); });
    verbs_ = stub_->Verbs(&verb_context_);
    v1::VerbMessage hello;
    Encode(VerbHello{.self = self_, .term = welcome_.term}, hello.mutable_hello());
    return verbs_->Write(hello) ? Status::Ok() : Gone();
  }

  // Sends it and takes replies until each of so many items is answered.
  template <typename Verb>
  Status Ask(Verb verb, size_t items) {
    VerbRequest request{.id = ++last_id_, .patience = kPatience, .verb = std::move(verb)};
    v1::VerbMessage message;
    Encode(request, message.mutable_request());
    if (!verbs_->Write(message)) return Gone();
    Status first;
    v1::VerbReplyMessage reply;
    for (size_t answered = 0; answered < items;) {
      if (!verbs_->Read(&reply)) return Gone();
      KVSTORE_ASSIGN_OR_RETURN(const VerbReply decoded, Decode(reply));
      if (decoded.id == request.id) answered += CountAnswers(decoded, &first);
    }
    return first;
  }

  uint64_t NewSequence() { return ++last_sequence_; }

 private:
  Status Greet() {
    session_ = stub_->Session(&session_context_);
    Hello hello;
    hello.software = KVSTORE_VERSION;
    hello.self = {self_, "paper", "", ""};
    hello.counter = counter_;
    hello.segments = {Segment()};
    v1::NodeMessage message;
    Encode(hello, message.mutable_hello());
    v1::MasterMessage answer;
    if (!session_->Write(message) || !session_->Read(&answer) || !answer.has_welcome()) {
      return UnavailableError("the master did not welcome a node");
    }
    KVSTORE_ASSIGN_OR_RETURN(welcome_, Decode(answer.welcome()));
    if (!welcome_.wants_report) return Status::Ok();
    Report report;
    report.term = welcome_.term;
    report.counter = counter_;
    report.segments = {Segment()};
    report.last = true;
    Encode(report, message.mutable_report());
    return session_->Write(message) ? Status::Ok() : Gone();
  }

  LentSegment Segment() const {
    return {.index = 1, .size = lend_bytes_, .granule = kDefaultGranule, .ready = lend_bytes_};
  }

  void FollowOrders() {
    v1::MasterMessage message;
    while (session_->Read(&message)) {
      const Result<Orders> orders = Decode(message.orders());
      if (!orders.ok()) break;
      v1::NodeMessage answer;
      Encode(Confirm(*orders, &counter_), answer.mutable_acks());
      if (!session_->Write(answer)) break;
    }
  }

  void SendBeats() {
    const auto stream = stub_->Heartbeat(&beat_context_);
    v1::Beat beat;
    Encode(Beat{self_, welcome_.term}, &beat);
    v1::BeatReply reply;
    std::unique_lock lock(mu_);
    while (!ending_) {
      lock.unlock();
      if (!stream->Write(beat) || !stream->Read(&reply)) return;
      lock.lock();
      changed_.wait_for(lock, welcome_.heartbeat_interval, [this] { return ending_; });
    }
  }

  const uint64_t lend_bytes_;
  const Incarnation self_ = DrawIncarnation();
  std::unique_ptr<v1::Master::Stub> stub_;
  grpc::ClientContext session_context_, beat_context_, verb_context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::NodeMessage, v1::MasterMessage>> session_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::VerbMessage, v1::VerbReplyMessage>> verbs_;
  Welcome welcome_;
  uint64_t counter_ = 0;  // the thread's for orders once that runs
  uint64_t last_id_ = 0;
  uint64_t last_sequence_ = 0;
  std::mutex mu_;
  std::condition_variable changed_;
  bool ending_ = false;  // guarded by mu_
  std::thread orders_, beats_;
};

PaperNode::PaperNode(std::unique_ptr<Talk> talk) : talk_(std::move(talk)) {}
PaperNode::~PaperNode() = default;

Result<std::unique_ptr<PaperNode>> PaperNode::Join(const std::string& master, uint64_t lend_bytes) {
  auto talk = std::make_unique<Talk>(master, lend_bytes);
  KVSTORE_RETURN_IF_ERROR(talk->Begin());
  return std::unique_ptr<PaperNode>(new PaperNode(std::move(talk)));
}

Status PaperNode::Put(std::span<const std::string_view> keys) {
  StartPut start;
  CommitPut commit;
  start.keys = Pack(keys);
  for (size_t i = 0; i < keys.size(); ++i) {
    start.sequences.push_back(talk_->NewSequence());
    start.sizes.push_back(kSize);
  }
  commit.sequences = start.sequences;
  commit.checksums.assign(keys.size(), 0);
  KVSTORE_RETURN_IF_ERROR(talk_->Ask(std::move(start), keys.size()));
  return talk_->Ask(std::move(commit), keys.size());
}

Status PaperNode::Exists(std::span<const std::string_view> keys) {
  return talk_->Ask(kvstore::Exists{Pack(keys)}, keys.size());
}

Status PaperNode::Remove(std::span<const std::string_view> keys) {
  return talk_->Ask(kvstore::Remove{Pack(keys)}, keys.size());
}

}  // namespace kvstore::bench
