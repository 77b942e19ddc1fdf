#include <iostream>

#include "text/json.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
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

void PrintStatus(const PoolStatus& status) {
  Table table({{}, {}});
  table.AddRow(
      {"software", status.software + ", protocol " + std::to_string(status.protocol_version)});
  table.AddRow({"pool", status.pool.ToString() + ", term " + std::to_string(status.term)});
  table.AddRow({"uptime", FormatDuration(status.uptime)});
  table.AddRow({"nodes", std::to_string(status.nodes_live) + " live, " +
                             std::to_string(status.nodes_suspected) + " suspected, " +
                             std::to_string(status.nodes_missing) + " missing"});
  table.AddRow({"objects", std::to_string(status.objects) + ", of them pinned " +
                               std::to_string(status.objects_pinned) + ", lacking replicas " +
                               std::to_string(status.objects_lacking)});
  table.AddRow({"copies", std::to_string(status.copies_running) + " running"});
  table.AddRow({"notes", std::to_string(status.notes_unconfirmed) + " unconfirmed, the oldest " +
                             FormatDuration(status.oldest_note)});
  table.AddRow({"puts", std::to_string(status.puts_unfinished) + " unfinished, " +
                            std::to_string(status.puts_parked) + " waiting for room"});
  table.AddRow({"waiting", std::to_string(status.requests_waiting) + " items for something else"});
  table.AddRow({"memory", FormatBytes(status.space.size) + " lent"});
  table.AddRow({"  committed", FormatBytes(status.space.committed) + ", of it leased " +
                                   FormatBytes(status.space.leased) + ", pinned " +
                                   FormatBytes(status.space.pinned)});
  table.AddRow({"  unfinished", FormatBytes(status.space.unfinished) + ", of it held ahead " +
                                    FormatBytes(status.space.ahead)});
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
  json.Member("nodes_missing", status.nodes_missing);
  json.Member("objects", status.objects);
  json.Member("objects_pinned", status.objects_pinned);
  json.Member("objects_lacking", status.objects_lacking);
  json.Member("puts_unfinished", status.puts_unfinished);
  json.Member("puts_parked", status.puts_parked);
  json.Member("requests_waiting", status.requests_waiting);
  json.Member("copies_running", status.copies_running);
  json.Member("notes_unconfirmed", status.notes_unconfirmed);
  json.Member("oldest_note_ms", Milliseconds(status.oldest_note));
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

constexpr Command kCommands[] = {
    {.name = "status",
     .synopsis = "[OPTIONS]",
     .summary = "the pool as a whole: nodes, objects, memory, counters",
     .description =
         "  Shows what the master knows of its pool. The kinds of memory add up to what is\n"
         "  lent: committed (objects), unfinished (granted to puts, or to writers ahead of their\n"
         "  puts), retiring (ordered back and not yet free), free, and memory whose pages have\n"
         "  not been touched yet.\n"
         "  Missing are members of the last reign that have not reported since the master\n"
         "  was started; until they have, or are given up, only hits are answered. Notes are\n"
         "  what holders keep of objects for the next master.\n"
         "  Counters run since the master started; they are those of its /metrics.\n",
     .run = ShowStatus},
};

}  // namespace

std::span<const Command> StatusCommands() { return kCommands; }

}  // namespace kvstore::kvctl
