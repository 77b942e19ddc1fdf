#include "tools/kvctl/top_view.h"

#include <algorithm>
#include <initializer_list>
#include <sstream>
#include <string_view>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/text/table.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

using text::Align;
using text::FormatBytes;

double PerSecond(uint64_t before, uint64_t now, Duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  return now < before || seconds <= 0 ? 0 : static_cast<double>(now - before) / seconds;
}

uint64_t Sum(const PoolStatus& status, std::initializer_list<const char*> names) {
  uint64_t sum = 0;
  for (const char* name : names) {
    const auto found = status.counters.find(name);
    if (found != status.counters.end()) sum += found->second;
  }
  return sum;
}

uint64_t Rounded(double rate) { return static_cast<uint64_t>(rate + 0.5); }

std::string Rate(double rate) { return std::to_string(Rounded(rate)) + "/s"; }

std::string ByteRate(double rate) { return FormatBytes(Rounded(rate)) + "/s"; }

// "75%", "-" of nothing
std::string Share(double part, double whole) {
  if (whole <= 0) return "-";
  return std::to_string(static_cast<int>(100 * part / whole + 0.5)) + "%";
}

std::string Share(uint64_t part, uint64_t whole) {
  return Share(static_cast<double>(part), static_cast<double>(whole));
}

// The same node in the earlier sample; null: it was not there.
const NodeRow* FindIn(const Sample& before, const NodeRow& node) {
  const auto found = std::find_if(before.nodes.begin(), before.nodes.end(), [&](const auto& other) {
    return other.incarnation == node.incarnation;
  });
  return found == before.nodes.end() ? nullptr : &*found;
}

NodeRates RatesOf(const Sample& before, const Sample& now, const NodeRow& node) {
  const NodeRow* const earlier = FindIn(before, node);
  if (earlier == nullptr) return {};
  return RatesOf(*earlier, node, now.when - before.when);
}

uint64_t Used(const Space& space) { return space.size - space.free - space.unprepared; }

std::string StateOf(const NodeRow& node) {
  return node.draining ? "draining" : node.sick ? "sick" : node.state;
}

// Lenders first, the fullest of them first.
std::vector<NodeRow> Sorted(std::vector<NodeRow> nodes) {
  std::stable_sort(nodes.begin(), nodes.end(), [](const NodeRow& a, const NodeRow& b) {
    if (a.space.committed != b.space.committed) return a.space.committed > b.space.committed;
    return a.name < b.name;
  });
  return nodes;
}

}  // namespace

Rates RatesOf(const Sample& before, const Sample& now) {
  if (before.status.term != now.status.term || before.status.pool != now.status.pool) return {};
  const auto rate = [&](std::initializer_list<const char*> names) {
    return PerSecond(Sum(before.status, names), Sum(now.status, names), now.when - before.when);
  };
  return {
      .puts = rate({"kvstore_puts_committed_total"}),
      .hits = rate({"kvstore_locate_hits_total", "kvstore_exists_hits_total"}),
      .misses = rate({"kvstore_locate_misses_total", "kvstore_exists_misses_total"}),
      .evictions = rate({"kvstore_evicted_for_room_total", "kvstore_evicted_by_watermark_total",
                         "kvstore_evicted_by_operator_total", "kvstore_evicted_with_group_total"})};
}

NodeRates RatesOf(const NodeRow& before, const NodeRow& now, Duration elapsed) {
  return {.hits = PerSecond(before.hits, now.hits, elapsed),
          .misses = PerSecond(before.misses, now.misses, elapsed),
          .bytes_got = PerSecond(before.tally.bytes_got, now.tally.bytes_got, elapsed),
          .bytes_put = PerSecond(before.tally.bytes_put, now.tally.bytes_put, elapsed)};
}

std::string TopText(const Sample& before, const Sample& now) {
  const PoolStatus& status = now.status;
  const Rates rates = RatesOf(before, now);
  std::ostringstream out;
  out << status.objects << " objects, " << FormatBytes(status.space.committed) << " of "
      << FormatBytes(status.space.size) << " (" << Share(Used(status.space), status.space.size)
      << " in use, " << Share(status.space.pinned, status.space.size) << " pinned); "
      << status.nodes_live << " nodes live, " << status.nodes_suspected << " suspected, "
      << status.nodes_missing << " missing; term " << status.term << ", up "
      << text::FormatDuration(status.uptime) << '\n'
      << "puts " << Rate(rates.puts) << ", hits " << Rate(rates.hits) << ", misses "
      << Rate(rates.misses) << " (hit ratio " << Share(rates.hits, rates.hits + rates.misses)
      << "), evictions " << Rate(rates.evictions) << "; waiting for room " << status.puts_parked
      << ", copies " << status.copies_running << ", lacking replicas " << status.objects_lacking
      << "\n\n";
  text::Table table({{"NODE"},
                     {"STATE"},
                     {"LENDS", Align::kRight},
                     {"USED", Align::kRight},
                     {"OBJECTS", Align::kRight},
                     {"HITS", Align::kRight},
                     {"MISSES", Align::kRight},
                     {"RATIO", Align::kRight},
                     {"GETS", Align::kRight},
                     {"PUTS", Align::kRight}});
  for (const NodeRow& node : Sorted(now.nodes)) {
    const NodeRates node_rates = RatesOf(before, now, node);
    table.AddRow({text::Escape(node.name), StateOf(node), FormatBytes(node.space.size),
                  Share(Used(node.space), node.space.size), std::to_string(node.objects),
                  Rate(node_rates.hits), Rate(node_rates.misses),
                  Share(node.hits, node.hits + node.misses), ByteRate(node_rates.bytes_got),
                  ByteRate(node_rates.bytes_put)});
  }
  table.Print(out);
  return std::move(out).str();
}

std::string TopJson(const Sample& before, const Sample& now) {
  const PoolStatus& status = now.status;
  const Rates rates = RatesOf(before, now);
  text::JsonWriter json(text::JsonWriter::Layout::kOneLine);
  json.BeginObject();
  json.Member("term", status.term);
  json.Member("objects", status.objects);
  json.Member("lent_bytes", status.space.size);
  json.Member("used_bytes", Used(status.space));
  json.Member("committed_bytes", status.space.committed);
  json.Member("pinned_bytes", status.space.pinned);
  json.Member("puts_parked", status.puts_parked);
  json.Member("puts_per_second", Rounded(rates.puts));
  json.Member("hits_per_second", Rounded(rates.hits));
  json.Member("misses_per_second", Rounded(rates.misses));
  json.Member("evictions_per_second", Rounded(rates.evictions));
  json.Name("nodes");
  json.BeginArray();
  for (const NodeRow& node : Sorted(now.nodes)) {
    const NodeRates node_rates = RatesOf(before, now, node);
    json.BeginObject();
    json.Member("name", node.name);
    json.Member("incarnation", node.incarnation.ToString());
    json.Member("state", StateOf(node));
    json.Member("lent_bytes", node.space.size);
    json.Member("used_bytes", Used(node.space));
    json.Member("objects", node.objects);
    json.Member("hits", node.hits);
    json.Member("misses", node.misses);
    json.Member("hits_per_second", Rounded(node_rates.hits));
    json.Member("misses_per_second", Rounded(node_rates.misses));
    json.Member("got_bytes_per_second", Rounded(node_rates.bytes_got));
    json.Member("put_bytes_per_second", Rounded(node_rates.bytes_put));
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.Take();
}

}  // namespace kvstore::kvctl
