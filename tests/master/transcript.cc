#include "master/transcript.h"

#include <sstream>
#include <stdexcept>

#include "fakes/strike.h"
#include "master/event_names.h"

namespace kvstore::master {
namespace {

// "2": granules, "10b": bytes.
uint64_t ParseSize(const std::string& text) {
  const uint64_t number = std::stoull(text);
  return text.back() == 'b' ? number : number * kDefaultGranule;
}

std::string Granules(uint64_t bytes) { return std::to_string(bytes / kDefaultGranule); }

std::string RangesText(const std::vector<Range>& ranges) {
  std::string text;
  for (const Range& range : ranges) {
    text += (text.empty() ? "[" : " ") + Granules(range.offset) + "+" + Granules(range.length);
  }
  return text + "]";
}

KeyBatch Keys(const std::vector<std::string>& names) {
  KeyBatch keys;
  for (const std::string& name : names) keys.Add(name);
  return keys;
}

std::string RetentionText(const Retention& kept) {
  std::string text;
  if (kept.hard_pin) text += ", pinned";
  if (kept.soft_pin > Duration::zero()) text += ", soft-pinned for " + TimeText(kept.soft_pin);
  if (kept.ttl > Duration::zero()) text += ", expires in " + TimeText(kept.ttl);
  if (!kept.group.empty()) text += ", group " + kept.group;
  if (kept.position > 0) text += ", position " + std::to_string(kept.position);
  return text;
}

std::string SpaceText(const Space& space) {
  return "size " + Granules(space.size) + ", unprepared " + Granules(space.unprepared) + ", free " +
         Granules(space.free) + ", unfinished " + Granules(space.unfinished) + ", committed " +
         Granules(space.committed) + " (leased " + Granules(space.leased) + "), retiring " +
         Granules(space.retiring);
}

}  // namespace

std::string Transcript::Run(const std::string& text) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    result += line + "\n";
    if (line == "----") {
      while (std::getline(lines, line) && !line.empty()) continue;  // what was expected
      if (catalog_) output_ += catalog_->CheckInvariants();
      result += output_ + "\n";
      output_.clear();
    } else if (!line.empty() && line[0] != '#') {
      Execute(line);
    }
  }
  while (result.size() > 1 && result.substr(result.size() - 2) == "\n\n") result.pop_back();
  return result;
}

void Transcript::Execute(const std::string& line) {
  const Command command(line);
  const std::string& verb = command.verb();
  if (verb[0] == '+') {
    now_ += ParseTime(verb.substr(1));
  } else if (verb == "limits") {
    NewCatalog(command);
  } else if (verb == "guards") {
    SetGuards(command);
  } else if (verb == "tick") {
    Show(WithStrikes(catalog_.get(), now_, catalog_->Tick(now_)));
  } else if (verb == "join") {
    Join(command);
  } else if (verb == "lost") {
    Show(catalog_->SessionLost(now_, Named(command.Argument(0))));
  } else if (verb == "leave") {
    Show(WithStrikes(catalog_.get(), now_, catalog_->Leave(now_, Named(command.Argument(0)))));
  } else if (verb == "hear") {
    for (const std::string& node : command.arguments()) Show(catalog_->Heard(now_, Named(node)));
  } else if (verb == "excuse") {
    catalog_->Excuse(now_, ParseTime(command.Argument(0)));
  } else if (verb == "watch") {
    catalog_->WatchObjects(command.Argument(0) == "on");
  } else if (verb == "evict") {
    Evict(command);
  } else if (verb == "reign") {
    BeginReign(command);
  } else if (verb == "report") {
    HandReport(command);
  } else if (verb == "noted") {
    ConfirmNotes(command);
  } else if (verb == "lend" || verb == "drain" || verb == "task" || verb == "tasks") {
    Operate(command);
  } else if (verb == "withdrawn" || verb == "free" || verb == "ready" || verb == "copied" ||
             verb == "released") {
    Acknowledge(command);
  } else if (verb == "census" || verb == "nodes" || verb == "departed" || verb == "segments" ||
             verb == "objects" || verb == "describe" || verb == "counters") {
    List(command);
  } else {
    Ask(command);
  }
}

