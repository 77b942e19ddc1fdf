#include <algorithm>
#include <iostream>
#include <limits>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/membership.h"
#include "tools/kvctl/space_text.h"
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

// "live, draining"
std::string StateOf(const NodeRow& node) {
  return node.state + (node.sick ? ", sick" : "") + (node.draining ? ", draining" : "");
}

void PrintNodes(const std::vector<NodeRow>& nodes) {
  Table table({{"NAME"},
               {"STATE"},
               {"SILENT", Align::kRight},
               {"LENDS", Align::kRight},
               {"OBJECTS", Align::kRight},
               {"COMMITTED", Align::kRight},
               {"PINNED", Align::kRight},
               {"AHEAD", Align::kRight},
               {"FREE", Align::kRight},
               {"UNTOUCHED", Align::kRight},
               {"ORDERS", Align::kRight},
               {"NOTES", Align::kRight},
               {"HITS", Align::kRight},
               {"MISSES", Align::kRight},
               {"JOINED", Align::kRight},
               {"INCARNATION"}});
  for (const NodeRow& node : nodes) {
    table.AddRow({text::Escape(node.name), StateOf(node), FormatDuration(node.silent),
                  FormatBytes(node.space.size), std::to_string(node.objects),
                  FormatBytes(node.space.committed), FormatBytes(node.space.pinned),
                  FormatBytes(node.space.ahead), FormatBytes(node.space.free),
                  FormatBytes(node.space.unprepared), std::to_string(node.orders_open),
                  std::to_string(node.notes_unconfirmed), std::to_string(node.hits),
                  std::to_string(node.misses), FormatDuration(node.joined),
                  node.incarnation.ToString()});
  }
  table.Print(std::cout);
}

void WriteTally(JsonWriter* json, const NodeTally& tally) {
  json->Name("tally");
  json->BeginObject();
  json->Member("gets_ok", tally.gets_ok);
  json->Member("gets_missed", tally.gets_missed);
  json->Member("gets_failed", tally.gets_failed);
  json->Member("gets_remembered", tally.gets_remembered);
  json->Member("puts_ok", tally.puts_ok);
  json->Member("puts_failed", tally.puts_failed);
  json->Member("bytes_got", tally.bytes_got);
  json->Member("bytes_put", tally.bytes_put);
  json->Member("reads_refused", tally.reads_refused);
  json->Member("checksum_mismatches", tally.checksum_mismatches);
  json->EndObject();
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
    json.Member("draining", node.draining);
    json.Member("sick", node.sick);
    json.Member("software", node.software);
    json.Member("silent_ms", Milliseconds(node.silent));
    json.Member("joined_ms", Milliseconds(node.joined));
    json.Member("counter", node.counter);
    json.Member("segments", node.segments);
    json.Member("objects", node.objects);
    json.Member("orders_open", node.orders_open);
    json.Member("notes_unconfirmed", node.notes_unconfirmed);
    json.Member("oldest_note_ms", Milliseconds(node.oldest_note));
    json.Member("hits", node.hits);
    json.Member("misses", node.misses);
    WriteTally(&json, node.tally);
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
               {"PINNED", Align::kRight},
               {"AHEAD", Align::kRight},
               {"RETIRING", Align::kRight},
               {"FREE", Align::kRight},
               {"PIECES", Align::kRight},
               {"LARGEST", Align::kRight},
               {"UNTOUCHED", Align::kRight}});
  for (const SegmentRow& segment : segments) {
    const Space& space = segment.space;
    table.AddRow({text::Escape(segment.node), std::to_string(segment.index),
                  FormatBytes(space.size), std::to_string(segment.objects),
                  FormatBytes(space.committed), FormatBytes(space.leased),
                  FormatBytes(space.pinned), FormatBytes(space.ahead), FormatBytes(space.retiring),
                  FormatBytes(space.free), std::to_string(segment.free_ranges),
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
  const Result<std::string> prefix = KeyOf(invocation, invocation.line.Get("prefix", ""));
  if (!prefix.ok()) return FailUsage("--prefix: " + prefix.status().message());
  const Result<ObjectPage> page = List(invocation, *prefix, *limit == 0 ? kAll : *limit);
  if (!page.ok()) return Fail(page.status());
  invocation.json ? WriteObjects(*page) : PrintObjects(*page);
  return kDone;
}

constexpr text::Option kListOptions[] = {
    {"prefix", "", "PREFIX", "only keys that begin so"},
    {"limit", "", "N", "at most N objects, 0: all (default 1000)"},
};

constexpr Command kCommands[] = {
    {.name = "nodes",
     .synopsis = "[OPTIONS]",
     .summary = "the members of the pool",
     .description =
         "  One line a node, workers included. SILENT is the time since it was last heard;\n"
         "  a suspected node gets no new objects and is gone if it stays silent, a missing\n"
         "  one has not reported since the master was started, a sick one can't be reached by\n"
         "  its peers. ORDERS are retirements that it has not confirmed as free, NOTES those\n"
         "  that it has not confirmed to keep; HITS and MISSES are of what it asked the\n"
         "  master for; AHEAD and UNTOUCHED as for segments. The JSON also has the node's own\n"
         "  counters.\n",
     .run = ShowNodes},
    {.name = "segments",
     .synopsis = "[OPTIONS]",
     .summary = "the memory that nodes lend",
     .description =
         "  One line a segment. AHEAD is memory that writers hold for puts to come and have\n"
         "  not put into yet; PIECES the number of stretches that free memory lies in, LARGEST\n"
         "  the largest of them; UNTOUCHED memory is made ready as the pool fills.\n",
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
