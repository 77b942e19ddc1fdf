#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <utility>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/interrupt.h"
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

constexpr Duration kLook = std::chrono::milliseconds(500);  // at the progress of what is waited for

// When a wait that --within bounds is over.
Result<TimePoint> EndOf(const Invocation& invocation) {
  const Result<Duration> within = text::ParseDuration(invocation.line.Get("within", "1h"));
  if (!within.ok()) return InvalidArgumentError("--within: " + within.status().message());
  return BootClock::now() + *within;
}

// ---- drain ----

// What is left of the nodes that are being drained.
struct Left {
  size_t nodes = 0;
  size_t draining = 0;  // of them
  uint64_t objects = 0, bytes = 0;
};

Left LeftOf(const std::vector<NodeRow>& nodes, const std::map<Incarnation, std::string>& drained) {
  Left left;
  for (const NodeRow& node : nodes) {
    if (!drained.contains(node.incarnation)) continue;
    ++left.nodes;
    left.draining += node.draining ? 1 : 0;
    left.objects += node.objects;
    left.bytes += node.space.committed;
  }
  return left;
}

// A line on stderr, which replaces the last one on a terminal.
void TellProgress(const Left& left, const Left& before, Duration elapsed) {
  const uint64_t moved = before.bytes > left.bytes ? before.bytes - left.bytes : 0;
  const auto rate = static_cast<uint64_t>(static_cast<double>(moved) /
                                          std::chrono::duration<double>(elapsed).count());
  const bool terminal = isatty(STDERR_FILENO) != 0;
  std::cerr << (terminal ? "\r\x1b[K" : "") << "kvctl: " << left.objects << " objects, "
            << FormatBytes(left.bytes) << " left, " << FormatBytes(rate) << "/s"
            << (terminal ? "" : "\n") << std::flush;
}

// How the nodes, none of which is a member any more, have ended: OK if nothing was lost with them.
Status HowTheyEnded(AdminStub* admin, const std::map<Incarnation, std::string>& drained) {
  KVSTORE_ASSIGN_OR_RETURN(const std::vector<EventRow> departed, admin->ListDeparted());
  for (const auto& [incarnation, name] : drained) {
    const auto event = std::find_if(departed.begin(), departed.end(),
                                    [incarnation = incarnation](const EventRow& row) {
                                      return row.incarnation == incarnation;
                                    });
    const std::string node = "node '" + text::Escape(name) + "' ";
    if (event == departed.end()) {
      return AbortedError("the master does not know how " + node +
                          "has ended: it was started again meanwhile; kvctl nodes and kvctl status "
                          "show what there is");
    }
    const std::string lost = std::to_string(event->objects_lost) + " objects, " +
                             FormatBytes(event->bytes_lost) + ", are lost with it";
    if (event->kind != "node_left") {
      return AbortedError(
          node +
          "is gone before it was drained: its process has ended or can't be "
          "reached; " +
          lost + ". Of others the replicas are made again; what is lost is to be put anew");
    }
    if (event->objects_lost > 0) {
      return AbortedError(node + "has left before it was drained: it was stopped; " + lost +
                          ". What is lost is to be put anew");
    }
  }
  return Status::Ok();
}

// Until none of the nodes is a member any more.
ExitCode AwaitLeave(const Invocation& invocation, AdminStub* admin,
                    const std::map<Incarnation, std::string>& drained, const Interrupt& interrupt,
                    TimePoint end) {
  std::optional<Left> before;
  TimePoint looked{};
  while (true) {
    const Result<std::vector<NodeRow>> nodes = admin->ListNodes();
    if (!nodes.ok()) return Fail(nodes.status());
    const TimePoint now = BootClock::now();
    const Left left = LeftOf(*nodes, drained);
    if (before) TellProgress(left, *before, now - looked);
    if (before && isatty(STDERR_FILENO) != 0 && left.nodes == 0) std::cerr << '\n';
    if (left.nodes == 0) break;
    if (left.draining == 0) return Fail(AbortedError("the drain was undone by somebody"));
    if (now >= end) {
      return Fail(DeadlineExceededError("not drained within --within; the drain goes on"));
    }
    if (interrupt.WaitUntil(std::min(end, now + kLook)) == Interrupt::Why::kSignal) {
      return Fail(CancelledError("no longer waited for; the drain goes on"));
    }
    before = left;
    looked = now;
  }
  if (const Status ended = HowTheyEnded(admin, drained); !ended.ok()) return Fail(ended);
  if (!invocation.json) std::cout << "drained: the node has left\n";
  return kDone;
}