void Transcript::NewCatalog(const Command& command) {
  Limits limits;
  limits.lease = command.Time("lease", limits.lease);
  limits.longest_grant = command.Time("grant", limits.longest_grant);
  limits.gone_after = command.Time("gone", limits.gone_after);
  limits.abort_writer_after = command.Time("abort", limits.abort_writer_after);
  limits.suspect_after = command.Time("suspect", limits.suspect_after);
  limits.order_resend_after = command.Time("resend", limits.order_resend_after);
  limits.repair_bytes_per_second =
      command.Number("rate", limits.repair_bytes_per_second / kDefaultGranule) * kDefaultGranule;
  limits.copies_in_flight = command.Number("copies", limits.copies_in_flight);
  limits.copies_per_node = command.Number("per_node", limits.copies_per_node);
  limits.shortest_copy = command.Time("copy", limits.shortest_copy);
  limits.slowest_copy_bytes_per_second =
      command.Number("copy_rate", limits.slowest_copy_bytes_per_second / kDefaultGranule) *
      kDefaultGranule;
  limits.tasks_kept = command.Number("tasks", limits.tasks_kept);
  limits.sick_for = command.Time("sick", limits.sick_for);
  limits.slow_start = command.Time("slow", Duration::zero());
  limits.free_share_wanted = std::stod(command.Option("watermark", "0"));
  limits.ahead_for = command.Time("ahead_for", limits.ahead_for);
  limits.ahead_bytes = command.Number("ahead_bytes", 8) * kDefaultGranule;
  limits.ahead_bytes_small = command.Number("ahead_small", 256) * kDefaultGranule;
  limits.ahead_per_writer = command.Number("ahead_grants", limits.ahead_per_writer);
  limits.ahead_share_allowed = std::stod(command.Option("ahead", "0"));
  limits.leased_share_allowed = std::stod(command.Option("leased", "0.8"));
  limits.pinned_share_allowed = std::stod(command.Option("pinned", "0.5"));
  limits.prepare_step = command.Number("step", 1) * kDefaultGranule;
  limits.waiting_items = command.Number("waiting", limits.waiting_items);
  limits.outcomes_kept_per_writer = command.Number("outcomes", limits.outcomes_kept_per_writer);
  limits.objects = command.Number("objects", limits.objects);
  limits.nodes = command.Number("nodes", limits.nodes);
  limits.segments_per_node = command.Number("segments", limits.segments_per_node);
  limits.replicas = static_cast<uint32_t>(command.Number("replicas", limits.replicas));
  limits.ranges_per_replica = command.Number("ranges", limits.ranges_per_replica);
  limits_ = limits;
  notes_shown_ = command.Has("notes");
  catalog_ = std::make_unique<Catalog>(now_, limits, Reign{kPool, 1, {}, {}}, guards_);
  holders_.clear();
  last_request_ = 0;
}

void Transcript::SetGuards(const Command& command) {
  guards_ = {};
  const std::map<std::string, bool Guards::*> names = {
      {"reuse_after_free_ack", &Guards::reuse_after_free_ack},
      {"commit_waits_for_withdrawal", &Guards::commit_waits_for_withdrawal},
      {"remove_waits_for_withdrawal", &Guards::remove_waits_for_withdrawal},
      {"gone_after_longest_lease", &Guards::gone_after_longest_lease},
      {"gone_never_returns", &Guards::gone_never_returns},
      {"expired_grants_are_refused", &Guards::expired_grants_are_refused},
      {"suspected_holders_get_no_lease", &Guards::suspected_holders_get_no_lease},
      {"copies_go_where_none_is", &Guards::copies_go_where_none_is},
      {"copies_serve_when_filled", &Guards::copies_serve_when_filled},
      {"other_terms_are_ignored", &Guards::other_terms_are_ignored},
      {"grant_after_report", &Guards::grant_after_report},
      {"misses_wait_for_reports", &Guards::misses_wait_for_reports},
      {"nothing_evicted_for_longest_lease", &Guards::nothing_evicted_for_longest_lease},
      {"durable_waits_for_notes", &Guards::durable_waits_for_notes},
      {"replaced_stays_until_noted", &Guards::replaced_stays_until_noted},
      {"named_pieces_are_spent", &Guards::named_pieces_are_spent},
      {"pieces_name_their_term", &Guards::pieces_name_their_term},
      {"pieces_are_placed", &Guards::pieces_are_placed},
      {"ended_puts_stay_ended", &Guards::ended_puts_stay_ended}};
  for (const std::string& name : Split(command.Option("off", ""), ',')) {
    if (!names.contains(name)) command.Fail("no such guard");
    guards_.*names.at(name) = false;
  }
}

