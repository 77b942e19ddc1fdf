#include "simulation/workload.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/get.h"
#include "client/locate.h"
#include "client/put.h"
#include "simulation/calling.h"
#include "simulation/in_place_caller.h"
#include "simulation/value.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

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
class Caller : private Calling {
 public:
  Caller(World* world, SimNode* node, size_t thread)
      : Calling(world, node, thread), in_place_(world, node, thread) {}

  void AnyCall();
  void Think();
  bool goes_on() const { return !world_.stopping && node_.alive(); }

 private:
  // The whole of an object, or some of its cells.
  struct Wanted {
    std::string key;
    uint64_t offset = 0;
    uint64_t length = kToTheEnd;
    bool is_whole() const { return offset == 0 && length == kToTheEnd; }
  };

  void Put();
  void Get();
  Wanted AnyPart(std::string key);
  void EndGet(const Wanted& wanted, Checker::Mark begun, const Status& status,
              std::span<const std::byte> bytes);
  Status AskExists(const std::string& key, TimePoint deadline);
  void Exists();
  void WaitExists();
  void Remove();
  void RemoveMatching();
  void Pin();

  InPlaceCaller in_place_;
};

void Caller::AnyCall() {
  const uint64_t kind = random_.Below(100);
  if (kind < 35) return Put();
  if (kind < 40) return in_place_.Create();
  if (kind < 73) return Get();
  if (kind < 79) return in_place_.View();
  if (kind < 84) return Exists();
  if (kind < 88) return WaitExists();
  if (kind < 89 && world_.plan.wishes) return RemoveMatching();
  if (kind < 91 && world_.plan.wishes) return Pin();
  return Remove();
}

void Caller::Think() {
  WaitFor(random_.Between(Duration(0), world_.plan.thinking));
  if (node_.alive()) in_place_.LookAtViews();
}

void Caller::Put() {
  const size_t count = random_.Chance(0.2) ? random_.Between(2, 3) : 1;
  std::vector<std::string> keys(count);
  std::vector<std::vector<std::byte>> values(count);
  std::vector<std::vector<ConstPiece>> pieces(count);
  std::vector<uint64_t> numbers(count);
  std::vector<PutItem> items;
  PutOptions options;
  const Asked asked = AnyWishes(&options);
  options.replicas = random_.Chance(0.3) ? random_.Between(2, 3) : 1;
  if (random_.Chance(0.4)) options.placement = Placement::kSpread;
  if (random_.Chance(0.1)) options.preferred_nodes = {"n1"};
  const Call call = Begin();
  options.timeout = call.timeout;
  for (size_t i = 0; i < count; ++i) {
    keys[i] = AnyKey();
    values[i].resize(AnySize());
    numbers[i] = world_.checker.BeginPut(keys[i], values[i].size(), asked);
    FillWithValue(numbers[i], values[i]);
    pieces[i] = Cut<ConstPiece>(&random_, values[i].data(), values[i].size());
    items.push_back({keys[i], pieces[i]});
    if (world_.plan.wishes) items.back().position = static_cast<uint32_t>(random_.Below(3));
    Say("put ", keys[i], " value ", numbers[i], " ", values[i].size(), " B",
        options.replace ? " replace" : "", options.replicas > 1 ? " x" : "",
        options.replicas > 1 ? std::to_string(options.replicas) : "",
        options.durable ? " durable" : "", options.hard_pin ? " pinned" : "",
        options.ttl > Duration::zero() ? " for a time" : "");
  }
  node_.BeginPuts(count);
  const std::vector<Status> statuses = client::PutObjects(node_.parts(), items, options);
  if (!End(call, "a Put")) return;
  for (size_t i = 0; i < count; ++i) {
    Say("put ", keys[i], " value ", numbers[i], " -> ", statuses[i]);
    EndPut(numbers[i], statuses[i]);
  }
}

