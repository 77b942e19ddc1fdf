#include <algorithm>
#include <iostream>
#include <limits>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/text/table.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

using text::Align;
using text::FormatBytes;
using text::FormatDuration;
using text::JsonWriter;
using text::Table;

constexpr uint32_t kPage = 4096;   // the largest that the master gives
constexpr size_t kWidestKey = 72;  // characters; JSON has every key whole

uint64_t Milliseconds(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

void WriteSpace(JsonWriter* json, const Space& space) {
  json->Name("space_bytes");
  json->BeginObject();
  json->Member("size", space.size);
  json->Member("unprepared", space.unprepared);
  json->Member("free", space.free);
  json->Member("unfinished", space.unfinished);
  json->Member("committed", space.committed);
  json->Member("retiring", space.retiring);
  json->Member("leased", space.leased);
  json->EndObject();
}

void PrintStatus(const PoolStatus& status) {
  Table table({{}, {}});
  table.AddRow(
      {"software", status.software + ", protocol " + std::to_string(status.protocol_version)});
  table.AddRow({"pool", status.pool.ToString() + ", term " + std::to_string(status.term)});
  table.AddRow({"uptime", FormatDuration(status.uptime)});
  table.AddRow({"nodes", std::to_string(status.nodes_live) + " live, " +
                             std::to_string(status.nodes_suspected) + " suspected"});
  table.AddRow({"objects", std::to_string(status.objects)});
  table.AddRow({"puts", std::to_string(status.puts_unfinished) + " unfinished, " +
                            std::to_string(status.puts_parked) + " waiting for room"});
  table.AddRow({"waiting", std::to_string(status.requests_waiting) + " items for something else"});
  table.AddRow({"memory", FormatBytes(status.space.size) + " lent"});
  table.AddRow({"  committed", FormatBytes(status.space.committed) + ", of it leased " +
                                   FormatBytes(status.space.leased)});
  table.AddRow({"  unfinished", FormatBytes(status.space.unfinished)});
  table.AddRow({"  retiring", FormatBytes(status.space.retiring)});
  table.AddRow({"  free", FormatBytes(status.space.free)});
  table.AddRow({"  untouched", FormatBytes(status.space.unprepared)});
  table.Print(std::cout);
  std::cout << "\nsince it started\n";
  Table counters({{}, {"", Align::kRight}});
  for (const auto& [name, count] : status.counters) {
    counters.AddRow({"  " + name, std::to_string(count)});
  }
  counters.Print(std::cout);
}

void WriteStatus(const PoolStatus& status) {
  JsonWriter json;
  json.BeginObject();
  json.Member("software", status.software);
  json.Member("protocol_version", status.protocol_version);
  json.Member("pool", status.pool.ToString());
  json.Member("term", status.term);
  json.Member("uptime_ms", Milliseconds(status.uptime));
  json.Member("nodes_live", status.nodes_live);
  json.Member("nodes_suspected", status.nodes_suspected);
  json.Member("objects", status.objects);
  json.Member("puts_unfinished", status.puts_unfinished);
  json.Member("puts_parked", status.puts_parked);
  json.Member("requests_waiting", status.requests_waiting);
  WriteSpace(&json, status.space);
  json.Name("counters");
  json.BeginObject();
  for (const auto& [name, count] : status.counters) json.Member(name, count);
  json.EndObject();
  json.EndObject();
  std::cout << json.Take();
}

ExitCode ShowStatus(const Invocation& invocation) {
  const Result<PoolStatus> status = AdminStub(invocation.master, invocation.timeout).GetStatus();
  if (!status.ok()) return Fail(status.status());
  invocation.json ? WriteStatus(*status) : PrintStatus(*status);
  return kDone;
}

void PrintNodes(const std::vector<NodeRow>& nodes) {
  Table table({{"NAME"},
               {"STATE"},
               {"SILENT", Align::kRight},
               {"LENDS", Align::kRight},
               {"COMMITTED", Align::kRight},
               {"FREE", Align::kRight},
               {"UNTOUCHED", Align::kRight},
               {"ORDERS", Align::kRight},
               {"INCARNATION"}});
  for (const NodeRow& node : nodes) {
    table.AddRow({text::Escape(node.name), node.state, FormatDuration(node.silent),
                  FormatBytes(node.space.size), FormatBytes(node.space.committed),
                  FormatBytes(node.space.free), FormatBytes(node.space.unprepared),
                  std::to_string(node.orders_open), node.incarnation.ToString()});
  }
  table.Print(std::cout);
}

void WriteNodes(const std::vector<NodeRow>& nodes) {
  JsonWriter json;
  json.BeginObject();
  json.Name("nodes");
  json.BeginArray();
  for (const NodeRow& node : nodes) {
    json.BeginObject();
    json.Member("name", node.name);
    json.Member("incarnation", node.incarnation.ToString());
    json.Member("host", node.host);
    json.Member("state", node.state);
    json.Member("silent_ms", Milliseconds(node.silent));
    json.Member("counter", node.counter);
    json.Member("segments", node.segments);
    json.Member("orders_open", node.orders_open);
    WriteSpace(&json, node.space);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
}

ExitCode ShowNodes(const Invocation& invocation) {
  const auto nodes = AdminStub(invocation.master, invocation.timeout).ListNodes();
  if (!nodes.ok()) return Fail(nodes.status());
  invocation.json ? WriteNodes(*nodes) : PrintNodes(*nodes);
  return kDone;
}

void PrintSegments(const std::vector<SegmentRow>& segments) {
  Table table({{"NODE"},
               {"SEGMENT", Align::kRight},
               {"SIZE", Align::kRight},
               {"OBJECTS", Align::kRight},
               {"COMMITTED", Align::kRight},
               {"LEASED", Align::kRight},
               {"RETIRING", Align::kRight},
               {"FREE", Align::kRight},
               {"PIECES", Align::kRight},
               {"LARGEST", Align::kRight},
               {"UNTOUCHED", Align::kRight}});
  for (const SegmentRow& segment : segments) {
    const Space& space = segment.space;
    table.AddRow(
        {text::Escape(segment.node), std::to_string(segment.index), FormatBytes(space.size),
         std::to_string(segment.objects), FormatBytes(space.committed), FormatBytes(space.leased),
         FormatBytes(space.retiring), FormatBytes(space.free), std::to_string(segment.free_ranges),
         FormatBytes(segment.largest_free), FormatBytes(space.unprepared)});
  }
  table.Print(std::cout);
}

void WriteSegments(const std::vector<SegmentRow>& segments) {
  JsonWriter json;
  json.BeginObject();
  json.Name("segments");
  json.BeginArray();
  for (const SegmentRow& segment : segments) {
    json.BeginObject();
    json.Member("node", segment.node);
    json.Member("holder", segment.holder.ToString());
    json.Member("index", segment.index);
    json.Member("granule_bytes", segment.granule);
    json.Member("objects", segment.objects);
    json.Member("free_ranges", segment.free_ranges);
    json.Member("largest_free_bytes", segment.largest_free);
    WriteSpace(&json, segment.space);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
}

ExitCode ShowSegments(const Invocation& invocation) {
  const auto segments = AdminStub(invocation.master, invocation.timeout).ListSegments();
  if (!segments.ok()) return Fail(segments.status());
  invocation.json ? WriteSegments(*segments) : PrintSegments(*segments);
  return kDone;
}

// Pages until there are `limit` objects, or no more.
Result<ObjectPage> List(const Invocation& invocation, const std::string& prefix, uint64_t limit) {
  AdminStub admin(invocation.master, invocation.timeout);
  ObjectPage all;
  do {
    const std::string after = all.objects.empty() ? "" : all.objects.back().key;
    const uint64_t wanted = std::min<uint64_t>(limit - all.objects.size(), kPage);
    KVSTORE_ASSIGN_OR_RETURN(ObjectPage page,
                             admin.ListObjects(prefix, after, static_cast<uint32_t>(wanted)));
    all.more = page.more && !page.objects.empty();
    std::move(page.objects.begin(), page.objects.end(), std::back_inserter(all.objects));
  } while (all.more && all.objects.size() < limit);
  return all;
}

void PrintObjects(const ObjectPage& page) {
  Table table({{"KEY"},
               {"SIZE", Align::kRight},
               {"REPLICAS", Align::kRight},
               {"AGE", Align::kRight},
               {"LEASE", Align::kRight},
               {"NODES"}});
  for (const ObjectRow& object : page.objects) {
    std::string nodes;
    for (const std::string& node : object.nodes) nodes += (nodes.empty() ? "" : ",") + node;
    table.AddRow({text::Shorten(text::Escape(object.key), kWidestKey), FormatBytes(object.size),
                  std::to_string(object.replicas), FormatDuration(object.age),
                  FormatDuration(object.lease_left), text::Escape(nodes)});
  }
  table.Print(std::cout);
  if (page.more) {
    std::cerr << "kvctl: there are more; raise --limit (0: all), or narrow --prefix\n";
  }
}

void WriteObjects(const ObjectPage& page) {
  JsonWriter json;
  json.BeginObject();
  json.Name("objects");
  json.BeginArray();
  for (const ObjectRow& object : page.objects) {
    json.BeginObject();
    json.Key(object.key);
    json.Member("size", object.size);
    json.Member("replicas", object.replicas);
    json.Member("age_ms", Milliseconds(object.age));
    json.Member("lease_left_ms", Milliseconds(object.lease_left));
    json.Name("nodes");
    json.BeginArray();
    for (const std::string& node : object.nodes) json.String(node);
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.Member("more", page.more);
  json.EndObject();
  std::cout << json.Take();
}

ExitCode ShowObjects(const Invocation& invocation) {
  constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();
  const auto limit = text::ParseNumber(invocation.line.Get("limit", "1000"), 0, kAll);
  if (!limit.ok()) return FailUsage("--limit: " + limit.status().message());
  std::string prefix = invocation.line.Get("prefix", "");
  if (invocation.escaped) {
    Result<std::string> bytes = text::Unescape(prefix);
    if (!bytes.ok()) return FailUsage("--prefix: " + bytes.status().message());
    prefix = *std::move(bytes);
  }
  const Result<ObjectPage> page = List(invocation, prefix, *limit == 0 ? kAll : *limit);
  if (!page.ok()) return Fail(page.status());
  invocation.json ? WriteObjects(*page) : PrintObjects(*page);
  return kDone;
}

constexpr text::Option kListOptions[] = {
    {"prefix", "", "PREFIX", "only keys that begin so"},
    {"limit", "", "N", "at most N objects, 0: all (default 1000)"},
};

constexpr Command kCommands[] = {
    {.name = "status",
     .synopsis = "[OPTIONS]",
     .summary = "the pool as a whole: nodes, objects, memory, counters",
     .description =
         "  Shows what the master knows of its pool. The kinds of memory add up to what is\n"
         "  lent: committed (objects), unfinished (granted to puts), retiring (ordered back\n"
         "  and not yet free), free, and memory whose pages have not been touched yet.\n"
         "  Counters run since the master started; they are those of its /metrics.\n",
     .run = ShowStatus},
    {.name = "nodes",
     .synopsis = "[OPTIONS]",
     .summary = "the members of the pool",
     .description =
         "  One line a node, workers included. SILENT is the time since it was last heard;\n"
         "  a suspected node gets no new objects and is gone if it stays silent. ORDERS are\n"
         "  retirements that it has not confirmed as free; UNTOUCHED as for segments.\n",
     .run = ShowNodes},
    {.name = "segments",
     .synopsis = "[OPTIONS]",
     .summary = "the memory that nodes lend",
     .description =
         "  One line a segment. PIECES is the number of stretches that its free memory lies\n"
         "  in, LARGEST the largest of them; UNTOUCHED memory is made ready as the pool fills.\n",
     .run = ShowSegments},
    {.name = "ls",
     .synopsis = "[--prefix PREFIX] [--limit N] [OPTIONS]",
     .summary = "objects, in the order of their keys",
     .description =
         "  Lists committed objects; neither leases them nor touches the eviction order. The\n"
         "  list is read in pages of 4096, so that one longer than that is no single moment's.\n"
         "  A long key is shortened in its middle (...); the JSON has it whole.\n"
         "  \"more\" in the JSON says that --limit has cut it.\n",
     .options = kListOptions,
     .run = ShowObjects},
};

}  // namespace

std::span<const Command> PoolCommands() { return kCommands; }

}  // namespace kvstore::kvctl