void Transcript::Join(const Command& command) {
  const std::string& name = command.Argument(0);
  Holder& holder = holders_[name];
  Hello& hello = holder.hello;
  const uint64_t number = command.Number("incarnation", static_cast<uint64_t>(name[0]));
  hello.self = {{number, 0}, command.Option("name", name), command.Option("host", "h1"), "at"};
  hello.counter = command.Number("counter", std::max<uint64_t>(hello.counter, 1));
  hello.term = command.Number("term", 0);
  const std::string pool = command.Option("pool", "none");
  hello.pool = pool == "ours" ? kPool : pool == "other" ? Incarnation{1, 1} : Incarnation{};
  if (command.Has("lend")) {
    const std::vector<std::string> sizes = Split(command.Option("lend", ""), ',');
    const std::vector<std::string> ready =
        Split(command.Option("ready", command.Option("lend", "")), ',');
    hello.segments.clear();
    for (uint32_t i = 0; i < sizes.size(); ++i) {
      hello.segments.push_back({i, ParseSize(sizes[i]), command.Number("granule", kDefaultGranule),
                                ParseSize(ready[i])});
    }
  }
  Effects effects;
  const Result<Welcome> welcome = catalog_->Join(now_, hello, &effects);
  const bool shown = command.Has("report") && welcome.ok() && welcome->wants_report;
  Line(welcome.ok() ? "welcome " + name + " term " + std::to_string(welcome->term) +
                          (shown ? ", wants a report" : "")
                    : "refused " + name + " " + welcome.status().ToString());
  Show(effects);
  if (!welcome.ok() || !welcome->wants_report || shown) return;
  const Report report = WholeReport(welcome->term, hello.counter);
  const Status status = catalog_->HandleReport(now_, hello.self.incarnation, report, &effects);
  if (!status.ok()) Line("refused the report of " + name + " " + status.ToString());
  Show(effects);
}

void Transcript::Acknowledge(const Command& command) {
  Holder& holder = holders_.at(command.Argument(0));
  Acks acks;
  acks.term = command.Number("term", catalog_->term());
  if (command.verb() == "ready") {
    acks.ready.push_back({static_cast<uint32_t>(std::stoul(command.Argument(1))),
                          ParseSize(command.Argument(2)), command.Option("problem", "")});
  } else if (command.verb() == "released") {
    const auto segment = static_cast<uint32_t>(std::stoul(command.Argument(1)));
    acks.released.push_back(
        {segment, ParseSize(command.Argument(2)),
         std::stoull(command.Option("number", std::to_string(holder.releases[segment])))});
  } else if (command.verb() == "copied") {
    acks.copied = Copied(command);
  } else {
    ++holder.hello.counter;
    for (const std::string& put : command.ArgumentsFrom(1)) {
      for (const auto& [name, order] : holder.orders) {
        if (name.first != ParsePut(put)) continue;
        acks.retired.push_back(
            {order.put, order.segment, command.Number("birth", order.birth),
             command.verb() == "free" ? RetireStage::kFree : RetireStage::kWithdrawn});
      }
    }
    if (acks.retired.empty()) command.Fail("no such order");
  }
  holder.hello.counter = command.Number("counter", holder.hello.counter);
  acks.counter = holder.hello.counter;
  Show(catalog_->HandleAcks(now_, holder.hello.self.incarnation, acks));
}

