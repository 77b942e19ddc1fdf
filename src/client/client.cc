#include "kvstore/client.h"

#include <glog/logging.h>

#include <algorithm>
#include <map>
#include <utility>

#include "client/admin_stub.h"
#include "client/ahead.h"
#include "client/client_options.h"
#include "client/failures.h"
#include "client/fork_guard.h"
#include "client/get.h"
#include "client/handed_out.h"
#include "client/item_checks.h"
#include "client/locate.h"
#include "client/locations.h"
#include "client/master_stub.h"
#include "client/new_object.h"
#include "client/note_sender.h"
#include "client/object_view.h"
#include "client/open_peers.h"
#include "client/parts.h"
#include "client/put.h"
#include "client/rdma_notice.h"
#include "client/read_notes.h"
#include "client/read_session.h"
#include "client/replicator.h"
#include "client/segment_host.h"
#include "client/session.h"
#include "client/tally.h"
#include "client/verb_stream.h"
#include "descriptor_limit.h"
#include "thread_annotations.h"

namespace kvstore {
namespace client {
namespace {

// For leaving the pool; the rest of the destructor's 5 s is the engine's.
constexpr Duration kLeaveTime = std::chrono::milliseconds(3500);
// How often at most the master is told what was read without asking it, and who was not reached.
constexpr Duration kBetweenNotes = std::chrono::milliseconds(500);
constexpr Duration kBetweenComplaints = std::chrono::milliseconds(100);

// Of gRPC, the engine, and the first peers.
constexpr size_t kDescriptorsToBegin = 16;

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

// Beyond so many keys in one call they are looked up rather than about to be read, and an answer
// without locations is shorter by far.
constexpr size_t kMostLocatedByExists = 1024;

// What a member is made of, each part outliving those below it. A forked child leaves all of it as
// it is: there are no such threads there, and what they wait on can't even be destroyed.
struct Works {
  std::unique_ptr<transfer::Engine> engine;
  std::unique_ptr<SegmentHost> host;
  std::unique_ptr<Replicator> replicator;
  std::unique_ptr<Poller> poller;
  std::unique_ptr<VerbStream> verbs;
  std::unique_ptr<MasterStub> master;
  std::unique_ptr<AdminStub> admin;
  std::unique_ptr<OpenPeers> peers;
  std::unique_ptr<Ahead> ahead;
  ReadNotes notes;
  Failures failures;
  std::unique_ptr<NoteSender<PutId>> note_sender;
  std::unique_ptr<NoteSender<SegmentId>> complainer;
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
  std::vector<Result<bool>> AwaitPuts(std::span<const std::string_view> keys,
                                      const AwaitOptions& options) override;
  std::vector<Status> Remove(std::span<const std::string_view> keys, Duration timeout) override;
  std::vector<Result<ObjectStat>> Stat(std::span<const std::string_view> keys,
                                       Duration timeout) override;

  std::vector<Status> Pin(std::span<const std::string_view> keys, const PinOptions& options,
                          Duration timeout) override;
  Result<uint64_t> RemoveMatching(std::string_view prefix, Duration timeout) override;

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
  std::vector<transfer::RdmaDeviceState> rdma_devices() const override;
  Status Lend(uint64_t bytes) override;
  bool WaitDrained(Duration timeout) override;
  Result<ObjectPage> List(std::string_view prefix, std::string_view after, uint32_t limit,
                          Duration timeout) override;
  Result<uint64_t> StartTask(const CopyTask& task, Duration timeout) override;
  Result<std::vector<TaskStat>> Tasks(Duration timeout) override;

 protected:
  uint64_t SizeHint(std::string_view key) const override;

 private:
  explicit Member(const ClientOptions& options)
      : name_(NodeName(options)),
        host_(HostIdentity(options)),
        read_guards_{.verify_checksum = options.verify_checksums},
        remembers_(options.remember_locations > 0),
        listens_(!options.listen.empty()),
        locations_(options.remember_locations) {}

  Parts PartsNow() const;
  // Null while another master may reign already, of another pool, whose answers know nothing of
  // the leases of this one.
  Locations* WhileCertain(Locations* locations) const;
  ClientTally TallyOf(const Works& works) const;
  Status CheckCall(Duration timeout) const;
  ObjectStat Describe(const StatAnswer& answer) const;
  std::vector<Result<bool>> AskExists(std::span<const std::string_view> keys, TimePoint deadline);
  std::vector<Result<bool>> LocateExisting(std::span<const std::string_view> keys,
                                           TimePoint deadline, kvstore::AwaitPuts await = {});
  std::vector<GetResult> ReadPuts(std::span<const GetItem> items, Duration timeout,
                                  Locations* locations, std::span<const PutId> of_puts);

