#include <algorithm>
#include <iostream>
#include <limits>
#include <utility>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/membership.h"
#include "tools/text/table.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

using text::Align;
using text::FormatBytes;
using text::FormatDuration;
using text::JsonWriter;
using text::Table;

constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();
constexpr size_t kEvictAtOnce = 4096;  // keys that the master takes in one request

// ---- locate ----

std::string Hex(uint64_t number) { return Incarnation{0, number}.ToString().substr(16); }

// "hard", "soft, 5.0 s left", "no"
std::string PinOf(const ObjectDetail& object) {
  if (object.hard_pin) return "hard";
  if (object.soft_pin > Duration::zero()) return "soft, for " + FormatDuration(object.soft_pin);
  return "no";
}

void PrintLocated(const ObjectDetail& object) {
  Table table({{}, {}});
  table.AddRow({"key", text::Escape(object.line.key)});
  table.AddRow({"size", FormatBytes(object.line.size) + " (" + std::to_string(object.line.size) +
                            "), checksum " + Hex(object.checksum)});
  table.AddRow({"age", FormatDuration(object.line.age)});
  table.AddRow({"lease", FormatDuration(object.line.lease_left)});
  table.AddRow({"pinned", PinOf(object)});
  table.AddRow({"expires", object.ttl == Duration::zero() ? std::string("never")
                                                          : "in " + FormatDuration(object.ttl)});
  if (!object.group.empty()) {
    table.AddRow(
        {"group", text::Escape(object.group) + ", position " + std::to_string(object.position)});
  }
  table.AddRow({"durable", object.durable ? "yes, noted by every holder" : "not yet noted"});
  table.AddRow({"replicas", std::to_string(object.line.replicas) + " of " +
                                std::to_string(object.replicas_wanted)});
  table.Print(std::cout);
  Table replicas({{"  NODE"},
                  {"SEGMENT", Align::kRight},
                  {"STANDING"},
                  {"RESERVED", Align::kRight},
                  {"RANGES", Align::kRight},
                  {"NOTED"},
                  {"HOLDER"}});
  for (const ReplicaRow& replica : object.replicas) {
    replicas.AddRow({"  " + text::Escape(replica.node), std::to_string(replica.segment),
                     replica.standing, FormatBytes(replica.reserved),
                     std::to_string(replica.ranges), replica.noted ? "yes" : "no",
                     replica.holder.ToString()});
  }
  replicas.Print(std::cout);
}

void WriteLocated(JsonWriter* json, const ObjectDetail& object) {
  json->BeginObject();
  json->Key(object.line.key);
  json->Member("status", "ok");
  json->Member("size", object.line.size);
  json->Member("checksum_xxh3", Hex(object.checksum));
  json->Member("age_ms", Milliseconds(object.line.age));
  json->Member("lease_left_ms", Milliseconds(object.line.lease_left));
  json->Member("hard_pin", object.hard_pin);
  json->Member("soft_pin_left_ms", Milliseconds(object.soft_pin));
  json->Member("ttl_left_ms", Milliseconds(object.ttl));
  json->Member("group", object.group);
  json->Member("position", object.position);
  json->Member("durable", object.durable);
  json->Member("replicas_wanted", object.replicas_wanted);
  json->Name("replicas");
  json->BeginArray();
  for (const ReplicaRow& replica : object.replicas) {
    json->BeginObject();
    json->Member("node", replica.node);
    json->Member("holder", replica.holder.ToString());
    json->Member("segment", replica.segment);
    json->Member("birth", replica.birth);
    json->Member("standing", replica.standing);
    json->Member("ranges", replica.ranges);
    json->Member("reserved_bytes", replica.reserved);
    json->Member("noted", replica.noted);
    json->EndObject();
  }
  json->EndArray();
  json->EndObject();
}

ExitCode ShowLocated(const Invocation& invocation) {
  const Result<std::vector<std::string>> keys = AllKeys(invocation);
  if (!keys.ok()) return FailUsage(keys.status().message());
  AdminStub admin(invocation.master, invocation.timeout);
  std::vector<Result<ObjectDetail>> objects;
  std::vector<Status> statuses;
  for (const std::string& key : *keys) {
    objects.push_back(admin.Describe(key));
    statuses.push_back(objects.back().status());
  }
  if (invocation.json) {
    JsonWriter json;
    json.BeginObject();
    json.Name("objects");
    json.BeginArray();
    for (const Result<ObjectDetail>& object : objects) {
      if (object.ok()) WriteLocated(&json, *object);
    }
    json.EndArray();
    json.EndObject();
    std::cout << json.Take();
  } else {
    for (const Result<ObjectDetail>& object : objects) {
      if (object.ok()) PrintLocated(*object);
    }
  }
  return FailItems(*keys, statuses);
}

// ---- pin, unpin ----

ExitCode PinAs(const Invocation& invocation, const PinOptions& options, std::string_view name) {
  const Result<std::vector<std::string>> keys = AllKeys(invocation);
  if (!keys.ok()) return FailUsage(keys.status().message());
  Result<Membership> member = Membership::Join(invocation);
  if (!member.ok()) return Fail(member.status());
  const std::vector<std::string_view> views(keys->begin(), keys->end());
  const std::vector<Status> statuses = member->client().Pin(views, options, member->left());
  const ExitCode code = FailItems(*keys, statuses);
  if (invocation.json) WriteStatuses(*keys, statuses, name);
  return code;
}