void Transcript::Evict(const Command& command) {
  EvictRequest request;
  request.keys = command.arguments();
  request.bytes = command.Number("granules", 0) * kDefaultGranule;
  request.node = command.Option("node", "");
  Effects effects;
  const EvictOutcome outcome = catalog_->Evict(now_, request, &effects);
  Line("evicted " + std::to_string(outcome.objects) + " objects, " + Granules(outcome.bytes));
  for (const Status& status : outcome.statuses) Line(status.ToString());
  if (!outcome.status.ok()) Line(outcome.status.ToString());
  Show(effects);
}

std::vector<CopyAck> Transcript::Copied(const Command& command) {
  std::vector<CopyAck> acks;
  for (const std::string& put : command.ArgumentsFrom(1)) {
    const CopyOrder& order = holders_.at(command.Argument(0)).copies.at(ParsePut(put));
    acks.push_back(
        {order.put, order.segment, command.Number("birth", order.birth),
         command.Has("problem") ? UnavailableError(command.Option("problem", "")) : Status::Ok()});
  }
  return acks;
}

void Transcript::Operate(const Command& command) {
  const auto show = [this](const Result<Effects>& effects) {
    if (effects.ok()) {
      Show(WithStrikes(catalog_.get(), now_, *effects));
    } else {
      Line("refused " + effects.status().ToString());
    }
  };
  if (command.verb() == "lend") {
    Lend lend;
    for (const std::string& item : command.ArgumentsFrom(1)) {
      const std::vector<std::string> parts = Split(item, ':');
      const uint64_t size = ParseSize(parts.at(1));
      lend.segments.push_back({static_cast<uint32_t>(std::stoul(parts.at(0))), size,
                               command.Number("granule", kDefaultGranule),
                               ParseSize(command.Option("ready", parts.at(1)))});
    }
    show(catalog_->HandleLend(now_, Named(command.Argument(0)), lend));
  } else if (command.verb() == "drain") {
    show(catalog_->Drain(now_, command.Argument(0), !command.Has("off")));
  } else if (command.verb() == "task") {
    const std::string& from = command.Argument(2);
    Effects effects;
    const Result<uint64_t> id = catalog_->StartTask(
        now_,
        {command.Argument(0) == "move" ? TaskRequest::Kind::kMove : TaskRequest::Kind::kCopy,
         command.Argument(1), from == "any" ? "" : from, command.Argument(3)},
        &effects);
    Line(id.ok() ? "task " + std::to_string(*id) : "refused " + id.status().ToString());
    Show(effects);
  } else {
    for (const TaskLine& task : catalog_->ListTasks(now_)) {
      const char* const kStates[] = {"waiting", "running", "done", "failed"};
      Line("task " + std::to_string(task.id) + " " + task.request.key + " to " + task.request.to +
           " " + kStates[static_cast<size_t>(task.state)] +
           (task.status.ok() ? "" : " " + task.status.ToString()) + ", " +
           std::to_string(task.size) + " bytes, age " + TimeText(task.age));
    }
  }
}

void Transcript::Ask(const Command& command) {
  Show(catalog_->Handle(now_, Named(command.Argument(0)), Request(command)));
}

