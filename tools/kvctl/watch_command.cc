#include <algorithm>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/interrupt.h"
#include "tools/kvctl/membership.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

using text::FormatBytes;
using text::FormatDuration;
using text::JsonWriter;

constexpr Duration kPause = std::chrono::milliseconds(100);

// "+12.345 s"
std::string Since(Duration since) {
  std::ostringstream out;
  out << '+' << std::fixed << std::setprecision(3) << std::chrono::duration<double>(since).count()
      << " s";
  return out.str();
}

std::string LineOf(const EventRow& event, Duration since) {
  std::ostringstream out;
  out << std::setw(14) << Since(since) << "  " << std::left << std::setw(20) << event.kind << "  ";
  if (event.of_object) {
    out << text::Escape(event.key) << ", " << FormatBytes(event.size);
    if (!event.node.empty()) out << ", on " << text::Escape(event.node);
    return out.str();
  }
  out << text::Escape(event.node) << " (" << event.incarnation.ToString() << ")";
  if (event.lasted > Duration::zero()) out << ", " << FormatDuration(event.lasted);
  if (event.objects_lost > 0) {
    out << ", lost with it: " << event.objects_lost << " objects, "
        << FormatBytes(event.bytes_lost);
  }
  return out.str();
}

std::string JsonOf(const EventRow& event, Duration since) {
  JsonWriter json(JsonWriter::Layout::kOneLine);
  json.BeginObject();
  json.Member("at_ms", Milliseconds(since));
  json.Member("event", event.kind);
  if (event.of_object) {
    json.Key(event.key);
    json.Member("size", event.size);
    if (!event.node.empty()) json.Member("node", event.node);
  } else {
    json.Member("node", event.node);
    json.Member("incarnation", event.incarnation.ToString());
    json.Member("lends", event.lends);
    json.Member("lasted_ms", Milliseconds(event.lasted));
    json.Member("objects_lost", event.objects_lost);
    json.Member("bytes_lost", event.bytes_lost);
  }
  json.EndObject();
  return json.Take();
}

void TellLeftOut(bool as_json, uint64_t count) {
  if (as_json) {
    JsonWriter json(JsonWriter::Layout::kOneLine);
    json.BeginObject();
    json.Member("left_out", count);
    json.EndObject();
    std::cout << json.Take();
  } else {
    std::cout << "  (" << count << " events are left out: they came faster than they were read)\n";
  }
}

// Prints what a stream brings until it ends; the status with which it does.
Status Follow(const Invocation& invocation, EventStream* stream, TimePoint began) {
  std::optional<Duration> offset;  // of the master's uptime, when watching began
  while (true) {
    const Result<EventBatch> batch = stream->Next();
    if (!batch.ok()) return batch.status();
    if (!offset) {
      offset = batch->now - (BootClock::now() - began);
      std::cerr << "kvctl: watching " << invocation.master << std::endl;
    }
    for (const EventRow& event : batch->events) {
      const Duration since = std::max(event.at - *offset, Duration::zero());
      std::cout << (invocation.json ? JsonOf(event, since) : LineOf(event, since) + "\n");
    }
    if (batch->left_out > 0) TellLeftOut(invocation.json, batch->left_out);
    if (!std::cout.flush()) return UnavailableError("standard output is gone");
  }
}

// The same, ended by a signal or by time as well.
Status FollowUntil(const Invocation& invocation, EventStream* stream, TimePoint began,
                   Interrupt* interrupt, TimePoint end) {
  std::thread canceller([&] {
    if (interrupt->WaitUntil(end) != Interrupt::Why::kWoken) stream->Cancel();
  });
  Status ended = Follow(invocation, stream, began);
  interrupt->Wake();
  canceller.join();
  return ended;
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

ExitCode WatchPool(const Invocation& invocation) {
  const text::CommandLine& line = invocation.line;
  WatchFilter filter{.prefix = "", .kinds = Split(line.Get("kinds", ""))};
  const Result<std::string> prefix = KeyOf(invocation, line.Get("prefix", ""));
  if (!prefix.ok()) return FailUsage("--prefix: " + prefix.status().message());
  filter.prefix = *prefix;
  const TimePoint began = BootClock::now();
  TimePoint end = TimePoint::max();
  if (line.Has("for")) {
    const Result<Duration> time = text::ParseDuration(line.Get("for", ""));
    if (!time.ok()) return FailUsage("--for: " + time.status().message());
    end = began + *time;
  }
  Interrupt interrupt;
  AdminStub admin(invocation.master, invocation.timeout);
  while (true) {
    // The stream has no deadline; that there is a master to watch is found out with one.
    if (const Result<PoolStatus> status = admin.GetStatus(); !status.ok()) {
      return Fail(status.status());
    }
    const Status ended = FollowUntil(invocation, admin.Watch(filter).get(), began, &interrupt, end);
    if (ended.code() == StatusCode::kCancelled) return kDone;
    if (!std::cout) return kFailed;
    if (ended.code() != StatusCode::kUnavailable) return Fail(ended);
    std::cerr << "kvctl: " << ended.message() << "; what happens meanwhile is not seen"
              << std::endl;
    // One that ends every stream at once is not asked in a loop.
    const TimePoint again = std::min(end, BootClock::now() + kPause);
    if (interrupt.WaitUntil(again) == Interrupt::Why::kSignal) return kDone;
  }
}

constexpr text::Option kOptions[] = {
    {"prefix", "", "PREFIX", "only objects whose keys begin so, and no nodes"},
    {"kinds", "", "KIND,KIND", "only these kinds (default all)"},
    {"for", "", "TIME", "end after so long (default: with an interrupt, ctrl-C)"},
};

constexpr Command kCommands[] = {
    {.name = "watch",
     .synopsis = "[--prefix PREFIX] [--kinds KIND,...] [--for TIME] [OPTIONS]",
     .summary = "what happens in the pool, as it happens",
     .description =
         "  A line an event, with the time since watching began; with --output json an\n"
         "  object a line. It ends with an interrupt (exit status 0). When the master is\n"
         "  lost it watches the next one, if there is one within --timeout. Events that\n"
         "  come faster than they are read are left out, and their number is told.\n\n"
         "  Kinds of nodes: node_suspected, node_trusted, node_left, node_gone,\n"
         "  node_reported, node_sick, node_well, node_draining, node_drained. Of objects and\n"
         "  puts: committed, removed, replaced, evicted_for_room, evicted_by_watermark,\n"
         "  evicted_by_operator, evicted_with_group, expired, lost, put_aborted,\n"
         "  put_expired, copied, moved, replica_lost, pinned, unpinned.\n",
     .options = kOptions,
     .run = WatchPool},
};

}  // namespace

std::span<const Command> WatchCommands() { return kCommands; }

}  // namespace kvstore::kvctl
