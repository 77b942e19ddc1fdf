#include "tools/demo/results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <span>

#include "tools/text/table.h"
#include "tools/text/units.h"

namespace kvstore::demo {
namespace {

using text::Align;
using text::FormatDuration;
using text::Table;

const std::array<std::string, 4> kWays = {"local", "shm", "tcp", "rdma"};
constexpr double kNearlyAll = 95;  // per cent of the bytes

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

double Percent(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(all);
}

// Bytes put and got by these ways.
uint64_t Moved(const Report& totals, std::span<const std::string> ways) {
  uint64_t bytes = 0;
  for (const std::string& way : ways) {
    bytes += totals.Number(way + "_put") + totals.Number(way + "_got");
  }
  return bytes;
}

void AddCalls(Table* table, const std::string& name, const Latencies& latencies,
              const std::string& rate) {
  table->AddRow({name, std::to_string(latencies.count()),
                 FormatDuration(latencies.Percentile(0.50)),
                 FormatDuration(latencies.Percentile(0.99)), rate});
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
  outrun += report.Number("outrun");
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

double Results::hit_rate() const { return Percent(hits, blocks); }

double Results::shm_share() const {
  const std::string shm = "shm";
  return Percent(Moved(prefill_totals, {&shm, 1}) + Moved(decode_totals, {&shm, 1}),
                 Moved(prefill_totals, kWays) + Moved(decode_totals, kWays));
}

bool Results::too_little_shm() const { return shm_expected && shm_share() < kNearlyAll; }

bool Results::kept_nothing() const {
  return restart.after > 0 && old_blocks > 0 && old_blocks_read == 0;
}

bool Results::good() const {
  return errors == 0 && wrong_bytes == 0 && !too_little_shm() && !kept_nothing() &&
         !master_lost_some();
}

std::string Results::Progress() const {
  return std::to_string(requests_done) + "/" + std::to_string(requests) + " requests, hit rate " +
         Fixed(hit_rate(), 1) + " %, " + Gigabytes(got_bytes) + " GB read and checked, " +
         std::to_string(errors) + " errors, wrong bytes: " + std::to_string(wrong_bytes);
}

void Results::PrintSummary(std::ostream& out) const {
  Table summary({{}, {"", Align::kRight}, {}});
  const auto add = [&](const std::string& name, uint64_t number, const std::string& words) {
    summary.AddRow({name, std::to_string(number), words});
  };
  add("requests", requests_done,
      "of " + std::to_string(requests) + ", in " + FormatDuration(elapsed));
  add("  repeated", repeated, "a block was evicted before it was read");
  add("blocks", blocks, "of " + text::FormatBytes(block_bytes));
  summary.AddRow({"hit rate", Fixed(hit_rate(), 1), "% of them were there already"});
  if (outrun > 0) {
    add("  outrun", outrun, "were put by two threads at once, and refused the slower one");
  }
  if (restart.after > 0) {
    add("restart after", restart.after, "requests: prefill was killed, another one took over");
    add("  kept", old_blocks_read,
        "of " + std::to_string(old_blocks) +
            " blocks put before it and asked for after it, read as they were" +
            (kept_nothing() ? "; it lost them all" : ""));
  }
  if (master_restart.after > 0) {
    add("master after", master_restart.after,
        "requests: it was killed at work; the next one was ready after " +
            FormatDuration(master_away));
    add("  lost", put_again,
        "blocks that prefill had put before, and had to put again" +
            std::string(master_lost_some() ? ": they are to outlive it" : ""));
  }
  if (started_again > 0) {
    add("started again", started_again, "masters and nodes that had ended");
  }
  add("gets", decode_totals.Number("gets"), "blocks read");
  add("  remembered", decode_totals.Number("gets_remembered"), "of them asked the master nothing");
  add("master", prefill_totals.Number("master_requests") + decode_totals.Number("master_requests"),
      "requests by both workers");
  summary.Print(out);
}

void Results::PrintMoved(std::ostream& out) const {
  Table moved({{"moved"},
               {"GB", Align::kRight},
               {"objects", Align::kRight},
               {"share", Align::kRight},
               {"s", Align::kRight},
               {"GB/s", Align::kRight}});
  for (const bool is_put : {true, false}) {
    const Report& totals = is_put ? prefill_totals : decode_totals;
    const uint64_t all = Moved(totals, kWays);
    for (const std::string& way : kWays) {
      const uint64_t bytes = Moved(totals, {&way, 1});
      const uint64_t time = totals.Number(way + "_us");
      moved.AddRow({(is_put ? "put, " : "got, ") + way, Gigabytes(bytes),
                    std::to_string(block_bytes == 0 ? 0 : bytes / block_bytes),
                    Fixed(Percent(bytes, all), 1) + " %", Fixed(static_cast<double>(time) / 1e6, 2),
                    Rate(bytes, time)});
    }
  }
  moved.Print(out);
  out << "  s: in which bytes were copied, added up over threads\n";
}

void Results::PrintCalls(std::ostream& out) const {
  Table calls({{"calls, each for all blocks of a request"},
               {"number", Align::kRight},
               {"p50", Align::kRight},
               {"p99", Align::kRight},
               {"GB/s", Align::kRight}});
  AddCalls(&calls, "put", put,
           Rate(Moved(prefill_totals, kWays), prefill_totals.Number("busy_us")));
  AddCalls(&calls, "wait", wait, "");
  AddCalls(&calls, "get", get, Rate(Moved(decode_totals, kWays), decode_totals.Number("busy_us")));
  calls.Print(out);
  out << "  GB/s: over the time in which such a call was running\n";
}

void Results::Print(std::ostream& out) const {
  PrintSummary(out);
  out << '\n';
  PrintMoved(out);
  out << '\n';
  PrintCalls(out);
  out << "\nby shared memory: " << Fixed(shm_share(), 1) << " % of all bytes"
      << (too_little_shm() ? ", too few; where processes can't share it, see --ways" : "") << '\n';
  out << "read and checked: " << Gigabytes(got_bytes) << " GB\n";
  out << "errors: " << errors << (errors > 0 ? "; the first: " + first_problem : "") << '\n';
  out << "wrong bytes: " << wrong_bytes << '\n';
}

}  // namespace kvstore::demo
