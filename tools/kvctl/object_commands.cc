#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

#include "kvstore/client.h"
#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/input.h"
#include "tools/kvctl/membership.h"
#include "tools/text/table.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

using text::FormatBytes;
using text::FormatDuration;
using text::JsonWriter;
using text::Table;

// With --verbose: how the bytes came or went, on standard error.
void TellWays(const Invocation& invocation, const Client& client) {
  if (!invocation.line.Has("verbose")) return;
  std::string moved;
  for (const transfer::Way way :
       {transfer::Way::kLocal, transfer::Way::kShm, transfer::Way::kTcp, transfer::Way::kRdma}) {
    const transfer::WayCounters counters = client.counters(way);
    if (counters.copies_done == 0) continue;
    moved += FormatBytes(counters.bytes_read + counters.bytes_written) + " by " +
             std::string(transfer::WayName(way)) + " in " + FormatDuration(counters.time) + "; ";
  }
  std::cerr << "kvctl: " << (moved.empty() ? "no bytes moved; " : moved)
            << "requests to the master: " << client.counters().master_requests << '\n';
}

std::string Hex(uint64_t number) { return Incarnation{0, number}.ToString().substr(16); }

// ---- put ----

// What the flags say of how long the object is to be kept.
Status ReadKeeping(const Invocation& invocation, PutOptions* options) {
  options->durable = invocation.line.Has("durable");
  options->hard_pin = invocation.line.Has("pin");
  options->group = invocation.line.Get("group", "");
  for (const auto& [name, duration] :
       {std::pair("ttl", &options->ttl), std::pair("soft-pin", &options->soft_pin)}) {
    if (!invocation.line.Has(name)) continue;
    const Result<Duration> read = text::ParseDuration(invocation.line.Get(name, ""));
    if (!read.ok()) {
      return InvalidArgumentError("--" + std::string(name) + ": " + read.status().message());
    }
    *duration = *read;
  }
  return Status::Ok();
}

ExitCode Put(const Invocation& invocation) {
  const Result<std::string> key = KeyAt(invocation, 0);
  if (!key.ok()) return FailUsage(key.status().message());
  const auto replicas = text::ParseNumber(invocation.line.Get("replicas", "1"), 1, kMaxReplicas);
  if (!replicas.ok()) return FailUsage("--replicas: " + replicas.status().message());
  PutOptions options;
  if (const Status kept = ReadKeeping(invocation, &options); !kept.ok()) {
    return FailUsage(kept.message());
  }
  const Result<std::string> value = ReadInput(invocation.line.arguments()[1]);
  if (!value.ok()) {
    std::cerr << "kvctl: " << value.status().message() << '\n';
    return kFailed;
  }
  Result<Membership> member = Membership::Join(invocation);
  if (!member.ok()) return Fail(member.status());
  options.timeout = member->left();
  options.replace = invocation.line.Has("replace");
  options.replicas = static_cast<uint32_t>(*replicas);
  const Status status = member->client().Put(*key, *value, options);
  TellWays(invocation, member->client());
  if (!status.ok()) return Fail(status);
  if (invocation.json) {
    JsonWriter json;
    json.BeginObject();
    json.Key(*key);
    json.Member("size", value->size());
    json.EndObject();
    std::cout << json.Take();
  } else {
    std::cout << "stored " << FormatBytes(value->size()) << '\n';
  }
  return kDone;
}

// ---- get ----

// A part of the value is not left behind.
Status WriteFile(const std::string& path, const std::string& value) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const bool opened = file.is_open();
  file.write(value.data(), static_cast<std::streamsize>(value.size()));
  file.close();
  if (file) return Status::Ok();
  const Status failed = UnavailableError("can't write " + path + ": " + std::strerror(errno));
  std::error_code ignored;
  if (opened && std::filesystem::is_regular_file(path, ignored)) {
    std::filesystem::remove(path, ignored);
  }
  return failed;
}

// What --offset and --length name.
struct Part {
  bool whole = true;
  uint64_t offset = 0;
  uint64_t length = kToTheEnd;
};

Result<Part> PartOf(const Invocation& invocation) {
  Part part;
  for (const auto& [name, number] :
       {std::pair("offset", &part.offset), std::pair("length", &part.length)}) {
    if (!invocation.line.Has(name)) continue;
    const Result<uint64_t> bytes = text::ParseBytes(invocation.line.Get(name, ""));
    if (!bytes.ok()) {
      return InvalidArgumentError("--" + std::string(name) + ": " + bytes.status().message());
    }
    *number = *bytes;
    part.whole = false;
  }
  return part;
}

Result<std::string> GetPart(Membership* member, std::string_view key, const Part& part) {
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<ReadSession> session,
                           member->client().OpenReadSession({&key, 1}, member->left()));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t size, session->sizes()[0]);
  if (part.offset > size || (part.length != kToTheEnd && part.length > size - part.offset)) {
    return InvalidArgumentError("the part ends beyond the object, which has " +
                                std::to_string(size) + " bytes");
  }
  std::string value(std::min(part.length, size - part.offset), '\0');
  const Piece piece{value.data(), value.size()};
  const PartItem item{
      .object = 0, .pieces = {&piece, 1}, .offset = part.offset, .length = value.size()};
  KVSTORE_RETURN_IF_ERROR(session->Read({&item, 1}, member->left())[0].status);
  return value;
}