// Whole objects are proved by their checksum too, parts by the word alone, which tells nothing of
// what happens to bytes on the wire.
Caller::Wanted Caller::AnyPart(std::string key) {
  if (world_.plan.flips > 0 || random_.Chance(0.7)) return {std::move(key)};
  const uint64_t cells = world_.plan.largest_value / kCellBytes;
  const uint64_t offset = random_.Below(cells / 2 + 1) * kCellBytes;
  if (random_.Chance(0.3)) return {std::move(key), offset};
  return {std::move(key), offset, random_.Between(1, 16) * kCellBytes};
}

void Caller::Get() {
  std::vector<Wanted> wanted;
  for (uint64_t n = random_.Chance(0.3) ? random_.Between(2, 3) : 1; n > 0; --n) {
    wanted.push_back(AnyPart(wanted.empty() || random_.Chance(0.7) ? AnyKey() : wanted[0].key));
  }
  std::vector<std::vector<std::byte>> buffers(wanted.size());
  std::vector<std::vector<transfer::Piece>> pieces(wanted.size());
  std::vector<GetItem> items;
  for (size_t i = 0; i < wanted.size(); ++i) {
    buffers[i].resize(std::max(kCellBytes, world_.plan.largest_value));
    pieces[i] = Cut<transfer::Piece>(&random_, buffers[i].data(), buffers[i].size());
    items.push_back({wanted[i].key, pieces[i], wanted[i].offset, wanted[i].length});
    Say("get ", wanted[i].key, wanted[i].is_whole() ? "" : ", a part");
  }
  const bool remembers = wanted.size() == 1 && node_.Remembers(wanted[0].key);
  client::GetCounters met;
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.Begin();
  const std::vector<GetResult> results =
      client::GetObjects(node_.parts(), items, call.timeout, world_.guards.read, &met);
  if (!End(call, "a Get")) return;
  node_.Add(met);
  if (remembers && met.remembered == 0 && met.refused > 0) Count(Event::kRememberedRefused);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Status& status = results[i].status;
    EndGet(wanted[i], begun, status,
           std::span(buffers[i]).first(status.ok() ? results[i].size : 0));
  }
}

void Caller::EndGet(const Wanted& wanted, Checker::Mark begun, const Status& status,
                    std::span<const std::byte> bytes) {
  if (status.ok()) {
    Say("get ", wanted.key, " -> value ", ReadValue(bytes, wanted.offset / kCellBytes).number, ", ",
        bytes.size(), " B from ", wanted.offset);
  } else {
    Say("get ", wanted.key, " -> ", status);
  }
  if (wanted.is_whole() || !status.ok()) {
    world_.checker.EndGet(begun, wanted.key, status, bytes);
  } else {
    world_.checker.EndGetOfPart(begun, wanted.key, wanted.offset, bytes);
    Count(Event::kPartsOk);
  }
  Count(status.ok()                              ? Event::kGetsOk
        : status.code() == StatusCode::kNotFound ? Event::kGetsMissed
                                                 : Event::kGetsFailed);
}

// As the product's Exists: one that brings the location, or a mere question.
Status Caller::AskExists(const std::string& key, TimePoint deadline) {
  if (node_.remembers() && random_.Chance(0.7)) {
    const std::string_view name = key;
    const Locate how{.keys = {}, .readable = true};
    return client::LocateObjects(node_.parts(), {&name, 1}, deadline, how).front().status();
  }
  kvstore::Exists request;
  request.keys.Add(key);
  return node_.parts().master.Ask(std::move(request), deadline).front().status;
}

void Caller::Exists() {
  const std::string key = AnyKey();
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.Begin();
  const uint64_t unreadable = world_.masters.looks_unreadable();
  const Status status = AskExists(key, call.deadline());
  if (!End(call, "an Exists")) return;
  Say("exists ", key, " -> ", status);
  const bool found = status.ok();
  if (!found && status.code() != StatusCode::kNotFound) return;
  if (!found && world_.masters.looks_unreadable() != unreadable) {
    Count(Event::kExistsUnreadable);  // it may be there, on a holder that is silent
  } else {
    world_.checker.EndLook(begun, key, found);
  }
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
      node_.parts().master.Await(std::move(request), call.deadline()).front().status;
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
      node_.parts().master.Drop(std::move(request), call.deadline()).front().status;
  if (!End(call, "a Remove")) return;
  Say("remove ", key, " -> ", status);
  world_.checker.EndRemove(begun, key, status);
  Count(status.ok()                              ? Event::kRemovesOk
        : status.code() == StatusCode::kNotFound ? Event::kRemovesMissed
                                                 : Event::kRemovesUnknown);
}

