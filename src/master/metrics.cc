#include "master/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <sstream>

#include "master/metrics_families.h"

namespace kvstore::master {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr size_t kVerbs = std::variant_size_v<decltype(VerbRequest::verb)>;
constexpr std::array<const char*, kVerbs> kVerbNames = {
    "start_put",       "commit_put",      "abort_put",  "locate",     "exists",
    "wait_exists",     "remove",          "stat",       "note_reads", "pin",
    "remove_matching", "report_failures", "grant_ahead"};
constexpr std::array<const char*, 3> kStreamNames = {"session", "heartbeat", "verbs"};
constexpr size_t kCodes = static_cast<size_t>(StatusCode::kUnauthenticated) + 1;

struct NamedCounter {
  std::string_view name;
  uint64_t Counters::*field;
  const char* help;
};

constexpr NamedCounter kCounters[] = {
    {"kvstore_puts_granted_total", &Counters::puts_granted, "Puts that got memory to write to"},
    {"kvstore_puts_committed_total", &Counters::puts_committed, "Puts that became visible"},
    {"kvstore_puts_aborted_total", &Counters::puts_aborted, "Puts given up by their writer"},
    {"kvstore_puts_expired_total", &Counters::puts_expired, "Puts not committed within the grant"},
    {"kvstore_puts_parked_total", &Counters::puts_parked, "Puts that had to wait for room"},
    {"kvstore_puts_refused_exists_total", &Counters::puts_refused_exists,
     "Puts of a key that is taken"},
    {"kvstore_puts_refused_pending_total", &Counters::puts_refused_pending,
     "Puts of a key that another put is under way for"},
    {"kvstore_puts_refused_full_total", &Counters::puts_refused_full,
     "Puts for which there was no room"},
    {"kvstore_puts_refused_objects_total", &Counters::puts_refused_objects,
     "Puts refused because the pool has as many objects as it may"},
    {"kvstore_puts_ahead_total", &Counters::puts_ahead,
     "Puts that took one message, into memory granted ahead"},
    {"kvstore_pieces_refused_total", &Counters::pieces_refused,
     "Puts into memory granted ahead whose grant had ended, and which were begun again"},
    {"kvstore_pieces_of_other_terms_total", &Counters::pieces_of_other_terms,
     "Of them, since it was another master's"},
    {"kvstore_ahead_given_total", &Counters::ahead_given, "Grants ahead"},
    {"kvstore_ahead_refused_total", &Counters::ahead_refused, "Grants ahead refused"},
    {"kvstore_ahead_used_up_total", &Counters::ahead_used_up, "Of those given, used up by puts"},
    {"kvstore_ahead_given_back_total", &Counters::ahead_given_back,
     "Of them, given back by their writer"},
    {"kvstore_ahead_expired_total", &Counters::ahead_expired, "Of them, not used up in time"},
    {"kvstore_ahead_called_back_total", &Counters::ahead_called_back,
     "Of them, called back: a put needed the room, or nothing new is placed there"},
    {"kvstore_ahead_lost_total", &Counters::ahead_lost, "Of them, ended with writer or holder"},
    {"kvstore_locate_hits_total", &Counters::locate_hits, "Keys located"},
    {"kvstore_locate_misses_total", &Counters::locate_misses, "Keys not found by locate"},
    {"kvstore_exists_hits_total", &Counters::exists_hits, "Keys that exists found"},
    {"kvstore_exists_misses_total", &Counters::exists_misses, "Keys that exists did not find"},
    {"kvstore_looks_unreadable_total", &Counters::looks_unreadable,
     "Keys said not to be there since nobody who holds them gives a sign of life"},
    {"kvstore_awaited_puts_total", &Counters::awaited_puts,
     "Keys that were asked for before their put had ended, and then found"},
    {"kvstore_awaited_in_vain_total", &Counters::awaited_in_vain,
     "Keys whose put was announced, and did not come in time"},
    {"kvstore_leases_granted_total", &Counters::leases_granted, "Leases given by locate"},
    {"kvstore_leases_refused_total", &Counters::leases_refused,
     "Locates without a lease, for whatever reason"},
    {"kvstore_leases_refused_full_total", &Counters::leases_refused_full,
     "Of them: since too much of the holder's memory is leased"},
    {"kvstore_leases_refused_suspected_total", &Counters::leases_refused_suspected,
     "Of them: since a holder is suspected"},
    {"kvstore_reads_noted_total", &Counters::reads_noted,
     "Objects read at remembered locations, as their readers reported"},
    {"kvstore_removed_total", &Counters::removed, "Objects removed by name"},
    {"kvstore_replaced_total", &Counters::replaced, "Objects replaced by a newer put"},
    {"kvstore_evicted_for_room_total", &Counters::evicted_for_room,
     "Objects evicted because a put needed their room"},
    {"kvstore_evicted_by_watermark_total", &Counters::evicted_by_watermark,
     "Objects evicted to keep free space ready"},
    {"kvstore_evicted_by_operator_total", &Counters::evicted_by_operator,
     "Objects evicted because an operator asked for it"},
    {"kvstore_evicted_with_group_total", &Counters::evicted_with_group,
     "Objects evicted because another of their group was"},
    {"kvstore_bytes_evicted_total", &Counters::bytes_evicted, "Sizes of all objects evicted"},
    {"kvstore_soft_pins_broken_total", &Counters::soft_pins_broken,
     "Objects evicted although their soft pin held, since nothing else could be"},
    {"kvstore_pins_set_total", &Counters::pins_set, "Objects pinned, by puts or later"},
    {"kvstore_pins_refused_total", &Counters::pins_refused,
     "Hard pins refused since too much is pinned"},
    {"kvstore_expired_total", &Counters::expired, "Objects whose TTL ran out"},
    {"kvstore_lost_with_node_total", &Counters::lost_with_node,
     "Objects whose last holder left or is gone"},
    {"kvstore_bytes_lost_with_node_total", &Counters::bytes_lost_with_node, "Their sizes"},
    {"kvstore_copies_started_total", &Counters::copies_started,
     "Copies of replicas ordered, to make lost ones again or to move them"},
    {"kvstore_copies_made_total", &Counters::copies_made, "Those that succeeded"},
    {"kvstore_copies_failed_total", &Counters::copies_failed,
     "Those that failed, or were given up with their node"},
    {"kvstore_replicas_given_up_total", &Counters::replicas_given_up,
     "Single replicas retired: moved elsewhere, or one too many where memory is emptied"},
    {"kvstore_nodes_joined_total", &Counters::nodes_joined, "Nodes that joined"},
    {"kvstore_nodes_suspected_total", &Counters::nodes_suspected, "Times a node fell silent"},
    {"kvstore_nodes_gone_total", &Counters::nodes_gone, "Nodes given up after silence"},
    {"kvstore_nodes_left_total", &Counters::nodes_left, "Nodes that said goodbye"},
    {"kvstore_orders_sent_total", &Counters::orders_sent, "Orders to holders"},
    {"kvstore_notes_sent_total", &Counters::notes_sent,
     "Replicas that holders were told to keep for the next master"},
    {"kvstore_notes_confirmed_total", &Counters::notes_confirmed, "Of them, confirmed"},
    {"kvstore_notes_refused_total", &Counters::notes_refused,
     "Of them, refused: the holder had retired the memory; the object was dropped"},
    {"kvstore_orders_resent_total", &Counters::orders_resent, "Orders repeated for want of an ack"},
    {"kvstore_acks_withdrawn_total", &Counters::acks_withdrawn, "Retirements withdrawn"},
    {"kvstore_acks_free_total", &Counters::acks_free, "Retirements free"},
    {"kvstore_acks_ignored_total", &Counters::acks_ignored, "Acks that fitted no open order"},
};

size_t ItemsOf(const VerbRequest& request) {
  return std::visit(
      [](const auto& verb) -> size_t {
        if constexpr (requires { verb.keys; }) {
          return verb.keys.size();
        } else if constexpr (requires { verb.puts; }) {
          return verb.puts.size();
        } else if constexpr (requires { verb.segments; }) {
          return verb.segments.size();
        } else if constexpr (requires { verb.sequences; }) {
          return verb.sequences.size();
        } else {
          return 1;
        }
      },
      request.verb);
}

}  // namespace