VerbRequest Transcript::Request(const Command& command) {
  VerbRequest request;
  request.id = command.Number("request", last_request_ + 1);
  last_request_ = std::max(last_request_, request.id);
  request.patience = command.Time("patience", std::chrono::seconds(10));
  const std::vector<std::string> items = command.ArgumentsFrom(1);
  if (command.verb() == "put") {
    request.verb = Put(command);
  } else if (command.verb() == "commit") {
    request.verb = Commit(command);
  } else if (command.verb() == "ahead") {
    GrantAhead verb{std::stoull(command.Argument(1)), ParseSize(command.Argument(2)), 0, {}};
    verb.least = ParseSize(command.Option("least", "1"));
    for (const std::string& item : Split(command.Option("done", ""), ',')) {
      verb.done.push_back(std::stoull(item));
    }
    request.verb = verb;
  } else if (command.verb() == "abort") {
    AbortPut verb;
    for (const std::string& item : items) verb.sequences.push_back(std::stoull(item));
    request.verb = verb;
  } else if (command.verb() == "locate") {
    request.verb = Locate{Keys(items),
                          command.Option("lease", "yes") == "yes",
                          command.Option("readable", "no") == "yes",
                          {command.Time("await", Duration::zero()), command.Option("after", "")}};
  } else if (command.verb() == "exists") {
    request.verb = Exists{Keys(items)};
  } else if (command.verb() == "wait") {
    request.verb = WaitExists{Keys(items)};
  } else if (command.verb() == "stat") {
    request.verb = StatObject{Keys(items)};
  } else if (command.verb() == "remove") {
    request.verb = Remove{Keys(items)};
  } else if (command.verb() == "fail") {
    ReportFailures verb;
    for (const std::string& item : items) {
      const std::vector<std::string> parts = Split(item, '/');
      verb.segments.push_back({Named(parts.at(0)), static_cast<uint32_t>(std::stoul(parts.at(1)))});
    }
    request.verb = verb;
  } else if (command.verb() == "pin") {
    request.verb = Pin{Keys(items), command.Has("hard"), command.Time("soft", Duration::zero())};
  } else if (command.verb() == "sweep") {
    request.verb = RemoveMatching{command.Option("prefix", "")};
  } else if (command.verb() == "note") {
    NoteReads verb;
    for (const std::string& item : items) verb.puts.push_back(ParsePut(item));
    request.verb = verb;
  } else {
    command.Fail("no such command");
  }
  return request;
}

StartPut Transcript::Put(const Command& command) const {
  StartPut verb;
  for (const std::string& item : command.ArgumentsFrom(1)) {
    const std::vector<std::string> parts = Split(item, ':');
    if (parts.size() < 3) command.Fail("an item is SEQUENCE:KEY:SIZE[:POSITION]");
    verb.sequences.push_back(std::stoull(parts[0]));
    verb.keys.Add(parts[1]);
    verb.sizes.push_back(ParseSize(parts[2]));
    if (parts.size() > 3) {
      verb.positions.push_back(static_cast<uint32_t>(std::stoul(parts[3])));
    }
  }
  SetOptions(command, &verb);
  if (command.Has("instead")) {
    verb.instead_of.assign(verb.keys.size(), command.Number("instead", 0));
  }
  if (command.Has("sizes")) verb.sizes.resize(command.Number("sizes", 0));
  return verb;
}

void Transcript::SetOptions(const Command& command, StartPut* put) {
  StartPut& verb = *put;
  verb.replicas = static_cast<uint32_t>(command.Number("replicas", 1));
  verb.replace = command.Has("replace");
  verb.durable = command.Has("durable");
  verb.retention.hard_pin = command.Has("hard");
  verb.retention.soft_pin = command.Time("soft", Duration::zero());
  verb.retention.ttl = command.Time("ttl", Duration::zero());
  verb.retention.group = command.Option("group", "");
  if (command.Has("spread")) verb.placement = Placement::kSpread;
  if (command.Has("here")) verb.placement = Placement::kThisHost;
  verb.preferred_nodes = Split(command.Option("prefer", ""), ',');
}

CommitPut Transcript::Commit(const Command& command) const {
  CommitPut verb;
  for (const std::string& item : command.ArgumentsFrom(1)) {
    const std::vector<std::string> parts = Split(item, ':');
    verb.sequences.push_back(std::stoull(parts[0]));
    verb.checksums.push_back(parts.size() > 1 ? std::stoull(parts[1]) : verb.sequences.back());
    if (!command.Has("in")) continue;
    if (parts.size() != 5) command.Fail("an item in a grant ahead is SEQUENCE:SUM:KEY:SIZE:OFFSET");
    verb.put.sequences.push_back(verb.sequences.back());
    verb.put.keys.Add(parts[2]);
    verb.put.sizes.push_back(ParseSize(parts[3]));
    const uint64_t granules = (verb.put.sizes.back() + kDefaultGranule - 1) / kDefaultGranule;
    verb.pieces.push_back(
        {command.Number("in", 0), command.Number("term", catalog_->term()), ParseSize(parts[4]),
         ParseSize(command.Option("length", std::to_string(std::max<uint64_t>(granules, 1))))});
  }
  SetOptions(command, &verb.put);
  if (command.Has("checksums")) verb.checksums.resize(command.Number("checksums", 0));
  return verb;
}

