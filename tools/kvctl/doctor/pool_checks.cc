#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "text/key_text.h"
#include "tools/kvctl/doctor/checks.h"
#include "tools/text/units.h"

namespace kvstore::kvctl::doctor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using text::FormatBytes;
using text::FormatDuration;

constexpr Duration kLateAnswer = milliseconds(200);
constexpr Duration kVeryLateAnswer = seconds(1);
// Notes that are older hold up puts, see docs/protocol.md.
constexpr Duration kOldNote = milliseconds(100);
constexpr Duration kVeryOldNote = seconds(2);

bool Lends(const NodeRow& node) { return node.segments > 0; }

std::string Named(const NodeRow& node) { return "'" + text::Escape(node.name) + "'"; }

// "'a', 'b' and 3 more"
std::string Names(const std::vector<std::string>& names) {
  constexpr size_t kShown = 5;
  std::string all;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    all += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kShown) all += " and " + std::to_string(names.size() - kShown) + " more";
  return all;
}

template <typename Which>
std::vector<std::string> NamesOf(const PoolView& pool, const Which& which) {
  std::vector<std::string> names;
  for (const NodeRow& node : pool.nodes) {
    if (which(node)) names.push_back(Named(node));
  }
  return names;
}

std::string Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? "0%" : std::to_string(100 * part / whole) + "%";
}

}  // namespace

Findings CheckMaster(const PoolView& pool) {
  const std::string why = pool.problem.empty() ? "" : ": " + pool.problem;
  switch (pool.reached) {
    case Reached::kNoName:
      return {Wrong("master", "the name in " + pool.master + " has no address" + why,
                    "check --master, /etc/hosts and the name server")};
    case Reached::kNoPath:
      return {Wrong("master", "nothing answers at " + pool.master + why,
                    "is that machine up, and does a firewall drop the port?")};
    case Reached::kRefused:
      return {Wrong("master", "nobody listens at " + pool.master + why,
                    "start kvstore_master there, with --listen on that address; check the port")};
    case Reached::kNoMaster:
      return {Wrong("master", "what listens at " + pool.master + " gives no answer" + why,
                    "is it a kvstore_master, of this version? Its metrics port is another one; "
                    "one that hangs writes why to its log")};
    case Reached::kMaster:
      break;
  }
  const std::string what = "answers within " + FormatDuration(pool.answer_time) + ", up for " +
                           FormatDuration(pool.status.uptime) + ", term " +
                           std::to_string(pool.status.term);
  const std::string remedy =
      "its machine is overloaded, or the way there is slow; see its CPU and kvctl top";
  if (pool.answer_time > kVeryLateAnswer) return {Wrong("master", what, remedy)};
  if (pool.answer_time > kLateAnswer) return {Note("master", what, remedy)};
  return {Well("master", what)};
}

Findings CheckVersions(const PoolView& pool) {
  if (pool.status.protocol_version != pool.own_protocol) {
    return {Wrong("versions",
                  "the master speaks protocol " + std::to_string(pool.status.protocol_version) +
                      ", this kvctl " + std::to_string(pool.own_protocol),
                  "install the same version of both")};
  }
  std::set<std::string> others;
  if (pool.own_software != pool.status.software) others.insert("kvctl " + pool.own_software);
  for (const NodeRow& node : pool.nodes) {
    if (node.software != pool.status.software) {
      others.insert("nodes " + text::Escape(node.software));
    }
  }
  if (others.empty()) return {Well("versions", "all are " + pool.status.software)};
  return {Note("versions",
               "the master is " + pool.status.software + "; " +
                   Names(std::vector<std::string>(others.begin(), others.end())),
               "they understand each other; finish the upgrade")};
}

