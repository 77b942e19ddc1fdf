#include "tools/demo/replay.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>

#include "tools/demo/report.h"

namespace kvstore::demo {
namespace {

constexpr int kAttempts = 3;

// The scheduler's view of what both workers are doing.
class Schedule {
 public:
  Schedule(DemoCluster* cluster, const std::vector<TraceRequest>& requests,
           const ReplayOptions& options, Results* results)
      : cluster_(cluster), requests_(requests), options_(options), results_(results) {}

  bool done() const { return next_ == requests_.size() && again_.empty() && in_flight_.empty(); }
  // Once more from the first request.
  void BeginAgain() {
    next_ = 0;
    results_->requests += requests_.size();
  }

  bool master_restart_is_due() const {
    return options_.kill_master_after > 0 && results_->master_restart.after == 0 &&
           results_->requests_done >= options_.kill_master_after;
  }

  // Until the prefill worker is replaced it gets nothing new.
  bool restart_is_due() const {
    return options_.restart_after > 0 && results_->restart.after == 0 &&
           results_->requests_done >= options_.restart_after;
  }
  bool prefill_is_idle() const {
    return std::all_of(in_flight_.begin(), in_flight_.end(),
                       [](const auto& entry) { return entry.second.prefill_back; });
  }
  // What was sent until now has been put by a worker that is no more.
  void NoteRestart(pid_t killed, pid_t started) {
    results_->restart = {.after = results_->requests_done, .killed = killed, .started = started};
    for (uint64_t id = 0; id < next_; ++id) {
      put_before_.insert(requests_[id].blocks.begin(), requests_[id].blocks.end());
    }
  }