std::vector<std::pair<std::string_view, uint64_t>> NamedCounters(const Counters& counters) {
  std::vector<std::pair<std::string_view, uint64_t>> named;
  for (const NamedCounter& counter : kCounters) {
    named.emplace_back(counter.name, counters.*counter.field);
  }
  return named;
}

struct Metrics::Series {
  prometheus::Registry registry;
  std::array<prometheus::Gauge*, kStreamNames.size()> streams{};
  std::array<prometheus::Counter*, kVerbs> requests{};
  std::array<prometheus::Counter*, kVerbs> items{};
  std::array<prometheus::Histogram*, kVerbs> handling{};
  std::array<prometheus::Counter*, kCodes> answers{};
  prometheus::Counter* connections_refused = nullptr;
  prometheus::Counter* refused = nullptr;
  prometheus::Counter* orders_dropped = nullptr;
};

Metrics::Metrics() : series_(std::make_unique<Series>()) {
  prometheus::Registry& registry = series_->registry;
  auto& streams = prometheus::BuildGauge()
                      .Name("kvstore_streams_open")
                      .Help("gRPC streams of nodes by kind")
                      .Register(registry);
  for (size_t i = 0; i < kStreamNames.size(); ++i) {
    series_->streams[i] = &streams.Add({{"kind", kStreamNames[i]}});
  }
  auto& requests = prometheus::BuildCounter()
                       .Name("kvstore_requests_total")
                       .Help("Requests by verb")
                       .Register(registry);
  auto& items = prometheus::BuildCounter()
                    .Name("kvstore_request_items_total")
                    .Help("Items of requests by verb")
                    .Register(registry);
  auto& handling =
      prometheus::BuildHistogram()
          .Name("kvstore_request_handling_seconds")
          .Help(
              "From the arrival of a request until it is decided on, by verb; without the time "
              "that items wait")
          .Register(registry);
  const prometheus::Histogram::BucketBoundaries seconds = {1e-5, 3e-5, 1e-4, 3e-4, 1e-3,
                                                           3e-3, 1e-2, 3e-2, 1e-1, 1};
  for (size_t i = 0; i < kVerbs; ++i) {
    series_->requests[i] = &requests.Add({{"verb", kVerbNames[i]}});
    series_->items[i] = &items.Add({{"verb", kVerbNames[i]}});
    series_->handling[i] = &handling.Add({{"verb", kVerbNames[i]}}, seconds);
  }
  auto& answers = prometheus::BuildCounter()
                      .Name("kvstore_answers_total")
                      .Help("Items answered, by status code")
                      .Register(registry);
  for (size_t i = 0; i < kCodes; ++i) {
    const std::string_view name = StatusCodeName(static_cast<StatusCode>(i));
    if (name != "unknown") series_->answers[i] = &answers.Add({{"code", std::string(name)}});
  }
  series_->connections_refused = &prometheus::BuildCounter()
                                      .Name("kvstore_connections_refused_total")
                                      .Help("Connections closed for want of descriptors")
                                      .Register(registry)
                                      .Add({});
  series_->refused = &prometheus::BuildCounter()
                          .Name("kvstore_requests_refused_total")
                          .Help("Requests out of the protocol's limits")
                          .Register(registry)
                          .Add({});
  series_->orders_dropped = &prometheus::BuildCounter()
                                 .Name("kvstore_orders_dropped_total")
                                 .Help(
                                     "Orders dropped because their node does not read; they are "
                                     "sent again")
                                 .Register(registry)
                                 .Add({});
}

