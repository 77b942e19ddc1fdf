#include "simulation/workload.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "client/get.h"
#include "client/put.h"
#include "simulation/remembered.h"
#include "simulation/value.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kSlack = milliseconds(60);  // by which a call may outlive its timeout

// Cuts bytes into one to three pieces.
template <typename AnyPiece>
std::vector<AnyPiece> Cut(Random* random, std::byte* data, uint64_t size) {
  std::vector<AnyPiece> pieces;
  for (uint64_t cuts = random->Below(3); cuts > 0 && size > 0; --cuts) {
    const uint64_t n = random->Below(size + 1);
    pieces.push_back({data, n});
    data += n;
    size -= n;
  }
  pieces.push_back({data, size});
  return pieces;
}

// One thread's calls. Every call ends in a line of the transcript and is told to the checker,
// unless the process has died meanwhile: then nobody has heard its answer.
class Caller {
 public:
  Caller(World* world, SimNode* node, size_t thread)
      : world_(*world),
        random_(world->scheduler.random()),
        node_(*node),
        name_(node->plan().name + "." + std::to_string(thread)),
        remembered_(world, node) {}

  void AnyCall();
  void GetRemembered();
  void Think();
  bool goes_on() const { return !world_.stopping && node_.alive(); }

 private:
  void Put();
  void Get(std::vector<std::string> keys);
  void GetSome();
  void Exists();
  void WaitExists();
  void Remove();

  struct Call {
    Duration timeout{};
    TimePoint began;
  };

  std::string AnyKey() { return world_.KeyName(random_.Below(world_.plan.keys)); }
  uint64_t AnySize();
  Duration AnyTimeout();
  Call Begin();
  // False: the process has died.
  bool End(const Call& call, const char* what);
  void CountPut(const Status& status);

  template <typename... Parts>
  void Say(const Parts&... parts) {
    world_.transcript.Say(name_, parts...);
  }
  void Count(Event event) { world_.counts.Add(event); }

  World& world_;
  Random& random_;
  SimNode& node_;
  const std::string name_;
  RememberedLocations remembered_;
};

Duration Caller::AnyTimeout() {
  const uint64_t kind = random_.Below(10);
  if (kind < 3) return random_.Between(milliseconds(3), milliseconds(100));
  if (kind < 8) return random_.Between(milliseconds(200), milliseconds(2000));
  return random_.Between(seconds(2), seconds(4));
}

uint64_t Caller::AnySize() {
  if (random_.Chance(0.06)) return 0;
  return random_.Between(kCellBytes, std::max(kCellBytes, world_.plan.largest_value));
}

Caller::Call Caller::Begin() { return {AnyTimeout(), node_.process()->Now()}; }

bool Caller::End(const Call& call, const char* what) {
  if (!node_.alive()) return false;
  // A paused process could not return in time; it does so at once when it goes on.
  const Process& process = *node_.process();
  const Duration late = process.Now() - (call.began + call.timeout);
  const Duration running = world_.scheduler.now() - process.paused_until();
  if (late > kSlack && running > kSlack) {
    world_.checker.Fail("I8: " + std::string(what) + " by " + name_ + " outlived its timeout by " +
                        std::to_string(late.count() / 1'000'000) + " ms");
  }
  return true;
}

void Caller::AnyCall() {
  const uint64_t kind = random_.Below(100);
  if (kind < 42) return Put();
  if (kind < 75) return GetSome();
  if (kind < 81) return Exists();
  if (kind < 86) return WaitExists();
  return Remove();
}

void Caller::Think() {
  world_.scheduler.WaitUntil(world_.scheduler.now() +
                             random_.Between(Duration(0), world_.plan.thinking));
}

