#include "tools/demo/results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "tools/text/table.h"
#include "tools/text/units.h"

namespace kvstore::demo {
namespace {

using text::Align;
using text::FormatDuration;
using text::Table;

std::string Fixed(double number, int digits) {
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%.*f", digits, number);
  return out.data();
}

std::string Gigabytes(uint64_t bytes) { return Fixed(static_cast<double>(bytes) / 1e9, 2); }

std::string Rate(uint64_t bytes, uint64_t microseconds) {
  if (bytes == 0 || microseconds == 0) return "-";
  return Fixed(static_cast<double>(bytes) / static_cast<double>(microseconds) / 1e3, 2);
}

void AddCalls(Table* table, const std::string& name, const Latencies& latencies) {
  table->AddRow({name, std::to_string(latencies.count()),
                 FormatDuration(latencies.Percentile(0.50)),
                 FormatDuration(latencies.Percentile(0.99))});
}

}  // namespace

Duration Latencies::Percentile(double share) const {
  if (samples_.empty()) return Duration(0);
  std::vector<uint64_t> sorted = samples_;
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  const size_t at = std::clamp<size_t>(static_cast<size_t>(rank), 1, sorted.size()) - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(at), sorted.end());
  return std::chrono::microseconds(sorted[at]);
}

void Results::AddProblem(const std::string& problem, uint64_t count) {
  errors += count;
  if (first_problem.empty()) first_problem = problem;
}

void Results::AddPrefill(const Report& report) {
  blocks += report.Number("blocks");
  hits += report.Number("hits");
  if (report.numbers.contains("put_us")) put.Add(report.Number("put_us"));
  if (!report.problem.empty()) AddProblem("prefill: " + report.problem, report.Number("errors"));
}

void Results::AddDecode(const Report& report) {
  got_bytes += report.Number("got");
  wrong_bytes += report.Number("wrong");
  if (report.numbers.contains("wait_us")) wait.Add(report.Number("wait_us"));
  if (report.numbers.contains("get_us")) get.Add(report.Number("get_us"));
  if (!report.problem.empty()) AddProblem("decode: " + report.problem, report.Number("errors"));
}

double Results::hit_rate() const {
  return blocks == 0 ? 0 : 100 * static_cast<double>(hits) / static_cast<double>(blocks);
}

std::string Results::Progress() const {
  return std::to_string(requests_done) + "/" + std::to_string(requests) + " requests, hit rate " +
         Fixed(hit_rate(), 1) + " %, " + Gigabytes(got_bytes) + " GB read and checked, " +
         std::to_string(errors) + " errors, wrong bytes: " + std::to_string(wrong_bytes);
}

void Results::Print(std::ostream& out) const {
  Table summary({{}, {"", Align::kRight}, {}});
  summary.AddRow({"requests", std::to_string(requests_done),
                  "of " + std::to_string(requests) + ", in " + FormatDuration(elapsed)});
  summary.AddRow(
      {"  repeated", std::to_string(repeated), "a block was evicted before it was read"});
  summary.AddRow({"blocks", std::to_string(blocks), "of " + text::FormatBytes(block_bytes)});
  summary.AddRow({"hit rate", Fixed(hit_rate(), 1), "% of them were there already"});
  summary.Print(out);

  out << '\n';
  Table moved({{"moved"}, {"GB", Align::kRight}, {"GB/s", Align::kRight}});
  const uint64_t put_busy = prefill_totals.Number("put_busy_us");
  const uint64_t get_busy = decode_totals.Number("get_busy_us");
  for (const std::string way : {"local", "tcp"}) {
    const uint64_t bytes = prefill_totals.Number(way + "_put");
    moved.AddRow({"put, " + way, Gigabytes(bytes), Rate(bytes, put_busy)});
  }
  for (const std::string way : {"local", "tcp"}) {
    const uint64_t bytes = decode_totals.Number(way + "_got");
    moved.AddRow({"got, " + way, Gigabytes(bytes), Rate(bytes, get_busy)});
  }
  moved.Print(out);
  out << "  GB/s: over the time in which a put (a get) was running, whatever way it took\n\n";

  Table calls({{"calls, each for all blocks of a request"},
               {"number", Align::kRight},
               {"p50", Align::kRight},
               {"p99", Align::kRight}});
  AddCalls(&calls, "put", put);
  AddCalls(&calls, "wait", wait);
  AddCalls(&calls, "get", get);
  calls.Print(out);

  out << "\nread and checked: " << Gigabytes(got_bytes) << " GB\n";
  out << "errors: " << errors << (errors > 0 ? "; the first: " + first_problem : "") << '\n';
  out << "wrong bytes: " << wrong_bytes << '\n';
}

}  // namespace kvstore::demo