ExitCode Get(const Invocation& invocation) {
  const Result<std::string> key = KeyAt(invocation, 0);
  if (!key.ok()) return FailUsage(key.status().message());
  const Result<Part> part = PartOf(invocation);
  if (!part.ok()) return FailUsage(part.status().message());
  Result<Membership> member = Membership::Join(invocation);
  if (!member.ok()) return Fail(member.status());
  const Result<std::string> value =
      part->whole ? member->client().Get(*key, member->left()) : GetPart(&*member, *key, *part);
  TellWays(invocation, member->client());
  if (!value.ok()) return Fail(value.status());
  const std::string path = invocation.line.Get("out", "-");
  if (path != "-") {
    if (const Status written = WriteFile(path, *value); !written.ok()) {
      std::cerr << "kvctl: " << written.message() << '\n';
      return kFailed;
    }
  }
  if (invocation.json) {
    JsonWriter json;
    json.BeginObject();
    json.Key(*key);
    if (!part->whole) json.Member("offset", part->offset);
    json.Member("size", value->size());
    path == "-" ? json.Member("value_base64", text::Base64(*value)) : json.Member("file", path);
    json.EndObject();
    std::cout << json.Take();
  } else if (path == "-") {
    std::cout.write(value->data(), static_cast<std::streamsize>(value->size()));
  }
  return kDone;
}

// ---- stat ----

void PrintStat(const std::string& key, const ObjectStat& stat) {
  Table table({{}, {}});
  table.AddRow({"key", text::Escape(key)});
  table.AddRow({"size", FormatBytes(stat.size) + " (" + std::to_string(stat.size) + ")"});
  table.AddRow({"checksum", Hex(stat.checksum)});
  table.AddRow({"age", FormatDuration(stat.age)});
  table.AddRow({"lease", FormatDuration(stat.lease_left)});
  for (const ReplicaStat& replica : stat.replicas) {
    table.AddRow({"replica", text::Escape(replica.node) + " (" + replica.holder.ToString() + "), " +
                                 FormatBytes(replica.reserved_bytes) + " in " +
                                 std::to_string(replica.ranges) +
                                 (replica.ranges == 1 ? " range" : " ranges")});
  }
  table.Print(std::cout);
}

void WriteStat(const std::string& key, const ObjectStat& stat) {
  JsonWriter json;
  json.BeginObject();
  json.Key(key);
  json.Member("size", stat.size);
  json.Member("checksum_xxh3", Hex(stat.checksum));
  json.Member("age_ms", Milliseconds(stat.age));
  json.Member("lease_left_ms", Milliseconds(stat.lease_left));
  json.Name("replicas");
  json.BeginArray();
  for (const ReplicaStat& replica : stat.replicas) {
    json.BeginObject();
    json.Member("node", replica.node);
    json.Member("holder", replica.holder.ToString());
    json.Member("ranges", replica.ranges);
    json.Member("reserved_bytes", replica.reserved_bytes);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
}

ExitCode ShowStat(const Invocation& invocation) {
  const Result<std::string> key = KeyAt(invocation, 0);
  if (!key.ok()) return FailUsage(key.status().message());
  Result<Membership> member = Membership::Join(invocation);
  if (!member.ok()) return Fail(member.status());
  const Result<ObjectStat> stat = member->client().Stat(*key, member->left());
  if (!stat.ok()) return Fail(stat.status());
  invocation.json ? WriteStat(*key, *stat) : PrintStat(*key, *stat);
  return kDone;
}

constexpr text::Option kVerbose = {"verbose", "v", "",
                                   "say on standard error by which way the bytes went"};

constexpr text::Option kPutOptions[] = {
    {"replace", "", "", "an object under the key is replaced instead of refused"},
    {"replicas", "", "N", "copies on distinct nodes, 1 to 8 (default 1)"},
    {"durable", "", "", "done only when no loss of the master can lose the object"},
    {"ttl", "", "TIME", "then it expires (default never)"},
    {"pin", "", "", "never evict it"},
    {"soft-pin", "", "TIME", "for so long evict it only where nothing else may be"},
    {"group", "", "NAME", "evict it together with all others of that group"},
    kVerbose,
};
constexpr text::Option kGetOptions[] = {
    {"out", "o", "FILE", "write there; - is standard output (default -)"},
    {"offset", "", "SIZE", "of the first byte wanted, in the object (default 0)"},
    {"length", "", "SIZE", "bytes wanted (default to the object's end)"},
    kVerbose,
};

constexpr Command kCommands[] = {
    {.name = "put",
     .synopsis = "[--replace] [--replicas N] [OPTIONS] KEY FILE|-",
     .summary = "store a file, or standard input, under a key",
     .description =
         "  When it is done, every later get sees the object, on any machine. A key that is\n"
         "  taken is refused (exit status 1) unless --replace is given. The bytes are read\n"
         "  into memory first. kvctl lends no memory: some node has to.\n",
     .options = kPutOptions,
     .least_arguments = 2,
     .most_arguments = 2,
     .argument_names = "FILE",
     .run = Put},
    {.name = "get",
     .synopsis = "[-o FILE] [--offset SIZE] [--length SIZE] [OPTIONS] KEY",
     .summary = "write an object to standard output or a file",
     .description =
         "  Writes exactly the bytes that were stored, or nothing and an error: all is read\n"
         "  and checked before the first byte is written. With --output json and no file the\n"
         "  bytes are in \"value_base64\". Of a part, which has no checksum of its own, it is\n"
         "  the holder that vouches for the bytes.\n",
     .options = kGetOptions,
     .least_arguments = 1,
     .most_arguments = 1,
     .run = Get},
    {.name = "stat",
     .synopsis = "[OPTIONS] KEY",
     .summary = "size, checksum, age and places of an object",
     .description =
         "  The checksum is XXH3-64 with seed 0 of the object's bytes, as xxhsum -H3 prints it.\n",
     .least_arguments = 1,
     .most_arguments = 1,
     .run = ShowStat},
};

}  // namespace

std::span<const Command> ObjectCommands() { return kCommands; }

}  // namespace kvstore::kvctl