ExitCode Drain(const Invocation& invocation) {
  const Result<TimePoint> end = EndOf(invocation);
  if (!end.ok()) return FailUsage(end.status().message());
  const bool undo = invocation.line.Has("undo"), wait = invocation.line.Has("wait");
  if (undo && wait) return FailUsage("--undo has nothing to wait for");
  const Interrupt interrupt;
  const std::string& name = invocation.line.arguments()[0];
  AdminStub admin(invocation.master, invocation.timeout);
  // Asked first: a node without objects may be gone before the next question.
  const Result<std::vector<NodeRow>> nodes = admin.ListNodes();
  if (!nodes.ok()) return Fail(nodes.status());
  std::map<Incarnation, std::string> meant;
  for (const NodeRow& node : *nodes) {
    if (node.name == name && node.segments > 0) meant.emplace(node.incarnation, node.name);
  }
  if (const Status status = admin.Drain(name, undo); !status.ok()) return Fail(status);
  ExitCode code = kDone;
  if (wait) {
    code = AwaitLeave(invocation, &admin, meant, interrupt, *end);
  } else if (!invocation.json) {
    std::cout << (undo ? "no longer drained\n" : "draining; kvctl nodes shows what is left\n");
  }
  if (invocation.json && code == kDone) {
    JsonWriter json;
    json.BeginObject();
    json.Member("node", name);
    json.Member("draining", !undo && !wait);
    json.Member("left", wait);
    json.EndObject();
    std::cout << json.Take();
  }
  return code;
}

// ---- copy, move, tasks ----

void WriteTask(JsonWriter* json, const TaskRow& task) {
  json->BeginObject();
  json->Member("id", task.id);
  json->Member("kind", task.kind);
  json->Key(task.key);
  json->Member("from", task.from);
  json->Member("to", task.to);
  json->Member("state", task.state);
  json->Member("size", task.size);
  json->Member("age_ms", Milliseconds(task.age));
  if (!task.status.ok()) {
    json->Member("error", StatusCodeName(task.status.code()));
    json->Member("message", task.status.message());
  }
  json->EndObject();
}

// Until the task has ended; it is returned as it then is.
Result<TaskRow> AwaitTask(AdminStub* admin, uint64_t id, const Interrupt& interrupt,
                          TimePoint end) {
  while (true) {
    KVSTORE_ASSIGN_OR_RETURN(const std::vector<TaskRow> tasks, admin->ListTasks());
    const auto task =
        std::find_if(tasks.begin(), tasks.end(), [id](const TaskRow& row) { return row.id == id; });
    if (task == tasks.end()) {
      return AbortedError("the master knows no task " + std::to_string(id) +
                          " any more; was it started again? kvctl locate shows the replicas");
    }
    if (task->state == "failed") return task->status;
    if (task->state == "done") return *task;
    const TimePoint now = BootClock::now();
    if (now >= end) return DeadlineExceededError("not done within --within; the task goes on");
    if (interrupt.WaitUntil(std::min(end, now + kLook)) == Interrupt::Why::kSignal) {
      return CancelledError("no longer waited for; the task goes on");
    }
  }
}

ExitCode StartTask(const Invocation& invocation, std::string_view kind) {
  const text::CommandLine& line = invocation.line;
  const Result<std::string> key = KeyAt(invocation, 0);
  if (!key.ok()) return FailUsage(key.status().message());
  const Result<TimePoint> end = EndOf(invocation);
  if (!end.ok()) return FailUsage(end.status().message());
  if (!line.Has("to")) return FailUsage("where to? --to NODE");
  if (kind == "move" && !line.Has("from")) return FailUsage("a move needs --from NODE");
  const Interrupt interrupt;
  AdminStub admin(invocation.master, invocation.timeout);
  const Result<uint64_t> id = admin.StartTask(kind, *key, line.Get("from", ""), line.Get("to", ""));
  if (!id.ok()) return Fail(id.status());
  std::string_view state = "started";
  if (line.Has("wait")) {
    const Result<TaskRow> task = AwaitTask(&admin, *id, interrupt, *end);
    if (!task.ok()) return Fail(task.status());
    state = "done";
  }
  if (invocation.json) {
    JsonWriter json;
    json.BeginObject();
    json.Member("id", *id);
    json.Member("state", state);
    json.EndObject();
    std::cout << json.Take();
  } else {
    std::cout << "task " << *id << ' ' << state << '\n';
  }
  return kDone;
}