void Caller::Put() {
  const size_t count = random_.Chance(0.2) ? random_.Between(2, 3) : 1;
  std::vector<std::string> keys(count);
  std::vector<std::vector<std::byte>> values(count);
  std::vector<std::vector<ConstPiece>> pieces(count);
  std::vector<uint64_t> numbers(count);
  std::vector<PutItem> items;
  PutOptions options;
  options.replace = random_.Chance(0.6);
  options.replicas = random_.Chance(0.3) ? 2 : 1;
  if (random_.Chance(0.4)) options.placement = Placement::kSpread;
  if (random_.Chance(0.1)) options.preferred_nodes = {"n1"};
  const Call call = Begin();
  options.timeout = call.timeout;
  for (size_t i = 0; i < count; ++i) {
    keys[i] = AnyKey();
    values[i].resize(AnySize());
    numbers[i] = world_.checker.BeginPut(keys[i], values[i].size());
    FillWithValue(numbers[i], values[i]);
    pieces[i] = Cut<ConstPiece>(&random_, values[i].data(), values[i].size());
    items.push_back({keys[i], pieces[i]});
    Say("put ", keys[i], " value ", numbers[i], " ", values[i].size(), " B",
        options.replace ? " replace" : "", options.replicas > 1 ? " x2" : "");
  }
  const std::vector<Status> statuses = client::PutObjects(node_.parts(), items, options);
  if (!End(call, "a Put")) return;
  for (size_t i = 0; i < count; ++i) {
    Say("put ", keys[i], " value ", numbers[i], " -> ", statuses[i]);
    world_.checker.EndPut(numbers[i], statuses[i]);
    CountPut(statuses[i]);
  }
}

void Caller::CountPut(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return Count(Event::kPutsOk);
    case StatusCode::kAlreadyExists:
      return Count(Event::kPutsRefused);
    case StatusCode::kResourceExhausted:
      return Count(Event::kPutsFull);
    case StatusCode::kDeadlineExceeded:
      return Count(Event::kPutsUnknown);
    case StatusCode::kInternal:
      return world_.checker.Fail("a Put ended " + status.ToString());
    default:
      return Count(Event::kPutsAborted);
  }
}

void Caller::GetSome() {
  std::vector<std::string> keys;
  for (uint64_t n = random_.Chance(0.3) ? random_.Between(2, 3) : 1; n > 0; --n) {
    keys.push_back(keys.empty() || random_.Chance(0.7) ? AnyKey() : keys.back());
  }
  Get(std::move(keys));
}

void Caller::Get(std::vector<std::string> keys) {
  std::vector<std::vector<std::byte>> buffers(keys.size());
  std::vector<std::vector<transfer::Piece>> pieces(keys.size());
  std::vector<GetItem> items;
  for (size_t i = 0; i < keys.size(); ++i) {
    buffers[i].resize(std::max(kCellBytes, world_.plan.largest_value));
    pieces[i] = Cut<transfer::Piece>(&random_, buffers[i].data(), buffers[i].size());
    items.push_back({keys[i], pieces[i]});
    Say("get ", keys[i]);
  }
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.Begin();
  const std::vector<GetResult> results = client::GetObjects(
      node_.parts(), items, call.timeout, world_.guards.read, node_.get_counters());
  if (!End(call, "a Get")) return;
  for (size_t i = 0; i < keys.size(); ++i) {
    const Status& status = results[i].status;
    const auto bytes = std::span(buffers[i]).first(status.ok() ? results[i].size : 0);
    if (status.ok()) {
      Say("get ", keys[i], " -> value ", ReadValue(bytes).number, ", ", bytes.size(), " B");
    } else {
      Say("get ", keys[i], " -> ", status);
    }
    world_.checker.EndGet(begun, keys[i], status, bytes);
    Count(status.ok()                              ? Event::kGetsOk
          : status.code() == StatusCode::kNotFound ? Event::kGetsMissed
                                                   : Event::kGetsFailed);
  }
}

void Caller::GetRemembered() {
  const std::string any = AnyKey();
  const std::string key = random_.Chance(0.7) ? remembered_.Nearest(any) : any;
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.Begin();
  const auto bytes = remembered_.Read(key, call.began + call.timeout);
  if (!node_.alive()) return;
  if (!bytes.has_value()) return remembered_.Learn(key, call.began + call.timeout);
  Say("get ", key, " from a remembered location -> value ", ReadValue(*bytes).number);
  Count(Event::kReadsRemembered);
  world_.checker.EndGet(begun, key, Status::Ok(), *bytes);
}

