#include "tools/demo/replay.h"

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "tools/demo/report.h"

namespace kvstore::demo {
namespace {

constexpr int kAttempts = 3;

// The scheduler's view of what both workers are doing.
class Schedule {
 public:
  Schedule(DemoCluster* cluster, size_t requests, size_t window, Results* results)
      : cluster_(cluster), requests_(requests), window_(window), results_(results) {}

  bool done() const { return next_ == requests_ && again_.empty() && in_flight_.empty(); }

  // Sends until the window is full.
  Status Fill() {
    while (in_flight_.size() < window_ && (next_ < requests_ || !again_.empty())) {
      uint64_t id = 0;
      InFlight flight;
      if (!again_.empty()) {
        id = again_.front().id;
        flight.attempt = again_.front().attempt;
        again_.pop_front();
      } else {
        id = next_++;
      }
      KVSTORE_RETURN_IF_ERROR(cluster_->prefill().Tell(std::to_string(id)));
      KVSTORE_RETURN_IF_ERROR(cluster_->decode().Tell(std::to_string(id)));
      in_flight_[id] = flight;
    }
    return Status::Ok();
  }

  // Takes what the workers have said.
  Status Collect() {
    while (const std::optional<std::string> line = cluster_->prefill().TakeLine()) {
      KVSTORE_RETURN_IF_ERROR(Take(*line, /*is_prefill=*/true));
    }
    while (const std::optional<std::string> line = cluster_->decode().TakeLine()) {
      KVSTORE_RETURN_IF_ERROR(Take(*line, /*is_prefill=*/false));
    }
    return Status::Ok();
  }

  bool have_totals() const { return totals_ == 2; }

 private:
  struct InFlight {
    int attempt = 1;
    bool prefill_back = false;
    bool decode_back = false;
    bool incomplete = false;
  };
  struct Again {
    uint64_t id = 0;
    int attempt = 0;
  };

  Status Take(const std::string& line, bool is_prefill) {
    const std::optional<Report> report = Report::FromLine(line);
    if (report && report->what == "totals") {
      (is_prefill ? results_->prefill_totals : results_->decode_totals) = *report;
      ++totals_;
      return Status::Ok();
    }
    const auto found = report ? in_flight_.find(report->Number("id")) : in_flight_.end();
    if (found == in_flight_.end()) return InternalError("a worker said: " + line);
    is_prefill ? results_->AddPrefill(*report) : results_->AddDecode(*report);
    InFlight& flight = found->second;
    (is_prefill ? flight.prefill_back : flight.decode_back) = true;
    if (!is_prefill) flight.incomplete = report->Number("missing") > 0;
    if (flight.prefill_back && flight.decode_back) Finish(found->first, flight);
    return Status::Ok();
  }

  void Finish(uint64_t id, const InFlight flight) {
    in_flight_.erase(id);
    if (!flight.incomplete) {
      ++results_->requests_done;
    } else if (flight.attempt < kAttempts) {
      ++results_->repeated;
      again_.push_back({.id = id, .attempt = flight.attempt + 1});
    } else {
      results_->AddProblem("request " + std::to_string(id) + ": blocks were missing in each of " +
                           std::to_string(kAttempts) + " attempts; lend more memory (--lend)");
    }
  }

  DemoCluster* const cluster_;
  const uint64_t requests_;
  const size_t window_;
  Results* const results_;
  uint64_t next_ = 0;
  std::deque<Again> again_;
  std::map<uint64_t, InFlight> in_flight_;
  int totals_ = 0;
};

Status CheckTime(const ReplayOptions& options) {
  if (BootClock::now() < options.deadline) return Status::Ok();
  return DeadlineExceededError("the replay was not finished in time; see --deadline, --requests");
}

}  // namespace

Status Replay(DemoCluster* cluster, const std::vector<TraceRequest>& requests,
              const ReplayOptions& options, Results* results,
              const std::function<void(const Results&)>& progress) {
  const TimePoint begin = BootClock::now();
  Schedule schedule(cluster, requests.size(), options.window, results);
  results->requests = requests.size();
  while (!schedule.done()) {
    KVSTORE_RETURN_IF_ERROR(schedule.Fill());
    KVSTORE_RETURN_IF_ERROR(cluster->Watch(options.deadline));
    KVSTORE_RETURN_IF_ERROR(schedule.Collect());
    KVSTORE_RETURN_IF_ERROR(CheckTime(options));
    results->elapsed = BootClock::now() - begin;
    progress(*results);
  }
  cluster->CloseInputs();
  while (!schedule.have_totals()) {
    KVSTORE_RETURN_IF_ERROR(cluster->Watch(options.deadline));
    KVSTORE_RETURN_IF_ERROR(schedule.Collect());
    KVSTORE_RETURN_IF_ERROR(CheckTime(options));
  }
  return Status::Ok();
}

}  // namespace kvstore::demo
