#include "kvstore/client.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <new>
#include <utility>

#include "client/client_options.h"
#include "client/fork_guard.h"
#include "client/get.h"
#include "client/item_checks.h"
#include "client/master_stub.h"
#include "client/parts.h"
#include "client/put.h"
#include "client/segment_host.h"
#include "client/session.h"
#include "client/verb_stream.h"
#include "thread_annotations.h"

namespace kvstore {
namespace client {
namespace {

// For leaving the pool; the rest of the destructor's 5 s is the engine's.
constexpr Duration kLeaveTime = std::chrono::milliseconds(3500);

KeyBatch Pack(std::span<const std::string_view> keys) {
  KeyBatch batch;
  for (const std::string_view key : keys) batch.Add(key);
  return batch;
}

std::vector<Status> StatusesOf(std::vector<ItemAnswer> answers) {
  std::vector<Status> statuses;
  statuses.reserve(answers.size());
  for (ItemAnswer& answer : answers) statuses.push_back(std::move(answer.status));
  return statuses;
}

Result<bool> FoundOrNot(const Status& status) {
  if (status.ok()) return true;
  if (status.code() == StatusCode::kNotFound) return false;
  return status;
}

// Counted over all calls of one client.
struct Tally {
  std::atomic<uint64_t> puts_ok{0}, puts_failed{0};
  std::atomic<uint64_t> gets_ok{0}, gets_missed{0}, gets_failed{0};
  std::atomic<uint64_t> reads_refused{0}, checksum_mismatches{0};
};

// What a member is made of, each part outliving those below it.
struct Works {
  std::unique_ptr<transfer::Engine> engine;
  std::unique_ptr<SegmentHost> host;
  std::unique_ptr<VerbStream> verbs;
  std::unique_ptr<MasterStub> master;
  std::unique_ptr<Session> session;
};

class Member final : public Client {
 public:
  static Result<std::unique_ptr<Client>> Join(const ClientOptions& options);
  ~Member() override;

  std::vector<Status> Put(std::span<const PutItem> items, const PutOptions& options) override;
  std::vector<GetResult> Get(std::span<const GetItem> items, Duration timeout) override;
  std::vector<Result<bool>> Exists(std::span<const std::string_view> keys,
                                   Duration timeout) override;
  std::vector<Status> WaitExists(std::span<const std::string_view> keys, Duration timeout) override;
  std::vector<Status> Remove(std::span<const std::string_view> keys, Duration timeout) override;
  std::vector<Result<ObjectStat>> Stat(std::span<const std::string_view> keys,
                                       Duration timeout) override;

  Result<std::unique_ptr<ReadSession>> OpenReadSession(std::span<const std::string_view> keys,
                                                       Duration timeout) override;
  std::vector<Result<std::unique_ptr<ObjectView>>> View(std::span<const std::string_view> keys,
                                                        Duration timeout) override;
  std::vector<Result<std::unique_ptr<NewObject>>> Create(std::span<const CreateItem> items,
                                                         const PutOptions& options) override;

  Status RegisterMemory(void* base, uint64_t size, MemoryKind kind, int device) override
      EXCLUDES(mu_);
  Status UnregisterMemory(void* base) override EXCLUDES(mu_);

  Incarnation incarnation() const override;
  const std::string& name() const override { return name_; }
  ClientCounters counters() const override;
  transfer::WayCounters counters(transfer::Way way) const override;
  Lending lending() const override;

 private:
  Member(std::string name, std::string host, bool verify_checksums)
      : name_(std::move(name)), host_(std::move(host)), verify_checksums_(verify_checksums) {}

  Parts PartsNow() const;
  Status CheckCall(Duration timeout) const;
  ObjectStat Describe(const StatAnswer& answer) const;

  const ForkGuard fork_guard_;
  const std::string name_;
  const std::string host_;
  const bool verify_checksums_;
  std::unique_ptr<Works> works_;  // set by Join, whole
  Tally tally_;