  // Sends until the window is full.
  Status Fill() {
    while (in_flight_.size() < options_.window && (next_ < requests_.size() || !again_.empty())) {
      uint64_t id = 0;
      InFlight flight;
      flight.after_restart = results_->restart.after > 0;
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

  Status AskTotals(Child* worker) {
    ++totals_awaited_;
    return worker->Tell("totals");
  }
  bool have_totals() const { return totals_awaited_ == 0; }

 private:
  struct InFlight {
    int attempt = 1;
    bool prefill_back = false;
    bool decode_back = false;
    bool incomplete = false;
    bool after_restart = false;
    uint64_t inherited = 0;
    uint64_t put_again = 0;
  };
  struct Again {
    uint64_t id = 0;
    int attempt = 0;
  };

  Status Take(const std::string& line, bool is_prefill) {
    const std::optional<Report> report = Report::FromLine(line);
    if (report && report->what == "totals") {
      (is_prefill ? results_->prefill_totals : results_->decode_totals).Add(*report);
      --totals_awaited_;
      return Status::Ok();
    }
    const auto found = report ? in_flight_.find(report->Number("id")) : in_flight_.end();
    if (found == in_flight_.end()) return InternalError("a worker said: " + line);
    is_prefill ? results_->AddPrefill(*report) : results_->AddDecode(*report);
    InFlight& flight = found->second;
    (is_prefill ? flight.prefill_back : flight.decode_back) = true;
    if (is_prefill) {
      flight.inherited = report->Number("inherited");
      flight.put_again = report->Number("again");
    } else {
      flight.incomplete = report->Number("missing") > 0;
    }
    if (flight.prefill_back && flight.decode_back) Finish(found->first, flight);
    return Status::Ok();
  }

  void Finish(uint64_t id, const InFlight flight) {
    in_flight_.erase(id);
    if (!flight.incomplete) {
      ++results_->requests_done;
      if (flight.after_restart) AddInherited(id, flight);
      if (results_->master_restart.after > 0) results_->put_again += flight.put_again;
    } else if (flight.attempt < kAttempts) {
      ++results_->repeated;
      again_.push_back({.id = id, .attempt = flight.attempt + 1});
    } else {
      results_->AddProblem("request " + std::to_string(id) + ": blocks were missing in each of " +
                           std::to_string(kAttempts) + " attempts; lend more memory (--lend)");
    }
  }

  void AddInherited(uint64_t id, const InFlight& flight) {
    const std::vector<uint64_t>& blocks = requests_[id].blocks;
    results_->old_blocks += static_cast<uint64_t>(std::count_if(
        blocks.begin(), blocks.end(), [&](uint64_t block) { return put_before_.contains(block); }));
    results_->old_blocks_read += flight.inherited;
  }

  DemoCluster* const cluster_;
  const std::vector<TraceRequest>& requests_;
  const ReplayOptions options_;
  Results* const results_;
  uint64_t next_ = 0;
  std::deque<Again> again_;
  std::map<uint64_t, InFlight> in_flight_;
  std::unordered_set<uint64_t> put_before_;  // blocks; the restart
  int totals_awaited_ = 0;
};

// Waits for news of the workers, and takes them in.
Status AwaitNews(DemoCluster* cluster, Schedule* schedule, TimePoint deadline) {
  KVSTORE_RETURN_IF_ERROR(cluster->Watch(deadline));
  KVSTORE_RETURN_IF_ERROR(schedule->Collect());
  if (BootClock::now() < deadline) return Status::Ok();
  return DeadlineExceededError("the replay was not finished in time; see --deadline, --requests");
}

Status AwaitTotals(DemoCluster* cluster, Schedule* schedule, TimePoint deadline) {
  while (!schedule->have_totals()) {
    KVSTORE_RETURN_IF_ERROR(AwaitNews(cluster, schedule, deadline));
  }
  return Status::Ok();
}

Status ReplaceMaster(DemoCluster* cluster, Results* results, TimePoint deadline) {
  const pid_t killed = cluster->master().pid();
  const TimePoint begin = BootClock::now();
  KVSTORE_RETURN_IF_ERROR(cluster->ReplaceMaster(deadline));
  results->master_restart = {
      .after = results->requests_done, .killed = killed, .started = cluster->master().pid()};
  results->master_away = BootClock::now() - begin;
  return Status::Ok();
}

// Its totals would die with the worker, so that they are asked for first.
Status ReplacePrefill(DemoCluster* cluster, Schedule* schedule, TimePoint deadline) {
  KVSTORE_RETURN_IF_ERROR(schedule->AskTotals(&cluster->prefill()));
  KVSTORE_RETURN_IF_ERROR(AwaitTotals(cluster, schedule, deadline));
  const pid_t killed = cluster->prefill().pid();
  KVSTORE_RETURN_IF_ERROR(cluster->ReplacePrefill(deadline));
  schedule->NoteRestart(killed, cluster->prefill().pid());
  return Status::Ok();
}

}  // namespace

Status Replay(DemoCluster* cluster, const std::vector<TraceRequest>& requests,
              const ReplayOptions& options, Results* results,
              const std::function<void(const Results&)>& progress) {
  const TimePoint begin = BootClock::now();
  Schedule schedule(cluster, requests, options, results);
  results->requests = requests.size();
  for (;;) {
    if (schedule.restart_is_due() && schedule.prefill_is_idle()) {
      KVSTORE_RETURN_IF_ERROR(ReplacePrefill(cluster, &schedule, options.deadline));
    }
    if (!schedule.restart_is_due()) KVSTORE_RETURN_IF_ERROR(schedule.Fill());
    if (schedule.master_restart_is_due()) {
      KVSTORE_RETURN_IF_ERROR(ReplaceMaster(cluster, results, options.deadline));
    }
    if (schedule.done()) {
      if (BootClock::now() >= options.again_until) break;
      schedule.BeginAgain();
      continue;
    }
    KVSTORE_RETURN_IF_ERROR(AwaitNews(cluster, &schedule, options.deadline));
    results->elapsed = BootClock::now() - begin;
    results->started_again = cluster->started_again();
    progress(*results);
  }
  KVSTORE_RETURN_IF_ERROR(schedule.AskTotals(&cluster->prefill()));
  KVSTORE_RETURN_IF_ERROR(schedule.AskTotals(&cluster->decode()));
  KVSTORE_RETURN_IF_ERROR(AwaitTotals(cluster, &schedule, options.deadline));
  cluster->CloseInputs();
  return Status::Ok();
}

}  // namespace kvstore::demo