void Transcript::List(const Command& command) {
  if (command.verb() == "census") {
    const Census census = catalog_->TakeCensus(now_);
    Line("objects " + std::to_string(census.objects) + ", unfinished " +
         std::to_string(census.puts_unfinished) + ", parked " + std::to_string(census.puts_parked) +
         ", waiting " + std::to_string(census.requests_waiting) + ", live " +
         std::to_string(census.nodes_live) + ", suspected " +
         std::to_string(census.nodes_suspected) +
         (census.objects_lacking ? ", lacking " + std::to_string(census.objects_lacking) : "") +
         (census.grants_ahead ? ", ahead " + std::to_string(census.grants_ahead) : "") +
         (census.copies_running ? ", copies " + std::to_string(census.copies_running) : ""));
    if (census.nodes_missing > 0) Line("missing " + std::to_string(census.nodes_missing));
    if (census.notes_unconfirmed > 0) {
      Line("notes unconfirmed " + std::to_string(census.notes_unconfirmed) + ", the oldest for " +
           TimeText(census.oldest_note));
    }
    Line(SpaceText(census.space));
  } else if (command.verb() == "nodes") {
    for (const NodeLine& node : catalog_->ListNodes(now_)) {
      Line(node.peer.name + (node.suspected ? " suspected" : " live") + (node.sick ? " sick" : "") +
           (node.draining ? " draining" : "") + ", silent " + TimeText(node.silent) + ", counter " +
           std::to_string(node.counter) + ", orders open " + std::to_string(node.orders_open) +
           ", " + SpaceText(node.space));
    }
  } else if (command.verb() == "segments") {
    for (const SegmentLine& segment : catalog_->ListSegments(now_)) {
      Line(segment.node + "/" + std::to_string(segment.id.index) + " objects " +
           std::to_string(segment.objects) + ", free ranges " +
           std::to_string(segment.free_ranges) + ", largest " + Granules(segment.largest_free) +
           ", " + SpaceText(segment.space));
    }
  } else if (command.verb() == "describe") {
    const Result<ObjectDetail> object = catalog_->Describe(now_, command.Argument(0));
    Line(object.ok() ? command.Argument(0) + " is there" : object.status().ToString());
  } else if (command.verb() == "departed") {
    for (const NodeEvent& event : catalog_->ListDeparted()) ShowNode(event);
  } else if (command.verb() == "objects") {
    for (const ObjectLine& object :
         catalog_->ListObjects(now_, command.Option("prefix", ""), command.Option("after", ""),
                               command.Number("limit", 100))) {
      std::string nodes;
      for (const std::string& node : object.nodes) nodes += " " + node;
      Line(object.key + " " + std::to_string(object.size) + " bytes, age " + TimeText(object.age) +
           ", lease " + TimeText(object.lease_left) + ", on" + nodes);
    }
  } else {
    const Counters& c = catalog_->counters();
    const std::map<std::string, uint64_t> counters = {{"granted", c.puts_granted},
                                                      {"committed", c.puts_committed},
                                                      {"aborted", c.puts_aborted},
                                                      {"expired", c.puts_expired},
                                                      {"parked", c.puts_parked},
                                                      {"refused_full", c.puts_refused_full},
                                                      {"removed", c.removed},
                                                      {"replaced", c.replaced},
                                                      {"for_room", c.evicted_for_room},
                                                      {"by_watermark", c.evicted_by_watermark},
                                                      {"unreadable", c.looks_unreadable},
                                                      {"lost", c.lost_with_node},
                                                      {"ignored", c.acks_ignored},
                                                      {"resent", c.orders_resent},
                                                      {"no_lease", c.leases_refused},
                                                      {"withdrawn", c.acks_withdrawn},
                                                      {"free", c.acks_free},
                                                      {"noted", c.reads_noted},
                                                      {"by_operator", c.evicted_by_operator},
                                                      {"with_group", c.evicted_with_group},
                                                      {"bytes_evicted", c.bytes_evicted},
                                                      {"pins_broken", c.soft_pins_broken},
                                                      {"pins_set", c.pins_set},
                                                      {"pins_refused", c.pins_refused},
                                                      {"ttl", c.expired},
                                                      {"copies", c.copies_started},
                                                      {"copied", c.copies_made},
                                                      {"copies_failed", c.copies_failed},
                                                      {"given_up", c.replicas_given_up},
                                                      {"ahead_given", c.ahead_given},
                                                      {"ahead_refused", c.ahead_refused},
                                                      {"ahead_used_up", c.ahead_used_up},
                                                      {"ahead_given_back", c.ahead_given_back},
                                                      {"ahead_expired", c.ahead_expired},
                                                      {"ahead_called_back", c.ahead_called_back},
                                                      {"ahead_lost", c.ahead_lost},
                                                      {"puts_ahead", c.puts_ahead}};
    for (const std::string& name : command.arguments()) {
      if (!counters.contains(name)) command.Fail("no such counter");
      Line(name + " " + std::to_string(counters.at(name)));
    }
  }
}