  const ForkGuard fork_guard_;
  const std::string name_;
  const std::string host_;
  const ReadGuards read_guards_;
  const bool remembers_;  // locations, so that it pays to bring some
  const bool listens_;    // so that peers reach what is lent
  mutable Locations locations_;
  std::unique_ptr<Works> works_;  // set by Join, whole
  Tally tally_;
  HandedOut handed_out_{fork_guard_};

  Mutex mu_;
  std::map<void*, transfer::RegionId> registered_ GUARDED_BY(mu_);  // by RegisterMemory
};

Result<std::unique_ptr<Client>> Member::Join(const ClientOptions& options) {
  KVSTORE_RETURN_IF_ERROR(ForkGuard::CheckMayConnect());
  KVSTORE_RETURN_IF_ERROR(CheckDescriptors(kDescriptorsToBegin));
  const TimePoint until = After(BootClock::now(), options.connect_timeout);
  std::unique_ptr<Member> member(new Member(options));
  auto works = std::make_unique<Works>();

  transfer::EngineOptions engine_options;
  engine_options.host = member->host_;
  engine_options.tcp_listen = options.listen;
  engine_options.tcp_advertise = options.advertise;
  engine_options.ways = options.ways;
  engine_options.rdma_devices = options.rdma_devices;
  engine_options.rdma_gid_index = options.rdma_gid_index;
  KVSTORE_ASSIGN_OR_RETURN(works->engine, transfer::Engine::Create(engine_options));
  KVSTORE_ASSIGN_OR_RETURN(works->host, SegmentHost::Create(*works->engine, options.lend_bytes));
  TellOfRdma(options, works->engine->reach());
  works->replicator = std::make_unique<Replicator>(
      *works->engine, [host = works->host.get()](CopyAck ack) { host->SayCopied(std::move(ack)); });
  works->host->OnCopies(
      [replicator = works->replicator.get()](const Orders& orders) { replicator->Take(orders); });

  const std::shared_ptr<grpc::Channel> channel = OpenMasterChannel(options.master);
  works->poller = std::make_unique<Poller>();
  works->verbs = std::make_unique<VerbStream>(channel, *works->poller, options.master,
                                              options.master_patience);
  works->master = std::make_unique<MasterStub>(*works->verbs);
  works->admin = std::make_unique<AdminStub>(channel, options.master, options.master_patience);
  works->peers = std::make_unique<OpenPeers>(*works->master, *works->engine);
  MasterStub* const master = works->master.get();
  works->ahead = std::make_unique<Ahead>(*master);
  works->note_sender = std::make_unique<NoteSender<PutId>>(
      works->notes, [master](std::vector<PutId> puts) { master->Note({std::move(puts)}); },
      kBetweenNotes);
  works->complainer = std::make_unique<NoteSender<SegmentId>>(
      works->failures.untold(),
      [master](std::vector<SegmentId> segments) { master->Complain({std::move(segments)}); },
      kBetweenComplaints);
  works->session = std::make_unique<Session>(
      channel, *works->poller,
      SessionOptions{options.master, member->name_, member->host_,
                     [&counting = *member, &all = *works] { return counting.TallyOf(all); }},
      *works->engine, *works->host, *works->verbs);
  KVSTORE_RETURN_IF_ERROR(works->session->WaitJoined(until));
  member->works_ = std::move(works);
  return std::unique_ptr<Client>(std::move(member));
}

Member::~Member() {
  if (fork_guard_.InChild()) {
    (void)works_.release();  // its threads are not here, its sockets are the parent's
    return;
  }
  const std::string alive = handed_out_.Alive();
  if (!alive.empty()) {
    LOG(FATAL) << "client '" << name_ << "' is destroyed while there is " << alive
               << " of it, which would be left with memory that nobody pins; destroy those first";
  }
  if (works_ != nullptr) works_->session->Close(BootClock::now() + kLeaveTime);
}

Parts Member::PartsNow() const {
  return Parts{*works_->master,
               *works_->engine,
               Clock::Boot(),
               {works_->engine->incarnation(), host_},
               WhileCertain(&locations_),
               works_->peers.get(),
               &works_->notes,
               &works_->failures,
               works_->ahead.get()};
}

Locations* Member::WhileCertain(Locations* locations) const {
  return works_->session->IsCertain() ? locations : nullptr;
}

Status Member::CheckCall(Duration timeout) const {
  KVSTORE_RETURN_IF_ERROR(fork_guard_.Check());
  return CheckTimeout(timeout);
}

// What this client itself does to a key is nothing that it need be told by a refusal.
template <typename Items>
void ForgetKeys(const Items& items, Locations* locations) {
  for (const auto& item : items) locations->Forget(KeyOf(item));
}

std::vector<Status> Member::Put(std::span<const PutItem> items, const PutOptions& options) {
  const TimePoint began = BootClock::now();
  Status call = fork_guard_.Check();
  if (call.ok()) call = CheckPutOptions(options);
  std::vector<Status> statuses =
      AnswerEach<Status>(call, items, [&](std::span<const PutItem> good) {
        ForgetKeys(good, &locations_);
        std::vector<Status> put = PutObjects(PartsNow(), good, options);
        ForgetKeys(good, &locations_);
        return put;
      });
  for (size_t i = 0; i < items.size(); ++i) tally_.CountPut(statuses[i], SizeOf(items[i]));
  tally_.AddPutTime(BootClock::now() - began);
  return statuses;
}

std::vector<GetResult> Member::Get(std::span<const GetItem> items, Duration timeout) {
  const TimePoint began = BootClock::now();
  GetCounters met;
  std::vector<GetResult> results =
      AnswerEach<GetResult>(CheckCall(timeout), items, [&](std::span<const GetItem> good) {
        return GetObjects(PartsNow(), good, timeout, read_guards_, &met);
      });
  tally_.CountGets(results, met, BootClock::now() - began);
  return results;
}

std::vector<GetResult> Member::ReadPuts(std::span<const GetItem> items, Duration timeout,
                                        Locations* locations, std::span<const PutId> of_puts) {
  const TimePoint began = BootClock::now();
  GetCounters met;
  Parts parts = PartsNow();
  parts.locations = WhileCertain(locations);
  std::vector<GetResult> results = GetObjects(parts, items, timeout, read_guards_, &met, of_puts);
  tally_.CountGets(results, met, BootClock::now() - began);
  return results;
}

// The master is always asked: what is remembered may have been removed.
std::vector<Result<bool>> Member::Exists(std::span<const std::string_view> keys, Duration timeout) {
  return AnswerEach<Result<bool>>(
      CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
        const TimePoint deadline = After(BootClock::now(), timeout);
        return remembers_ && good.size() <= kMostLocatedByExists ? LocateExisting(good, deadline)
                                                                 : AskExists(good, deadline);
      });
}

std::vector<Result<bool>> Member::LocateExisting(std::span<const std::string_view> keys,
                                                 TimePoint deadline, kvstore::AwaitPuts await) {
  std::vector<Result<bool>> exist;
  exist.reserve(keys.size());
  Locate how{.keys = {}, .readable = true, .await = std::move(await)};
  for (const Located& found : LocateObjects(PartsNow(), keys, deadline, std::move(how))) {
    exist.push_back(FoundOrNot(found.status()));
  }
  return exist;
}

std::vector<Result<bool>> Member::AskExists(std::span<const std::string_view> keys,
                                            TimePoint deadline) {
  std::vector<Result<bool>> exist;
  exist.reserve(keys.size());
  for (const ItemAnswer& answer : works_->master->Ask(kvstore::Exists{Pack(keys)}, deadline)) {
    exist.push_back(FoundOrNot(answer.status));
  }
  return exist;
}

std::vector<Status> Member::WaitExists(std::span<const std::string_view> keys, Duration timeout) {
  return AnswerEach<Status>(CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
    const TimePoint deadline = After(BootClock::now(), timeout);
    return StatusesOf(works_->master->Await(kvstore::WaitExists{Pack(good)}, deadline));
  });
}

std::vector<Result<bool>> Member::AwaitPuts(std::span<const std::string_view> keys,
                                            const AwaitOptions& options) {
  Status valid = CheckCall(options.timeout);
  if (valid.ok() && options.at_most < Duration::zero()) {
    valid = InvalidArgumentError("at_most is negative");
  }
  if (valid.ok() && options.after.size() > kMaxKeyBytes) {
    valid = InvalidArgumentError("the key before the first is longer than " +
                                 std::to_string(kMaxKeyBytes) + " bytes");
  }
  return AnswerEach<Result<bool>>(valid, keys, [&](std::span<const std::string_view> good) {
    return LocateExisting(good, After(BootClock::now(), options.timeout),
                          {options.at_most, std::string(options.after)});
  });
}

std::vector<Status> Member::Remove(std::span<const std::string_view> keys, Duration timeout) {
  return AnswerEach<Status>(CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
    const TimePoint deadline = After(BootClock::now(), timeout);
    ForgetKeys(good, &locations_);
    std::vector<Status> statuses =
        StatusesOf(works_->master->Drop(kvstore::Remove{Pack(good)}, deadline));
    ForgetKeys(good, &locations_);
    return statuses;
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

std::vector<Status> Member::Pin(std::span<const std::string_view> keys, const PinOptions& options,
                                Duration timeout) {
  Status call = CheckCall(timeout);
  if (call.ok()) call = CheckPinOptions(options);
  return AnswerEach<Status>(call, keys, [&](std::span<const std::string_view> good) {
    const TimePoint deadline = After(BootClock::now(), timeout);
    return StatusesOf(
        works_->master->Keep(kvstore::Pin{Pack(good), options.hard, options.soft}, deadline));
  });
}

Result<uint64_t> Member::RemoveMatching(std::string_view prefix, Duration timeout) {
  KVSTORE_RETURN_IF_ERROR(CheckCall(timeout));
  KVSTORE_RETURN_IF_ERROR(CheckPrefix(prefix));
  const TimePoint deadline = After(BootClock::now(), timeout);
  locations_.ForgetMatching(prefix);
  const CountAnswer answer =
      works_->master->Sweep(kvstore::RemoveMatching{std::string(prefix)}, deadline);
  locations_.ForgetMatching(prefix);
  if (!answer.status.ok()) return answer.status;
  return answer.count;
}

Result<std::unique_ptr<ReadSession>> Member::OpenReadSession(std::span<const std::string_view> keys,
                                                             Duration timeout) {
  KVSTORE_RETURN_IF_ERROR(CheckCall(timeout));
  OpenedObjects opened(keys.size());
  opened.found =
      AnswerEach<Located>(Status::Ok(), keys, [&](std::span<const std::string_view> good) {
        Parts parts = PartsNow();
        parts.locations = opened.locations.get();
        return LocateObjects(parts, good, After(BootClock::now(), timeout));
      });
  return handed_out_.Track(
      MakeReadSession(keys, std::move(opened),
                      [this](std::span<const GetItem> items, Duration read_timeout,
                             Locations* locations, std::span<const PutId> of_puts) {
                        return ReadPuts(items, read_timeout, locations, of_puts);
                      }));
}

std::vector<Result<std::unique_ptr<ObjectView>>> Member::View(
    std::span<const std::string_view> keys, Duration timeout) {
  using Viewed = Result<std::unique_ptr<ObjectView>>;
  GetCounters met;
  std::vector<Viewed> views =
      AnswerEach<Viewed>(CheckCall(timeout), keys, [&](std::span<const std::string_view> good) {
        return ViewObjects(PartsNow(), good, timeout, read_guards_, &met);
      });
  for (Viewed& view : views) {
    if (view.ok()) *view = handed_out_.Track(*std::move(view));
  }
  tally_.CountViews(views, met);
  return views;
}

std::vector<Result<std::unique_ptr<NewObject>>> Member::Create(std::span<const CreateItem> items,
                                                               const PutOptions& options) {
  using Created = Result<std::unique_ptr<NewObject>>;
  Status call = fork_guard_.Check();
  if (call.ok()) call = CheckPutOptions(options);
  std::vector<Created> created = AnswerEach<Created>(
      call, items,
      [&](std::span<const CreateItem> good) { return CreateObjects(PartsNow(), good, options); });
  for (size_t i = 0; i < items.size(); ++i) {
    if (!created[i].ok()) {
      tally_.CountPut(created[i].status(), 0);
      continue;
    }
    created[i] = handed_out_.Track(*std::move(created[i]),
                                   [this, key = std::string(items[i].key), size = items[i].size](
                                       const Status& status, Duration took) {
                                     locations_.Forget(key);
                                     tally_.CountPut(status, size);
                                     tally_.AddPutTime(took);
                                   });
  }
  return created;
}

ObjectStat Member::Describe(const StatAnswer& answer) const {
  ObjectStat stat;
  stat.size = answer.size;
  stat.checksum = answer.checksum;
  stat.age = answer.age;
  stat.lease_left = answer.lease_left;
  stat.durable = answer.durable;
  stat.retention = answer.retention;
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
  Status removed = works_->engine->Unregister(region);
  if (removed.code() == StatusCode::kUnavailable) {
    MutexLock lock(mu_);
    registered_.emplace(base, region);  // to be asked for again
  }
  return removed;
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
  const SegmentHost::Lent lent = works_->host->lent();
  return {.bytes = lent.bytes,
          .wanted_bytes = lent.wished,
          .drained = lent.drained,
          .huge_pages = lent.huge_pages,
          .reach = works_->engine->reach()};
}

std::vector<transfer::RdmaDeviceState> Member::rdma_devices() const {
  if (fork_guard_.InChild()) return {};
  return works_->engine->rdma_devices();
}

Status Member::Lend(uint64_t bytes) {
  KVSTORE_RETURN_IF_ERROR(fork_guard_.Check());
  if (bytes > 0 && !listens_) {
    return InvalidArgumentError(
        "memory can't be lent without ClientOptions::listen: peers could not reach it");
  }
  return works_->host->Lend(bytes);
}

bool Member::WaitDrained(Duration timeout) {
  return !fork_guard_.InChild() && works_->host->WaitDrained(After(BootClock::now(), timeout));
}

Result<ObjectPage> Member::List(std::string_view prefix, std::string_view after, uint32_t limit,
                                Duration timeout) {
  KVSTORE_RETURN_IF_ERROR(CheckCall(timeout));
  if (limit == 0) return InvalidArgumentError("limit is 0; it may be 1 to 4096");
  return works_->admin->List(prefix, after, limit, timeout);
}

Result<uint64_t> Member::StartTask(const CopyTask& task, Duration timeout) {
  KVSTORE_RETURN_IF_ERROR(CheckCall(timeout));
  return works_->admin->Start(task, timeout);
}

Result<std::vector<TaskStat>> Member::Tasks(Duration timeout) {
  KVSTORE_RETURN_IF_ERROR(CheckCall(timeout));
  return works_->admin->Tasks(timeout);
}

ClientTally Member::TallyOf(const Works& works) const {
  const ClientCounters counted = tally_.Read();
  const HolderCounters held = works.host->counters();
  ClientTally tally;
  tally.gets_ok = counted.gets_ok;
  tally.gets_missed = counted.gets_missed;
  tally.gets_failed = counted.gets_failed;
  tally.gets_remembered = counted.gets_remembered;
  tally.puts_ok = counted.puts_ok;
  tally.puts_failed = counted.puts_failed;
  tally.bytes_got = counted.bytes_got;
  tally.bytes_put = counted.bytes_put;
  tally.reads_refused = counted.reads_refused;
  tally.checksum_mismatches = counted.checksum_mismatches;
  tally.entries_refused = held.refused_on_enter;
  tally.accesses_refused = held.refused_after;
  for (const transfer::Way way :
       {transfer::Way::kLocal, transfer::Way::kShm, transfer::Way::kTcp, transfer::Way::kRdma}) {
    const transfer::WayCounters moved = works.engine->counters(way);
    tally.bytes_by_way.push_back(moved.bytes_read + moved.bytes_written);
  }
  return tally;
}

ClientCounters Member::counters() const {
  ClientCounters counters = tally_.Read();
  counters.master_requests = works_->master->messages_sent();
  return counters;
}

uint64_t Member::SizeHint(std::string_view key) const {
  if (fork_guard_.InChild()) return 0;
  const auto known = locations_.Find(key, works_->engine->incarnation(), BootClock::now());
  return known == nullptr ? 0 : known->size;
}

}  // namespace
}  // namespace client

Result<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  KVSTORE_RETURN_IF_ERROR(CheckOptions(options));
  ClientOptions all = options;
  KVSTORE_RETURN_IF_ERROR(client::TakeEnvironment(&all));
  return client::Member::Join(all);
}

Status Client::Put(std::string_view key, std::string_view value, const PutOptions& options) {
  const ConstPiece piece{value.data(), value.size()};
  const PutItem item{key, {&piece, 1}};
  return Put(std::span(&item, 1), options).front();
}

// The first read's buffer is as large as the object was, or a guess: a small object then costs one
// read although its size was not known.
Result<std::string> Client::Get(std::string_view key, Duration timeout) {
  constexpr uint64_t kFirstGuess = 16u << 10;
  const TimePoint deadline = client::After(BootClock::now(), timeout);
  const uint64_t hint = SizeHint(key);
  std::string value;
  uint64_t size = hint > 0 ? hint : kFirstGuess;
  for (Duration left = timeout;; left = deadline - BootClock::now()) {
    try {
      value.resize(size);
    } catch (const std::exception&) {
      return ResourceExhaustedError("no memory here for an object of " + std::to_string(size) +
                                    " bytes; read it into pieces of your own");
    }
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
    size = result.size;
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

Status Client::Pin(std::string_view key, const PinOptions& options, Duration timeout) {
  return Pin(std::span(&key, 1), options, timeout).front();
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