Metrics::~Metrics() = default;

void Metrics::StreamOpened(StreamKind kind) {
  series_->streams[static_cast<size_t>(kind)]->Increment();
}

void Metrics::StreamClosed(StreamKind kind) {
  series_->streams[static_cast<size_t>(kind)]->Decrement();
}

void Metrics::Handled(const VerbRequest& request, Duration took) {
  const size_t verb = request.verb.index();
  series_->requests[verb]->Increment();
  series_->items[verb]->Increment(static_cast<double>(ItemsOf(request)));
  series_->handling[verb]->Observe(std::chrono::duration<double>(took).count());
}

void Metrics::ConnectionRefused() { series_->connections_refused->Increment(); }

void Metrics::Refused() { series_->refused->Increment(); }

void Metrics::Answered(const VerbReply& reply) {
  std::array<uint64_t, kCodes> counts{};
  std::visit(
      [&counts](const auto& answers) {
        for (const auto& answer : answers) ++counts[static_cast<size_t>(answer.status.code())];
      },
      reply.answers);
  for (size_t i = 0; i < kCodes; ++i) {
    if (counts[i] > 0) series_->answers[i]->Increment(static_cast<double>(counts[i]));
  }
}

void Metrics::OrdersDropped(size_t count) {
  series_->orders_dropped->Increment(static_cast<double>(count));
}

std::string Metrics::Scrape(const Snapshot& snapshot) const {
  std::vector<MetricFamily> families = series_->registry.Collect();
  for (const NamedCounter& counter : kCounters) {
    MetricFamily family{std::string(counter.name), counter.help, MetricType::Counter, {}};
    family.metric.emplace_back().counter.value =
        static_cast<double>(snapshot.counters.*counter.field);
    families.push_back(std::move(family));
  }
  AddPool(snapshot, &families);
  AddNodes(snapshot, &families);
  AddClients(snapshot, &families);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

}  // namespace kvstore::master