void Transcript::Show(const Effects& effects) {
  for (const Effects::Reply& reply : effects.replies) ShowReply(reply);
  for (const Effects::OrdersTo& to : effects.orders) {
    for (const Order& order : to.orders.orders) ShowOrder(NameOf(to.node), order);
    std::string sources;
    for (const Peer& peer : to.orders.peers) sources += " " + peer.name;
    if (!sources.empty()) Line("   sources" + sources);
  }
  for (const NodeEvent& event : effects.node_events) ShowNode(event);
  for (const ObjectEvent& event : effects.object_events) {
    Line("* " + std::string(EventName(event.what)) + " " + event.key + " " + PutText(event.put) +
         " size " + std::to_string(event.size) + (event.node.empty() ? "" : " on " + event.node));
  }
  for (const std::string& key : effects.contradicted) Line("contradicted " + key);
  ConfirmUnseen();
}

void Transcript::ShowReply(const Effects::Reply& reply) {
  const auto start = [&](const auto& answer) {
    return "-> " + NameOf(reply.caller) + " #" + std::to_string(reply.reply.id) + "." +
           std::to_string(answer.index) + " " + answer.status.ToString();
  };
  const auto parked = [](Duration d) { return d.count() ? ", parked " + TimeText(d) : ""; };
  if (const auto* items = std::get_if<std::vector<ItemAnswer>>(&reply.reply.answers)) {
    for (const ItemAnswer& a : *items) Line(start(a));
  } else if (const auto* puts = std::get_if<std::vector<StartPutAnswer>>(&reply.reply.answers)) {
    for (const StartPutAnswer& a : *puts) {
      Line(start(a) + (a.status.ok() ? ReplicasText(a.replicas) + ", grant " + TimeText(a.grant) +
                                           parked(a.parked) + (a.granule > 0 ? " ahead" : "")
                                     : ""));
    }
  } else if (const auto* found = std::get_if<std::vector<LocateAnswer>>(&reply.reply.answers)) {
    for (const LocateAnswer& a : *found) {
      Line(start(a) + (a.status.ok()
                           ? " " + PutText(a.put) + " size " + std::to_string(a.size) + " sum " +
                                 std::to_string(a.checksum) + ReplicasText(a.replicas) +
                                 ", lease " + TimeText(a.lease) + parked(a.parked)
                           : ""));
    }
  } else if (const auto* counts = std::get_if<std::vector<CountAnswer>>(&reply.reply.answers)) {
    for (const CountAnswer& a : *counts) Line(start(a) + " " + std::to_string(a.count));
  } else {
    for (const StatAnswer& a : std::get<std::vector<StatAnswer>>(reply.reply.answers)) {
      Line(start(a) +
           (a.status.ok()
                ? " " + PutText(a.put) + " size " + std::to_string(a.size) + " sum " +
                      std::to_string(a.checksum) + " age " + TimeText(a.age) + ", lease left " +
                      TimeText(a.lease_left) + RetentionText(a.retention) + ReplicasText(a.replicas)
                : ""));
    }
  }
  std::string peers;
  for (const Peer& peer : reply.reply.peers) peers += " " + peer.name;
  if (!peers.empty()) Line("   peers" + peers);
}