// One that is answered has removed all that was there when it began.
void Caller::RemoveMatching() {
  const std::string prefix = AnyKey().substr(0, random_.Chance(0.2) ? 1 : 2);
  std::vector<std::pair<std::string, Checker::Mark>> removals;
  const Call call = Begin();
  for (size_t i = 0; i < world_.plan.keys; ++i) {
    const std::string key = world_.KeyName(i);
    if (key.starts_with(prefix)) removals.emplace_back(key, world_.checker.BeginRemove(key));
  }
  Say("remove ", prefix, "*");
  const Status status =
      node_.parts().master.Sweep(kvstore::RemoveMatching{prefix}, call.deadline()).status;
  if (!End(call, "a RemoveMatching")) return;
  Say("remove ", prefix, "* -> ", status);
  // Only its OK says anything of single keys.
  if (!status.ok()) return;
  for (const auto& [key, begun] : removals) world_.checker.EndRemove(begun, key, status);
  Count(Event::kRemovedMatching);
}

void Caller::Pin() {
  const std::string key = AnyKey();
  kvstore::Pin request;
  request.keys.Add(key);
  const uint64_t kind = random_.Below(4);
  request.hard = kind == 0;
  if (kind == 1) request.soft = random_.Between(milliseconds(50), seconds(1));
  if (!request.hard) world_.checker.MayUnpin(key);
  const Call call = Begin();
  Say(kind < 2 ? "pin " : "unpin ", key);
  const Status status =
      node_.parts().master.Keep(std::move(request), call.deadline()).front().status;
  if (!End(call, "a Pin")) return;
  Say(kind < 2 ? "pin " : "unpin ", key, " -> ", status);
  if (status.ok()) Count(kind < 2 ? Event::kPinned : Event::kUnpinned);
}

}  // namespace

void RunWorkload(World* world, SimNode* node, size_t thread) {
  ++world->threads_running;
  Caller caller(world, node, thread);
  caller.Think();
  while (caller.goes_on()) {
    caller.AnyCall();
    if (node->alive()) caller.Think();
  }
  --world->threads_running;
}

void ReadEverything(World* world, SimNode* node) {
  ++world->threads_running;
  const master::Catalog& catalog = world->masters.catalog();
  for (size_t key = 0; key < world->plan.keys; ++key) {
    const std::string name = world->KeyName(key);
    const auto listed = catalog.ListObjects(world->masters.Now(), name, "", 1);
    const bool expected = !listed.empty() && listed.front().key == name;
    const auto detail = catalog.Describe(world->masters.Now(), name);
    const bool expires = detail.ok() && detail->retention.ttl > Duration::zero();
    std::vector<std::byte> buffer(std::max(kCellBytes, world->plan.largest_value));
    const transfer::Piece piece{buffer.data(), buffer.size()};
    const GetItem item{name, {&piece, 1}};
    const Forgotten forgotten_before = world->masters.ForgottenOf(name);
    const Checker::Mark begun = world->checker.Begin();
    const GetResult result = client::GetObjects(node->parts(), {&item, 1}, seconds(10),
                                                world->guards.read, node->get_counters())
                                 .front();
    world->transcript.Say(node->plan().name, "at the end, get ", name, " -> ", result.status);
    world->checker.EndGet(begun, name, result.status,
                          std::span(buffer).first(result.status.ok() ? result.size : 0));
    const bool forgotten = world->masters.ForgottenOf(name) != forgotten_before;
    if (result.status.ok() != expected && !forgotten && !expires) {
      world->checker.Fail("at the end, in peace, a Get of '" + name + "' (which the catalog " +
                          (expected ? "lists" : "does not list") + ") ended " +
                          result.status.ToString());
    }
    if (result.status.ok()) world->counts.Add(Event::kFinalObjectsRead);
  }
  --world->threads_running;
}

}  // namespace kvstore::simulation