  Mutex mu_;
  std::map<void*, transfer::RegionId> registered_ GUARDED_BY(mu_);  // by RegisterMemory
};

Result<std::unique_ptr<Client>> Member::Join(const ClientOptions& options) {
  const TimePoint until = After(BootClock::now(), options.connect_timeout);
  std::unique_ptr<Member> member(
      new Member(NodeName(options), HostIdentity(), options.verify_checksums));
  auto works = std::make_unique<Works>();

  transfer::EngineOptions engine_options;
  engine_options.host = member->host_;
  engine_options.tcp_listen = options.listen;
  engine_options.tcp_advertise = options.advertise;
  engine_options.ways = options.ways;
  KVSTORE_ASSIGN_OR_RETURN(works->engine, transfer::Engine::Create(engine_options));
  KVSTORE_ASSIGN_OR_RETURN(works->host, SegmentHost::Create(*works->engine, options.lend_bytes));

  const std::shared_ptr<grpc::Channel> channel = OpenMasterChannel(options.master);
  works->verbs = std::make_unique<VerbStream>(channel, options.master);
  works->master = std::make_unique<MasterStub>(*works->verbs);
  works->session = std::make_unique<Session>(
      channel, SessionOptions{options.master, member->name_, member->host_}, *works->engine,
      *works->host, *works->verbs);
  KVSTORE_RETURN_IF_ERROR(works->session->WaitJoined(until));
  member->works_ = std::move(works);
  return std::unique_ptr<Client>(std::move(member));
}

Member::~Member() {
  if (fork_guard_.InChild()) {
    (void)works_.release();  // its threads are not here, its sockets are the parent's
    return;
  }
  if (works_ != nullptr) works_->session->Close(BootClock::now() + kLeaveTime);
}

Parts Member::PartsNow() const {
  return Parts{*works_->master, *works_->engine, Clock::Boot(),
               Peer{works_->engine->incarnation(), name_, host_, ""}};
}

Status Member::CheckCall(Duration timeout) const {
  KVSTORE_RETURN_IF_ERROR(fork_guard_.Check());
  return CheckTimeout(timeout);
}

std::vector<Status> Member::Put(std::span<const PutItem> items, const PutOptions& options) {
  Status call = fork_guard_.Check();
  if (call.ok()) call = CheckPutOptions(options);
  std::vector<Status> statuses = AnswerEach<Status>(
      call, items,
      [&](std::span<const PutItem> good) { return PutObjects(PartsNow(), good, options); });
  const auto ok = static_cast<uint64_t>(
      std::count_if(statuses.begin(), statuses.end(), [](const Status& s) { return s.ok(); }));
  tally_.puts_ok += ok;
  tally_.puts_failed += statuses.size() - ok;
  return statuses;
}

std::vector<GetResult> Member::Get(std::span<const GetItem> items, Duration timeout) {
  GetCounters counted;
  std::vector<GetResult> results =
      AnswerEach<GetResult>(CheckCall(timeout), items, [&](std::span<const GetItem> good) {
        return GetObjects(PartsNow(), good, timeout, ReadGuards{verify_checksums_}, &counted);
      });
  for (const GetResult& result : results) {
    if (result.status.ok()) {
      ++tally_.gets_ok;
    } else if (result.status.code() == StatusCode::kNotFound) {
      ++tally_.gets_missed;
    } else {
      ++tally_.gets_failed;
    }
  }
  tally_.reads_refused += counted.refused;
  tally_.checksum_mismatches += counted.checksum_mismatches;
  return results;
}

std::vector<Result<bool>> Member::Exists(std::span<const std::string_view> keys, Duration timeout) {
  return AnswerEach<Result<bool>>(
      CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
        std::vector<Result<bool>> found;
        found.reserve(good.size());
        const TimePoint deadline = After(BootClock::now(), timeout);
        for (const ItemAnswer& answer :
             works_->master->Ask(kvstore::Exists{Pack(good)}, deadline)) {
          found.push_back(FoundOrNot(answer.status));
        }
        return found;
      });
}

std::vector<Status> Member::WaitExists(std::span<const std::string_view> keys, Duration timeout) {
  return AnswerEach<Status>(CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
    const TimePoint deadline = After(BootClock::now(), timeout);
    return StatusesOf(works_->master->Await(kvstore::WaitExists{Pack(good)}, deadline));
  });
}

std::vector<Status> Member::Remove(std::span<const std::string_view> keys, Duration timeout) {
  return AnswerEach<Status>(CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
    const TimePoint deadline = After(BootClock::now(), timeout);
    return StatusesOf(works_->master->Drop(kvstore::Remove{Pack(good)}, deadline));
  });
}

std::vector<Result<ObjectStat>> Member::Stat(std::span<const std::string_view> keys,
                                             Duration timeout) {
  return AnswerEach<Result<ObjectStat>>(
      CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
        std::vector<Result<ObjectStat>> stats;
        stats.reserve(good.size());
        const TimePoint deadline = After(BootClock::now(), timeout);
        for (const StatAnswer& answer :
             works_->master->Describe(StatObject{Pack(good)}, deadline)) {
          if (answer.status.ok()) {
            stats.emplace_back(Describe(answer));
          } else {
            stats.emplace_back(answer.status);
          }
        }
        return stats;
      });
}

Result<std::unique_ptr<ReadSession>> Member::OpenReadSession(std::span<const std::string_view>,
                                                             Duration) {
  return UnimplementedError("read sessions");
}

std::vector<Result<std::unique_ptr<ObjectView>>> Member::View(
    std::span<const std::string_view> keys, Duration) {
  std::vector<Result<std::unique_ptr<ObjectView>>> views;
  for (size_t i = 0; i < keys.size(); ++i) views.emplace_back(UnimplementedError("views"));
  return views;
}

std::vector<Result<std::unique_ptr<NewObject>>> Member::Create(std::span<const CreateItem> items,
                                                               const PutOptions&) {
  std::vector<Result<std::unique_ptr<NewObject>>> created;
  for (size_t i = 0; i < items.size(); ++i) created.emplace_back(UnimplementedError("Create"));
  return created;
}

