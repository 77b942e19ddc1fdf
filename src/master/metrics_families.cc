#include "master/metrics_families.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "kvstore/transfer.h"

namespace kvstore::master {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<prometheus::ClientMetric::Label>;

constexpr size_t kNamedNodes = 200;
constexpr char kOther[] = "other";
// In the order of ClientTally::bytes_by_way.
constexpr std::array<const char*, transfer::kWayCount - 1> kWays = {"local", "shm", "tcp", "rdma"};
static_assert(static_cast<size_t>(transfer::Way::kLocal) == 1 &&
              static_cast<size_t>(transfer::Way::kShm) == 2 &&
              static_cast<size_t>(transfer::Way::kTcp) == 3 &&
              static_cast<size_t>(transfer::Way::kRdma) == 4);

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void Add(MetricFamily* family, double value, Labels labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (family->type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family->metric.push_back(std::move(metric));
}

void Add(MetricFamily* family, uint64_t value, Labels labels = {}) {
  Add(family, static_cast<double>(value), std::move(labels));
}

// A family with one series without labels.
template <typename Value>
void AddSingle(std::vector<MetricFamily>* families, MetricType type, const char* name,
               const char* help, Value value) {
  MetricFamily family{name, help, type, {}};
  Add(&family, value);
  families->push_back(std::move(family));
}

using Parts = std::vector<std::pair<const char*, uint64_t>>;

// What all of a segment's bytes are, each counted once.
Parts PartsOf(const Space& space) {
  return {{"unprepared", space.unprepared},
          {"free", space.free},
          {"unfinished", space.unfinished},
          {"committed", space.committed},
          {"retiring", space.retiring}};
}

struct NodeSums {
  Space space;
  uint64_t objects = 0, orders_open = 0, notes_unconfirmed = 0;
  uint64_t live = 0;
  Duration silent{}, oldest_note{};
};

// Lenders by name: nodes may have the same.
std::map<std::string, NodeSums> SumByName(const std::vector<NodeLine>& nodes) {
  std::map<std::string, NodeSums> all;
  for (const NodeLine& line : nodes) {
    if (line.segments == 0 && !line.missing) continue;
    NodeSums& sums = all[line.peer.name];
    sums.space += line.space;
    sums.objects += line.objects;
    sums.orders_open += line.orders_open;
    sums.notes_unconfirmed += line.notes_unconfirmed;
    sums.live += line.suspected || line.missing ? 0 : 1;
    sums.silent = std::max(sums.silent, line.silent);
    sums.oldest_note = std::max(sums.oldest_note, line.oldest_note);
  }
  std::map<std::string, NodeSums> named;
  for (auto& [name, sums] : all) {
    const bool other = named.size() >= kNamedNodes && !named.contains(name);
    NodeSums& to = named[other ? kOther : name];
    to.space += sums.space;
    to.objects += sums.objects;
    to.orders_open += sums.orders_open;
    to.notes_unconfirmed += sums.notes_unconfirmed;
    to.live += sums.live;
    to.silent = std::max(to.silent, sums.silent);
    to.oldest_note = std::max(to.oldest_note, sums.oldest_note);
  }
  return named;
}

uint64_t Count(const std::vector<NodeLine>& nodes, bool NodeLine::*flag) {
  return static_cast<uint64_t>(std::count_if(nodes.begin(), nodes.end(),
                                             [flag](const NodeLine& line) { return line.*flag; }));
}

uint64_t Count(const std::vector<TaskLine>& tasks, TaskLine::State state) {
  return static_cast<uint64_t>(std::count_if(
      tasks.begin(), tasks.end(), [state](const TaskLine& line) { return line.state == state; }));
}

void AddSpace(const Space& space, std::vector<MetricFamily>* families) {
  MetricFamily family{
      "kvstore_space_bytes",
      "Lent memory by what it is used for; leased and pinned are parts of committed, "
      "ahead (granted ahead) of unfinished",
      MetricType::Gauge,
      {}};
  Parts parts = PartsOf(space);
  parts.emplace_back("leased", space.leased);
  parts.emplace_back("pinned", space.pinned);
  parts.emplace_back("ahead", space.ahead);
  for (const auto& [state, bytes] : parts) Add(&family, bytes, {{"state", state}});
  families->push_back(std::move(family));

  MetricFamily retiring{"kvstore_retiring_bytes",
                        "Memory given up and not free yet, by why: its holder has not answered the "
                        "order; something still touches it (a view, a copy under way); or it waits "
                        "to go back to its node",
                        MetricType::Gauge,
                        {}};
  Add(&retiring, space.retiring - space.withdrawn - space.withheld, {{"why", "unanswered"}});
  Add(&retiring, space.withdrawn, {{"why", "touched"}});
  Add(&retiring, space.withheld, {{"why", "withheld"}});
  families->push_back(std::move(retiring));
}

}  // namespace

void AddPool(const Snapshot& snapshot, std::vector<MetricFamily>* families) {
  const auto gauge = [families](const char* name, const char* help, auto value) {
    AddSingle(families, MetricType::Gauge, name, help, value);
  };
  const Census& census = snapshot.census;
  gauge("kvstore_uptime_seconds", "Since this master began", Seconds(snapshot.uptime));
  gauge("kvstore_term", "Number of this master's reign", snapshot.term);
  gauge("kvstore_objects", "Committed objects", census.objects);
  gauge("kvstore_objects_pinned", "Committed objects that are never evicted",
        census.objects_pinned);
  gauge("kvstore_objects_lacking_replicas", "Committed objects with fewer replicas than they want",
        census.objects_lacking);
  gauge("kvstore_puts_unfinished", "Puts granted and not committed", census.puts_unfinished);
  gauge("kvstore_grants_ahead", "Grants ahead, held by writers of small puts", census.grants_ahead);
  gauge("kvstore_puts_parked", "Puts waiting for room", census.puts_parked);
  gauge("kvstore_requests_waiting", "Items waiting for something else", census.requests_waiting);
  gauge("kvstore_nodes_live", "Members that are heard", census.nodes_live);
  gauge("kvstore_nodes_suspected", "Members that are silent", census.nodes_suspected);
  gauge("kvstore_nodes_missing",
        "Members of the last reign that have neither reported nor are gone", census.nodes_missing);
  gauge("kvstore_nodes_draining", "Nodes whose objects are being moved away",
        Count(snapshot.nodes, &NodeLine::draining));
  gauge("kvstore_nodes_sick", "Nodes that their peers can't reach",
        Count(snapshot.nodes, &NodeLine::sick));
  gauge("kvstore_copies_running", "Copies of replicas under way", census.copies_running);
  gauge("kvstore_tasks_waiting", "Copies and moves that operators asked for, not yet begun",
        Count(snapshot.tasks, TaskLine::State::kWaiting));
  gauge("kvstore_notes_unconfirmed",
        "Notes of what holders keep for the next master that they have not confirmed",
        census.notes_unconfirmed);
  gauge("kvstore_oldest_unconfirmed_note_seconds",
        "Age of the oldest such note; 0: there is none. Were the master lost now, puts answered "
        "since then might be forgotten",
        Seconds(census.oldest_note));
  AddSpace(census.space, families);
}

void AddNodes(const Snapshot& snapshot, std::vector<MetricFamily>* families) {
  MetricFamily live{
      "kvstore_node_live", "Lenders of that name that are heard", MetricType::Gauge, {}};
  MetricFamily space{
      "kvstore_node_space_bytes", "Memory that the node lends, by use", MetricType::Gauge, {}};
  MetricFamily objects{
      "kvstore_node_objects", "Committed replicas on the node", MetricType::Gauge, {}};
  MetricFamily orders{
      "kvstore_node_orders_open", "Retirements that are not free yet", MetricType::Gauge, {}};
  MetricFamily notes{"kvstore_node_notes_unconfirmed",
                     "Notes that the node has not confirmed",
                     MetricType::Gauge,
                     {}};
  MetricFamily oldest{"kvstore_node_oldest_unconfirmed_note_seconds",
                      "Age of the oldest of them; 0: there is none",
                      MetricType::Gauge,
                      {}};
  MetricFamily silent{
      "kvstore_node_silent_seconds", "Since the node was last heard", MetricType::Gauge, {}};
  for (const auto& [name, sums] : SumByName(snapshot.nodes)) {
    const Labels node = {{"node", name}};
    Add(&live, sums.live, node);
    for (const auto& [state, bytes] : PartsOf(sums.space)) {
      Add(&space, bytes, {{"node", name}, {"state", state}});
    }
    Add(&objects, sums.objects, node);
    Add(&orders, sums.orders_open, node);
    Add(&notes, sums.notes_unconfirmed, node);
    Add(&oldest, Seconds(sums.oldest_note), node);
    Add(&silent, Seconds(sums.silent), node);
  }
  for (MetricFamily* family : {&live, &space, &objects, &orders, &notes, &oldest, &silent}) {
    families->push_back(std::move(*family));
  }
}

void AddClients(const Snapshot& snapshot, std::vector<MetricFamily>* families) {
  const ClientTally& tally = snapshot.clients.all.tally;
  const auto counters = [families](const char* name, const char* help, const char* label,
                                   const Parts& parts) {
    MetricFamily family{name, help, MetricType::Counter, {}};
    for (const auto& [value, count] : parts) Add(&family, count, {{label, value}});
    families->push_back(std::move(family));
  };
  Parts ways;
  for (size_t i = 0; i < kWays.size(); ++i) {
    ways.emplace_back(kWays[i], i < tally.bytes_by_way.size() ? tally.bytes_by_way[i] : 0);
  }
  counters("kvstore_moved_bytes_total", "Bytes that clients moved, by way", "way", ways);
  counters("kvstore_object_bytes_total", "Bytes of objects that clients got and put", "verb",
           {{"get", tally.bytes_got}, {"put", tally.bytes_put}});
  counters("kvstore_gets_total", "Keys that clients got, by outcome", "outcome",
           {{"hit", tally.gets_ok}, {"miss", tally.gets_missed}, {"failed", tally.gets_failed}});
  AddSingle(families, MetricType::Counter, "kvstore_gets_remembered_total",
            "Keys that clients got without asking the master", tally.gets_remembered);
  counters("kvstore_puts_total", "Objects that clients put, by outcome", "outcome",
           {{"ok", tally.puts_ok}, {"failed", tally.puts_failed}});
  counters("kvstore_refused_total",
           "Reads and writes that a guard refused: word, a location no longer stood; checksum, the "
           "bytes were not the object's; entry, a holder let nobody begin; exit, a holder refused "
           "after the last byte",
           "guard",
           {{"word", tally.reads_refused},
            {"checksum", tally.checksum_mismatches},
            {"entry", tally.entries_refused},
            {"exit", tally.accesses_refused}});

  std::map<std::string, ClientSums> by_name = snapshot.clients.named;
  by_name[kOther] += snapshot.clients.others;
  MetricFamily gets{
      "kvstore_client_gets_total", "Keys that the client got, by outcome", MetricType::Counter, {}};
  MetricFamily lookups{"kvstore_client_lookups_total",
                       "Keys that the client asked the master for, by outcome",
                       MetricType::Counter,
                       {}};
  MetricFamily bytes{"kvstore_client_bytes_total",
                     "Bytes of objects that the client got and put",
                     MetricType::Counter,
                     {}};
  for (const auto& [name, sums] : by_name) {
    Add(&gets, sums.tally.gets_ok, {{"client", name}, {"outcome", "hit"}});
    Add(&gets, sums.tally.gets_missed, {{"client", name}, {"outcome", "miss"}});
    Add(&gets, sums.tally.gets_failed, {{"client", name}, {"outcome", "failed"}});
    Add(&lookups, sums.hits, {{"client", name}, {"outcome", "hit"}});
    Add(&lookups, sums.misses, {{"client", name}, {"outcome", "miss"}});
    Add(&bytes, sums.tally.bytes_got, {{"client", name}, {"verb", "get"}});
    Add(&bytes, sums.tally.bytes_put, {{"client", name}, {"verb", "put"}});
  }
  for (MetricFamily* family : {&gets, &lookups, &bytes}) families->push_back(std::move(*family));
}

}  // namespace kvstore::master