ExitCode Copy(const Invocation& invocation) { return StartTask(invocation, "copy"); }
ExitCode Move(const Invocation& invocation) { return StartTask(invocation, "move"); }

void PrintTasks(const std::vector<TaskRow>& tasks) {
  constexpr size_t kWidestKey = 48;
  Table table({{"TASK", Align::kRight},
               {"KIND"},
               {"STATE"},
               {"KEY"},
               {"SIZE", Align::kRight},
               {"FROM"},
               {"TO"},
               {"AGE", Align::kRight},
               {"ERROR"}});
  for (const TaskRow& task : tasks) {
    table.AddRow({std::to_string(task.id), task.kind, task.state,
                  text::Shorten(text::Escape(task.key), kWidestKey), FormatBytes(task.size),
                  task.from.empty() ? "any" : text::Escape(task.from), text::Escape(task.to),
                  FormatDuration(task.age), task.status.ok() ? "" : task.status.ToString()});
  }
  table.Print(std::cout);
}

ExitCode ShowTasks(const Invocation& invocation) {
  const auto tasks = AdminStub(invocation.master, invocation.timeout).ListTasks();
  if (!tasks.ok()) return Fail(tasks.status());
  if (!invocation.json) {
    PrintTasks(*tasks);
    return kDone;
  }
  JsonWriter json;
  json.BeginObject();
  json.Name("tasks");
  json.BeginArray();
  for (const TaskRow& task : *tasks) WriteTask(&json, task);
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
  return kDone;
}

constexpr text::Option kWithin = {"within", "", "TIME", "wait so long at most (default 1h)"};

constexpr text::Option kDrainOptions[] = {
    {"wait", "w", "", "until the node has left; the progress is told on standard error"},
    kWithin,
    {"undo", "", "", "the node is drained no longer, and gets objects again"},
};
constexpr text::Option kTaskOptions[] = {
    {"from", "", "NODE", "a node that holds it (copy: any, if not given)"},
    {"to", "", "NODE", "a live node that does not"},
    {"wait", "w", "", "until it is done, or has failed"},
    kWithin,
};

constexpr Command kCommands[] = {
    {.name = "drain",
     .synopsis = "[--wait] [--within TIME] [--undo] [OPTIONS] NODE",
     .summary = "empty a node, and have it leave",
     .description =
         "  Its objects move to other nodes, or are evicted where they are not pinned and\n"
         "  nobody has room; then it leaves the pool and its process ends. Until then it\n"
         "  serves what it holds. All nodes of that name are meant. Without --wait it says\n"
         "  only that it has begun. Broken off, the wait ends; the drain goes on. A node that\n"
         "  dies or is stopped before it is empty is an error: what is lost with it is told.\n",
     .options = kDrainOptions,
     .least_arguments = 1,
     .most_arguments = 1,
     .run = Drain},
    {.name = "copy",
     .synopsis = "[--from NODE] --to NODE [--wait] [OPTIONS] KEY",
     .summary = "have another replica of an object",
     .description = "  Starts a task of the master and prints its number. The object then has one\n"
                    "  replica more.\n",
     .options = kTaskOptions,
     .least_arguments = 1,
     .most_arguments = 1,
     .run = Copy},
    {.name = "move",
     .synopsis = "--from NODE --to NODE [--wait] [OPTIONS] KEY",
     .summary = "move a replica of an object to another node",
     .description = "  As copy; when the new replica stands, the old one is given up.\n",
     .options = kTaskOptions,
     .least_arguments = 1,
     .most_arguments = 1,
     .run = Move},
    {.name = "tasks",
     .synopsis = "[OPTIONS]",
     .summary = "copies and moves that were asked for",
     .description =
         "  Those that wait or run, and the last 1000 that ended. They end with the master.\n",
     .run = ShowTasks},
};

}  // namespace

std::span<const Command> MoveCommands() { return kCommands; }

}  // namespace kvstore::kvctl