ObjectStat Member::Describe(const StatAnswer& answer) const {
  ObjectStat stat;
  stat.size = answer.size;
  stat.checksum = answer.checksum;
  stat.age = answer.age;
  stat.lease_left = answer.lease_left;
  for (const Replica& replica : answer.replicas) {
    ReplicaStat line;
    line.holder = replica.segment.holder;
    if (const std::optional<Peer> peer = works_->master->FindPeer(line.holder)) {
      line.node = peer->name;
    }
    line.ranges = static_cast<uint32_t>(replica.ranges.size());
    for (const Range& range : replica.ranges) line.reserved_bytes += range.length;
    stat.replicas.push_back(std::move(line));
  }
  return stat;
}

Status Member::RegisterMemory(void* base, uint64_t size, MemoryKind kind, int device) {
  KVSTORE_RETURN_IF_ERROR(fork_guard_.Check());
  transfer::RegionOptions options;
  options.kind = kind;
  options.device = device;
  KVSTORE_ASSIGN_OR_RETURN(const transfer::RegionId region,
                           works_->engine->Register(base, size, options));
  MutexLock lock(mu_);
  registered_[base] = region;
  return Status::Ok();
}

Status Member::UnregisterMemory(void* base) {
  KVSTORE_RETURN_IF_ERROR(fork_guard_.Check());
  transfer::RegionId region = 0;
  {
    MutexLock lock(mu_);
    const auto found = registered_.find(base);
    if (found == registered_.end()) {
      return NotFoundError("no memory was registered at this address");
    }
    region = found->second;
    registered_.erase(found);
  }
  return works_->engine->Unregister(region);
}

// In a child nothing that has a lock may be asked: a thread of the parent may have held it.
Incarnation Member::incarnation() const {
  return fork_guard_.InChild() ? Incarnation{} : works_->engine->incarnation();
}

transfer::WayCounters Member::counters(transfer::Way way) const {
  return fork_guard_.InChild() ? transfer::WayCounters{} : works_->engine->counters(way);
}

Lending Member::lending() const {
  if (fork_guard_.InChild()) return {};
  return {.bytes = works_->host->lent_bytes(),
          .huge_pages = works_->host->huge_pages(),
          .reach = works_->engine->reach()};
}

ClientCounters Member::counters() const {
  ClientCounters counters;
  counters.puts_ok = tally_.puts_ok;
  counters.puts_failed = tally_.puts_failed;
  counters.gets_ok = tally_.gets_ok;
  counters.gets_missed = tally_.gets_missed;
  counters.gets_failed = tally_.gets_failed;
  counters.reads_refused = tally_.reads_refused;
  counters.checksum_mismatches = tally_.checksum_mismatches;
  return counters;
}

}  // namespace
}  // namespace client

Result<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  KVSTORE_RETURN_IF_ERROR(CheckOptions(options));
  return client::Member::Join(options);
}

Status Client::Put(std::string_view key, std::string_view value, const PutOptions& options) {
  const ConstPiece piece{value.data(), value.size()};
  const PutItem item{key, {&piece, 1}};
  return Put(std::span(&item, 1), options).front();
}

Result<std::string> Client::Get(std::string_view key, Duration timeout) {
  constexpr size_t kFirstGuess = 16u << 10;  // a small object costs one round trip
  const TimePoint deadline = client::After(BootClock::now(), timeout);
  std::string value(kFirstGuess, '\0');
  for (Duration left = timeout;; left = deadline - BootClock::now()) {
    const Piece piece{value.data(), value.size()};
    const GetItem item{key, {&piece, 1}};
    const GetResult result = Get(std::span(&item, 1), left).front();
    if (result.status.ok()) {
      value.resize(result.size);
      return value;
    }
    const bool too_small = result.size > value.size();
    if (!too_small) return result.status;
    if (BootClock::now() >= deadline) {
      return DeadlineExceededError("only the object's size could be learned in time");
    }
    try {
      value.resize(result.size);
    } catch (const std::exception&) {
      return ResourceExhaustedError("no memory here for an object of " +
                                    std::to_string(result.size) +
                                    " bytes; read it into pieces of your own");
    }
  }
}

Result<bool> Client::Exists(std::string_view key, Duration timeout) {
  return Exists(std::span(&key, 1), timeout).front();
}

Status Client::WaitExists(std::string_view key, Duration timeout) {
  return WaitExists(std::span(&key, 1), timeout).front();
}

Status Client::Remove(std::string_view key, Duration timeout) {
  return Remove(std::span(&key, 1), timeout).front();
}

Result<ObjectStat> Client::Stat(std::string_view key, Duration timeout) {
  return Stat(std::span(&key, 1), timeout).front();
}

Result<std::unique_ptr<ObjectView>> Client::View(std::string_view key, Duration timeout) {
  return std::move(View(std::span(&key, 1), timeout).front());
}

Result<std::unique_ptr<NewObject>> Client::Create(std::string_view key, uint64_t size,
                                                  const PutOptions& options) {
  const CreateItem item{key, size};
  return std::move(Create(std::span(&item, 1), options).front());
}

std::string_view Version() { return KVSTORE_VERSION; }

}  // namespace kvstore