Findings CheckNodes(const PoolView& pool) {
  Findings findings;
  const auto in_state = [&](std::string_view state) {
    return NamesOf(pool, [state](const NodeRow& node) { return node.state == state; });
  };
  if (const auto names = in_state("suspected"); !names.empty()) {
    findings.push_back(Wrong("nodes", "suspected, since nothing is heard of them: " + Names(names),
                             "look at their process and network; they are given up with their "
                             "objects if they stay silent"));
  }
  if (const auto names = in_state("missing"); !names.empty() || pool.status.nodes_missing > 0) {
    findings.push_back(
        Wrong("nodes",
              std::to_string(pool.status.nodes_missing) +
                  " members of the last reign have not reported: " + Names(names),
              "until they have, or are given up, misses, puts and removes wait; start them, or "
              "wait"));
  }
  if (const auto names = NamesOf(pool, [](const NodeRow& node) { return node.sick; });
      !names.empty()) {
    findings.push_back(Wrong("nodes", "sick, since their peers can't reach them: " + Names(names),
                             "check the network and firewall between the nodes, and --advertise; "
                             "they get no new objects"));
  }
  if (const auto names = NamesOf(pool, [](const NodeRow& node) { return node.draining; });
      !names.empty()) {
    findings.push_back(Note("nodes", "being drained: " + Names(names),
                            "nothing, if that is wished; kvctl drain --undo NODE"));
  }
  if (std::none_of(pool.nodes.begin(), pool.nodes.end(), Lends)) {
    findings.push_back(Wrong("nodes", "no node lends memory, so that every put fails",
                             "start kvstore_node --lend SIZE"));
  }
  if (findings.empty()) {
    const auto lenders = std::count_if(pool.nodes.begin(), pool.nodes.end(), Lends);
    findings.push_back(Well("nodes", std::to_string(pool.nodes.size()) + " live, " +
                                         std::to_string(lenders) + " of them lend memory"));
  }
  return findings;
}

Findings CheckNames(const PoolView& pool) {
  std::map<std::string, int> lenders;
  for (const NodeRow& node : pool.nodes) {
    if (Lends(node) && node.state == "live") ++lenders[node.name];
  }
  std::vector<std::string> twice;
  for (const auto& [name, count] : lenders) {
    if (count > 1) twice.push_back("'" + text::Escape(name) + "'");
  }
  if (twice.empty()) return {Well("names", "every lending node has one of its own")};
  return {Wrong("names", "several live nodes are called " + Names(twice),
                "who drains or prefers one means all of them; give each its --name")};
}

Findings CheckHosts(const PoolView& pool) {
  std::set<std::string> lending;
  for (const NodeRow& node : pool.nodes) {
    if (Lends(node)) lending.insert(node.host);
  }
  const auto without = NamesOf(
      pool, [&](const NodeRow& node) { return !Lends(node) && !lending.contains(node.host); });
  if (without.empty()) return {Well("hosts", "every client has a node on its host")};
  return {Note("hosts", "nobody lends memory on the hosts of " + Names(without),
               "their puts with placement this_host, and Create and View, fail; start a "
               "kvstore_node there, as the same user, or lend in those processes")};
}

Findings CheckSpace(const PoolView& pool) {
  const Space& space = pool.status.space;
  Findings findings;
  const auto share = [&space](uint64_t bytes) {
    return FormatBytes(bytes) + " (" + Percent(bytes, space.size) + ")";
  };
  if (space.pinned > space.size / 10 * 8) {
    findings.push_back(Wrong(
        "space", share(space.pinned) + " of the " + FormatBytes(space.size) + " lent are pinned",
        "unpin objects (kvctl unpin), or lend more"));
  } else if (space.size > 0 && space.pinned + space.leased > space.size / 10 * 9) {
    findings.push_back(Wrong("space",
                             "of " + FormatBytes(space.size) + " lent " + share(space.leased) +
                                 " are leased and " + share(space.pinned) +
                                 " pinned: hardly anything may be evicted",
                             "lend more, or lower the master's lease_ms"));
  }
  if (pool.status.puts_parked > 0) {
    findings.push_back(Note("space",
                            std::to_string(pool.status.puts_parked) + " puts wait for room",
                            "usual while a full pool evicts; if it stays so, lend more"));
  }
  if (findings.empty()) {
    findings.push_back(Well(
        "space", share(space.committed) + " of " + FormatBytes(space.size) + " lent hold objects"));
  }
  return findings;
}