void Caller::Exists() {
  const std::string key = AnyKey();
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.Begin();
  kvstore::Exists request;
  request.keys.Add(key);
  const Status status =
      node_.parts().master.Ask(std::move(request), call.began + call.timeout).front().status;
  if (!End(call, "an Exists")) return;
  Say("exists ", key, " -> ", status);
  const bool found = status.ok();
  if (!found && status.code() != StatusCode::kNotFound) return;
  world_.checker.EndLook(begun, key, found);
  Count(found ? Event::kExistsYes : Event::kExistsNo);
}

void Caller::WaitExists() {
  const std::string key = AnyKey();
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.Begin();
  kvstore::WaitExists request;
  request.keys.Add(key);
  Say("wait for ", key);
  const Status status =
      node_.parts().master.Await(std::move(request), call.began + call.timeout).front().status;
  if (!End(call, "a WaitExists")) return;
  Say("wait for ", key, " -> ", status);
  if (status.ok()) world_.checker.EndLook(begun, key, true);
  Count(status.ok() ? Event::kWaitsAnswered : Event::kWaitsTimedOut);
}

void Caller::Remove() {
  const std::string key = AnyKey();
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.BeginRemove(key);
  kvstore::Remove request;
  request.keys.Add(key);
  Say("remove ", key);
  const Status status =
      node_.parts().master.Drop(std::move(request), call.began + call.timeout).front().status;
  if (!End(call, "a Remove")) return;
  Say("remove ", key, " -> ", status);
  world_.checker.EndRemove(begun, key, status);
  Count(status.ok()                              ? Event::kRemovesOk
        : status.code() == StatusCode::kNotFound ? Event::kRemovesMissed
                                                 : Event::kRemovesUnknown);
}

}  // namespace

void RunWorkload(World* world, SimNode* node, size_t thread) {
  ++world->threads_running;
  Caller caller(world, node, thread);
  Random& random = world->scheduler.random();
  caller.Think();
  while (caller.goes_on()) {
    if (random.Chance(world->plan.remembered_reads)) {
      caller.GetRemembered();
    } else {
      caller.AnyCall();
    }
    if (node->alive()) caller.Think();
  }
  --world->threads_running;
}

void ReadEverything(World* world, SimNode* node) {
  ++world->threads_running;
  const master::Catalog& catalog = world->master.catalog();
  for (size_t key = 0; key < world->plan.keys; ++key) {
    const std::string name = world->KeyName(key);
    const auto listed = catalog.ListObjects(world->master.Now(), name, "", 1);
    const bool expected = !listed.empty() && listed.front().key == name;
    std::vector<std::byte> buffer(std::max(kCellBytes, world->plan.largest_value));
    const transfer::Piece piece{buffer.data(), buffer.size()};
    const GetItem item{name, {&piece, 1}};
    const uint64_t forgotten_before = world->master.objects_forgotten();
    const Checker::Mark begun = world->checker.Begin();
    const GetResult result = client::GetObjects(node->parts(), {&item, 1}, seconds(10),
                                                world->guards.read, node->get_counters())
                                 .front();
    world->transcript.Say(node->plan().name, "at the end, get ", name, " -> ", result.status);
    world->checker.EndGet(begun, name, result.status,
                          std::span(buffer).first(result.status.ok() ? result.size : 0));
    const bool forgotten = world->master.objects_forgotten() != forgotten_before;
    if (result.status.ok() != expected && !forgotten) {
      world->checker.Fail("at the end, in peace, a Get of '" + name + "' (which the catalog " +
                          (expected ? "lists" : "does not list") + ") ended " +
                          result.status.ToString());
    }
    if (result.status.ok()) world->counts.Add(Event::kFinalObjectsRead);
  }
  --world->threads_running;
}

}  // namespace kvstore::simulation