ExitCode PinObjects(const Invocation& invocation) {
  PinOptions options;
  if (invocation.line.Has("soft")) {
    if (invocation.line.Has("hard")) return FailUsage("--hard or --soft TIME, not both");
    const Result<Duration> soft = text::ParseDuration(invocation.line.Get("soft", ""));
    if (!soft.ok()) return FailUsage("--soft: " + soft.status().message());
    options.soft = *soft;
  } else {
    options.hard = true;
  }
  return PinAs(invocation, options, "pinned");
}

ExitCode UnpinObjects(const Invocation& invocation) { return PinAs(invocation, {}, "unpinned"); }

// ---- evict ----

ExitCode TellEvicted(const Invocation& invocation, const Evicted& evicted,
                     std::span<const std::string> keys) {
  const ExitCode code = FailItems(keys, evicted.statuses);
  if (!invocation.json) {
    std::cout << "evicted " << evicted.objects
              << (evicted.objects == 1 ? " object, " : " objects, ") << FormatBytes(evicted.bytes)
              << '\n';
    return code;
  }
  JsonWriter json;
  json.BeginObject();
  json.Member("objects", evicted.objects);
  json.Member("bytes", evicted.bytes);
  json.Name("keys");
  json.BeginArray();
  for (size_t i = 0; i < keys.size(); ++i) {
    json.BeginObject();
    json.Key(keys[i]);
    json.Member("status", StatusCodeName(evicted.statuses[i].code()));
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
  return code;
}

ExitCode EvictKeys(const Invocation& invocation) {
  const Result<std::vector<std::string>> keys = AllKeys(invocation);
  if (!keys.ok()) return FailUsage(keys.status().message());
  AdminStub admin(invocation.master, invocation.timeout);
  Evicted all;
  for (std::span<const std::string> rest(*keys); !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), kEvictAtOnce));
    rest = rest.subspan(part.size());
    const Result<Evicted> evicted = admin.Evict(part);
    if (!evicted.ok()) return Fail(evicted.status());
    all.objects += evicted->objects;
    all.bytes += evicted->bytes;
    all.statuses.insert(all.statuses.end(), evicted->statuses.begin(), evicted->statuses.end());
  }
  return TellEvicted(invocation, all, *keys);
}

ExitCode EvictObjects(const Invocation& invocation) {
  const text::CommandLine& line = invocation.line;
  if (line.Has("bytes") != line.arguments().empty()) {
    return FailUsage("name keys, or --bytes SIZE, and not both");
  }
  if (!line.Has("bytes")) {
    if (line.Has("node")) return FailUsage("--node goes with --bytes");
    return EvictKeys(invocation);
  }
  const Result<uint64_t> bytes = text::ParseBytes(line.Get("bytes", ""));
  if (!bytes.ok()) return FailUsage("--bytes: " + bytes.status().message());
  if (*bytes == 0) return FailUsage("--bytes: 0 is nothing");
  const Result<Evicted> evicted =
      AdminStub(invocation.master, invocation.timeout).EvictBytes(*bytes, line.Get("node", ""));
  if (!evicted.ok()) return Fail(evicted.status());
  return TellEvicted(invocation, *evicted, {});
}

constexpr text::Option kPinOptions[] = {
    {"hard", "", "", "never evicted, until it is unpinned or removed (the default)"},
    {"soft", "", "TIME", "for so long evicted only where nothing else may be"},
};
constexpr text::Option kEvictOptions[] = {
    {"bytes", "", "SIZE", "so much, the coldest first"},
    {"node", "", "NODE", "with --bytes: of the nodes of that name (default every segment's share)"},
};

constexpr Command kCommands[] = {
    {.name = "locate",
     .synopsis = "[OPTIONS] KEY...",
     .summary = "where objects lie, and what keeps them there",
     .description =
         "  Shows each object's replicas with the standing of their memory, also those that\n"
         "  are being filled or given up: evictable, soft-pinned, pinned, leased, unfinished,\n"
         "  ordered and withdrawn (retiring). Neither leases the objects nor touches the\n"
         "  eviction order. A noted replica is known to the next master.\n",
     .least_arguments = 1,
     .most_arguments = kAnyNumber,
     .run = ShowLocated},
    {.name = "pin",
     .synopsis = "[--hard | --soft TIME] [OPTIONS] KEY...",
     .summary = "keep objects from eviction",
     .description = "  Pins anew: the last pin counts. A TTL stays as it is. When it is done, the\n"
                    "  holders have noted the pin, so that it outlives the master.\n",
     .options = kPinOptions,
     .least_arguments = 1,
     .most_arguments = kAnyNumber,
     .run = PinObjects},
    {.name = "unpin",
     .synopsis = "[OPTIONS] KEY...",
     .summary = "let objects be evicted again",
     .description = "  Takes away hard and soft pins.\n",
     .least_arguments = 1,
     .most_arguments = kAnyNumber,
     .run = UnpinObjects},
    {.name = "evict",
     .synopsis = "[OPTIONS] KEY... | --bytes SIZE [--node NODE]",
     .summary = "give up objects to make room",
     .description =
         "  As the master does when the pool is full. What is leased, pinned or unfinished\n"
         "  stays, and is reported with its reason where it was named (exit status 1). The\n"
         "  memory is free a little later, when its holders have confirmed.\n",
     .options = kEvictOptions,
     .most_arguments = kAnyNumber,
     .run = EvictObjects},
};

}  // namespace

std::span<const Command> KeepCommands() { return kCommands; }

}  // namespace kvstore::kvctl