void Transcript::ShowNode(const NodeEvent& event) {
  const std::string why = event.has_session ? "silent " : "no session, silent ";
  const std::string lost = event.objects_lost == 0
                               ? ""
                               : ", lost " + std::to_string(event.objects_lost) + " objects of " +
                                     std::to_string(event.bytes_lost) + " bytes";
  switch (event.what) {
    case NodeEvent::What::kSuspected:
      return Line("suspected " + NameOf(event.node) + ": " + why + TimeText(event.lasted));
    case NodeEvent::What::kTrusted:
      return Line("trusted " + NameOf(event.node) + ", suspected for " + TimeText(event.lasted));
    case NodeEvent::What::kLeft:
      return Line("left " + NameOf(event.node) + lost);
    case NodeEvent::What::kGone:
      return Line("gone " + NameOf(event.node) + ": " +
                  (event.why.empty() ? why + TimeText(event.lasted) : event.why) + lost);
    case NodeEvent::What::kReported:
      return Line("reported " + NameOf(event.node));
    case NodeEvent::What::kSick:
      return Line("sick " + NameOf(event.node));
    case NodeEvent::What::kWell:
      return Line("well " + NameOf(event.node) + ", sick for " + TimeText(event.lasted));
    case NodeEvent::What::kDraining:
      return Line("draining " + NameOf(event.node));
    case NodeEvent::What::kDrained:
      return Line("drained " + NameOf(event.node));
  }
}

void Transcript::ShowOrder(const std::string& node, const Order& order) {
  if (const auto* retire = std::get_if<RetireOrder>(&order)) {
    Line("=> " + node + " retire " + PutText(retire->put) + " in " +
         std::to_string(retire->segment) + RangesText(retire->ranges) + " birth " +
         std::to_string(retire->birth));
    if (holders_.contains(node)) {
      holders_[node].orders[{retire->put, retire->segment}] = *retire;
    }
  } else if (const auto* copy = std::get_if<CopyOrder>(&order)) {
    Line("=> " + node + " copy " + PutText(copy->put) + " from" + ReplicasText({copy->from}) +
         " into " + std::to_string(copy->segment) + RangesText(copy->ranges) + " birth " +
         std::to_string(copy->birth));
    if (holders_.contains(node)) holders_[node].copies[copy->put] = *copy;
  } else if (const auto* release = std::get_if<ReleaseOrder>(&order)) {
    Line("=> " + node + " release " + std::to_string(release->segment) + " from " +
         Granules(release->limit));
    holders_[node].releases[release->segment] = release->number;
  } else if (std::holds_alternative<LeaveOrder>(order)) {
    Line("=> " + node + " leave");
  } else if (const auto* note = std::get_if<NoteOrder>(&order)) {
    TakeNote(node, *note);
  } else {
    const auto& prepare = std::get<PrepareOrder>(order);
    Line("=> " + node + " prepare " + std::to_string(prepare.segment) + " up to " +
         Granules(prepare.limit));
  }
}

Incarnation Transcript::Named(const std::string& node) const {
  const auto it = holders_.find(node);
  return it == holders_.end() ? Incarnation{static_cast<uint64_t>(node[0]), 0}
                              : it->second.hello.self.incarnation;
}

std::string Transcript::NameOf(Incarnation incarnation) const {
  for (const auto& [name, holder] : holders_) {
    if (holder.hello.self.incarnation == incarnation) return name;
  }
  return std::string(1, static_cast<char>(incarnation.high));
}

PutId Transcript::ParsePut(const std::string& text) const {
  const std::vector<std::string> parts = Split(text, '/');
  return {Named(parts.at(0)), std::stoull(parts.at(1))};
}

std::string Transcript::PutText(const PutId& put) const {
  return NameOf(put.writer) + "/" + std::to_string(put.sequence);
}

std::string Transcript::ReplicasText(const std::vector<Replica>& replicas) const {
  std::string text;
  for (const Replica& replica : replicas) {
    text += " " + NameOf(replica.segment.holder) + "/" + std::to_string(replica.segment.index) +
            RangesText(replica.ranges) + " birth " + std::to_string(replica.birth);
  }
  return text;
}

}  // namespace kvstore::master