Findings CheckNotes(const PoolView& pool) {
  std::vector<std::string> slow;
  for (const NodeRow& node : pool.nodes) {
    if (node.oldest_note > kOldNote) slow.push_back(Named(node));
  }
  const Duration oldest = pool.status.oldest_note;
  const std::string what = "the oldest of " + std::to_string(pool.status.notes_unconfirmed) +
                           " unconfirmed notes is " + FormatDuration(oldest) + " old" +
                           (slow.empty() ? "" : "; slow to confirm: " + Names(slow));
  const std::string remedy =
      "puts to such a node wait; look at its CPU and at the network between it and the master";
  if (oldest > kVeryOldNote) return {Wrong("notes", what, remedy)};
  if (oldest > kOldNote) return {Note("notes", what, remedy)};
  return {Well("notes", "holders confirm within " + FormatDuration(kOldNote))};
}

Findings CheckReplicas(const PoolView& pool) {
  const uint64_t lacking = pool.status.objects_lacking;
  if (lacking == 0) return {Well("replicas", "every object has as many as it wants")};
  const std::string what = std::to_string(lacking) + " objects have fewer replicas than they want";
  if (pool.status.copies_running > 0) {
    return {Note("replicas",
                 what + "; " + std::to_string(pool.status.copies_running) + " are being made",
                 "nothing: wait")};
  }
  return {Wrong("replicas", what + ", and none is being made",
                "there is no room, or too few nodes live for it; add nodes, or memory")};
}

Findings CheckReaches(const PoolView& pool) {
  Findings findings;
  for (const NodeReach& reach : pool.reaches) {
    if (reach.status.ok()) continue;
    // Not told by TCP at all: it may be meant so.
    const bool meant = reach.status.code() == StatusCode::kFailedPrecondition;
    findings.push_back({meant ? Level::kNote : Level::kWrong, "data ports",
                        "'" + text::Escape(reach.node) + "': " + reach.status.message(),
                        meant ? "processes of other machines can't read it: see its --ways and "
                                "--listen"
                              : "check --listen and --advertise of that node, and the firewall "
                                "before it"});
  }
  if (findings.empty()) {
    findings.push_back(Well("data ports", std::to_string(pool.reaches.size()) +
                                              " lending nodes are reached by TCP from here"));
  }
  return findings;
}

Findings CheckLentMemory(const MachineView& machine, const PoolView& pool) {
  uint64_t lent = 0, untouched = 0;
  for (const NodeRow& node : pool.nodes) {
    if (machine.boot_id.empty() || !node.host.starts_with(machine.boot_id)) continue;
    lent += node.space.size;
    untouched += node.space.unprepared;
  }
  if (lent == 0) return {Well("lent memory", "none of this machine's")};
  const std::string what = FormatBytes(lent) + " of this machine's are lent, of which " +
                           FormatBytes(untouched) + " are not taken yet; " +
                           FormatBytes(machine.memory_available) + " are available";
  if (untouched > machine.memory_available) {
    return {Wrong("lent memory", what,
                  "the kernel will kill something as the pool fills; lend less here")};
  }
  return {Well("lent memory", what)};
}

Findings CheckAll(const MachineView& machine, const PoolView& pool) {
  Findings all;
  const auto add = [&all](Findings more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
  };
  for (const auto check : {CheckKernel, CheckMemory, CheckHugePages, CheckOpenFiles, CheckRdma}) {
    add(check(machine));
  }
  add(CheckMaster(pool));
  if (pool.reached != Reached::kMaster) return all;
  for (const auto check : {CheckVersions, CheckNodes, CheckNames, CheckHosts, CheckSpace,
                           CheckNotes, CheckReplicas, CheckReaches, CheckRdmaReaches}) {
    add(check(pool));
  }
  add(CheckLentMemory(machine, pool));
  return all;
}

}  // namespace kvstore::kvctl::doctor
