#include "transfer/lane_pool.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace kvstore::transfer {
namespace {

// How long a holder may take to confirm that a path is closed, over a fresh connection. Longer, and
// a write is in doubt.
constexpr Duration kCutTimeout = std::chrono::seconds(1);
// A job is given up when so many lanes broke under it, besides one per worker, which all
// break at once when the holder's machine has trouble.
constexpr int kMaxBroken = 2;

// How long it makes do with the connections that it has, once this process could have no more.
constexpr Duration kOpenAgainAfter = std::chrono::seconds(1);
// A lane that was given back so short a time ago may be taken again unseen.
constexpr Duration kFresh = std::chrono::milliseconds(1);

// So often at least a job is carried where single reads would do.
constexpr Duration kJobEvery = std::chrono::milliseconds(100);

// A further worker pays from here on.
constexpr uint64_t kBytesPerWorker = 2 * kSliceBytes;
constexpr size_t kCopiesPerWorker = 512;

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

// More workers of one job than there are processors only push each other's bytes out of the caches.
// One of two may wait for the network.
size_t MostAtWork() {
  static const size_t most = std::max(2u, std::thread::hardware_concurrency());
  return most;
}

size_t WorthwhileWorkers(const Job& job, uint32_t lanes) {
  const uint64_t by_size =
      std::max(job.total_bytes() / kBytesPerWorker, job.copy_count() / kCopiesPerWorker);
  return std::min(static_cast<size_t>(std::clamp<uint64_t>(by_size, 1, lanes)), MostAtWork());
}

}  // namespace

// Lasts as long as the job may go on and the peer is open.
class LanePool::JobPatience final : public Patience {
 public:
  // `watch`: this thread also looks after the jobs that wait in the queue.
  JobPatience(LanePool& peer, Job& job, bool watch) : peer_(peer), job_(job), watch_(watch) {}

  Status Ended() override {
    if (watch_ && BootClock::now() >= next_look_) {
      peer_.FailEndedJobs();
      next_look_ = BootClock::now() + kWaitStep;
    }
    return peer_.Ended(job_);
  }

  void Heard(uint64_t bytes) override {
    peer_.NoteHeard();
    job_.NoteMoved(bytes);
  }

  Duration Silence() const override {
    return peer_.TimeLeft(job_.deadline(), job_.begun(), job_.stall()) / 2;
  }

 private:
  LanePool& peer_;
  Job& job_;
  const bool watch_;
  TimePoint next_look_ = BootClock::now() + kWaitStep;
};

// Lasts as long as the caller's patience with one read, and while the peer is open.
class LanePool::ReadPatience final : public Patience {
 public:
  ReadPatience(LanePool& peer, const CopyLimits& limits, TimePoint begun)
      : peer_(peer), limits_(limits), begun_(begun) {}

  Status Ended() override {
    const TimePoint now = BootClock::now();
    if (now >= limits_.deadline) return DeadlineExceededError("no time is left");
    return peer_.IsWell(begun_, limits_.stall, now);
  }
  void Heard(uint64_t) override { peer_.NoteHeard(); }
  Duration Silence() const override {
    return peer_.TimeLeft(limits_.deadline, begun_, limits_.stall) / 2;
  }

 private:
  LanePool& peer_;
  const CopyLimits& limits_;
  const TimePoint begun_;
};

// Closing a path goes on when its batch is cancelled, late, or the peer is being closed.
class LanePool::CutPatience final : public Patience {
 public:
  explicit CutPatience(LanePool& peer) : peer_(peer) {}

  Status Ended() override {
    peer_.FailEndedJobs();
    if (BootClock::now() < until_) return Status::Ok();
    return DeadlineExceededError("no confirmation in time");
  }

  void Heard(uint64_t) override {}

 private:
  LanePool& peer_;
  const TimePoint until_ = BootClock::now() + kCutTimeout;
};

LanePool::LanePool(std::shared_ptr<const PeerDescriptor> descriptor, LaneMaker& maker,
                   const LaneOptions& options)
    : descriptor_(std::move(descriptor)), maker_(maker), options_(options) {}

LanePool::~LanePool() = default;

void LanePool::Post(std::shared_ptr<Job> job) {
  Status refused = UnavailableError("the peer was closed at this end");
  {
    MutexLock lock(mu_);
    if (!closing_) {
      const size_t max_workers = WorthwhileWorkers(*job, options_.lanes);
      jobs_.push_back({.job = job, .workers = 0, .max_workers = max_workers});
      refused = StartWorkers();
      if (refused.ok()) {
        work_.NotifyAll();
        return;
      }
      jobs_.pop_back();
    }
  }
  job->FailRest(refused);
}

Status LanePool::StartWorkers() {
  size_t wanted = 0;
  for (const Posted& posted : jobs_) wanted += posted.max_workers;
  wanted = std::min<size_t>(wanted, options_.lanes);
  try {
    while (workers_.size() < wanted) workers_.emplace_back([this] { Work(); });
  } catch (const std::system_error& error) {
    // Those that there are do as well.
    if (!workers_.empty()) return Status::Ok();
    return ResourceExhaustedError(
        std::string("no thread can be started to carry the copies of a batch (") + error.what() +
        "); may this user have more (ulimit -u)?");
  }
  return Status::Ok();
}

void LanePool::Close() {
  std::vector<std::thread> workers;
  {
    MutexLock lock(mu_);
    closing_ = true;
    work_.NotifyAll();
    lane_.NotifyAll();
    workers.swap(workers_);
  }
  for (std::thread& worker : workers) worker.join();
  FailEndedJobs();
  std::deque<Idle> idle;  // closed without the lock, here and below: that may take a while
  MutexLock lock(mu_);
  idle.swap(idle_);
}

LanePool::Posted* LanePool::NextPosted() {
  while (!closing_) {
    for (auto it = jobs_.begin(); it != jobs_.end();) {
      if (!it->job->HasWork()) {
        it = it->workers == 0 ? jobs_.erase(it) : std::next(it);
        continue;
      }
      if (it->workers < it->max_workers) {
        jobs_.splice(jobs_.end(), jobs_, it);  // the others have their turn first, next time
        return &jobs_.back();
      }
      ++it;
    }
    work_.Wait(mu_);
  }
  return nullptr;
}

void LanePool::Work() {
  for (;;) {
    Posted* posted = nullptr;
    {
      MutexLock lock(mu_);
      posted = NextPosted();
      if (posted == nullptr) return;
      ++posted->workers;  // keeps it in the list
    }
    Job& job = *posted->job;
    JobPatience patience(*this, job, true);
    while (CarryShare(job, patience)) {
      MutexLock lock(mu_);
      if (jobs_.size() > 1) break;  // somebody else's turn
    }
    MutexLock lock(mu_);
    --posted->workers;
    work_.NotifyAll();
  }
}

void LanePool::Carry(Job& job) {
  job_at_.store(job.begun().time_since_epoch().count(), std::memory_order_relaxed);
  JobPatience patience(*this, job, false);
  while (CarryShare(job, patience)) continue;
}

void LanePool::NoteHeard() {
  heard_at_.store(BootClock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

TimePoint LanePool::StallsAt(TimePoint begun, Duration stall) const {
  if (stall == Duration::max()) return TimePoint::max();
  const TimePoint heard{Duration(heard_at_.load(std::memory_order_relaxed))};
  const TimePoint since = std::max(heard, begun);
  return stall < TimePoint::max() - since ? since + stall : TimePoint::max();
}

Duration LanePool::TimeLeft(TimePoint deadline, TimePoint begun, Duration stall) const {
  return std::max(std::min(deadline, StallsAt(begun, stall)) - BootClock::now(), Duration::zero());
}

Status LanePool::IsWell(TimePoint begun, Duration stall, TimePoint now) const {
  if (closing_) return UnavailableError("the peer was closed at this end");
  if (stall == Duration::max() || now < StallsAt(begun, stall)) return Status::Ok();
  return UnavailableError("the peer gave no sign of life for " + Milliseconds(stall) +
                          "; it is paused, overloaded or unreachable");
}

Status LanePool::Ended(const Job& job) const {
  KVSTORE_RETURN_IF_ERROR(job.Ended());
  return IsWell(job.begun(), job.stall(), BootClock::now());
}

void LanePool::FailEndedJobs() {
  std::vector<std::shared_ptr<Job>> jobs;
  {
    MutexLock lock(mu_);
    for (const Posted& posted : jobs_) jobs.push_back(posted.job);
  }
  for (const std::shared_ptr<Job>& job : jobs) {
    const Status ended = Ended(*job);
    if (!ended.ok()) job->FailRest(ended);
  }
}

std::optional<Completion> LanePool::ReadOne(const Copy& copy, uint64_t size,
                                            const CopyLimits& limits, TimePoint now) {
  const TimePoint job_at{Duration(job_at_.load(std::memory_order_relaxed))};
  if (now >= job_at + kJobEvery) return std::nullopt;
  if (now >= limits.deadline) return std::nullopt;  // which costs no lane
  ReadPatience patience(*this, limits, now);
  std::vector<std::unique_ptr<Lane>> spent;
  std::unique_ptr<Lane> lane;
  {
    MutexLock lock(mu_);
    if (closing_ || !waiting_.empty()) return std::nullopt;
    lane = TakeIdle(false, now, &spent);
  }
  if (lane == nullptr) return std::nullopt;
  std::optional<Completion> done;
  const Status carried = lane->ReadOne(copy, size, now, patience, &done);
  if (carried.ok()) {
    GiveBack(std::move(lane));
    return done;
  }
  const Way way = lane->way();
  lane.reset();
  Discard();
  if (!done && !patience.Ended().ok()) done = Completion{Outcome::kFailed, carried, way};
  return done;
}

bool LanePool::CarryShare(Job& job, Patience& patience) {
  if (!job.HasWork()) return false;
  Status ended = patience.Ended();
  if (!ended.ok()) {
    job.FailRest(ended);
    return false;
  }
  Result<Loan> loan = Take(job, patience);
  if (!loan.ok()) {
    job.FailRest(loan.status());
    return false;
  }
  std::unique_ptr<Lane> lane = std::move(loan->lane);
  if (lane == nullptr) return true;
  job.SetWay(lane->way());
  std::vector<Lane::Stranded> stranded;
  const Status carried = lane->Carry(job, patience, &stranded);
  if (carried.ok()) {
    GiveBack(std::move(lane));
    return true;
  }
  const uint64_t lane_id = lane->id();
  // The holder closes idle lanes when it likes; that says nothing about the path. It can't go on
  // for ever: idle lanes are those over which something was carried.
  const bool stale = loan->was_idle && !lane->WasAnswered();
  lane.reset();
  Discard();
  const bool retry = patience.Ended().ok() &&
                     (stale || job.NoteBroken() < kMaxBroken + static_cast<int>(options_.lanes));
  Settle(job, stranded, carried, retry, lane_id);
  if (!retry) job.FailRest(carried);
  return retry;
}

void LanePool::Settle(Job& job, const std::vector<Lane::Stranded>& stranded, const Status& why,
                      bool retry, uint64_t lane_id) {
  const bool may_land = std::any_of(stranded.begin(), stranded.end(),
                                    [](const Lane::Stranded& s) { return s.may_land; });
  // Reads are final already, save those that the lane says are not: only this thread could have
  // placed their bytes, and it has stopped.
  const Status cut = may_land && options_.guards.confirm_cut ? ConfirmCut(lane_id) : Status::Ok();
  for (const Lane::Stranded& s : stranded) {
    if (s.may_land && !cut.ok()) {
      job.Finish(s.slice, Outcome::kInDoubt,
                 Status(why.code(), why.message() +
                                        "; the peer did not confirm that nothing of it "
                                        "can still land (" +
                                        cut.ToString() + ")"));
    } else if (s.may_come) {
      job.Finish(s.slice, Outcome::kInDoubt, MayStillCome(why));
    } else if (retry) {
      job.Retry(s.slice);
    } else {
      job.Finish(s.slice, Outcome::kFailed, why);
    }
  }
}

Status LanePool::ConfirmCut(uint64_t lane_id) {
  CutPatience patience(*this);
  return maker_.Cut(*descriptor_, lane_id, patience);
}

Result<LanePool::Loan> LanePool::Take(const Job& job, Patience& patience) {
  std::list<uint64_t>::iterator ticket;
  std::vector<std::unique_ptr<Lane>> spent;
  {
    MutexLock lock(mu_);
    if (waiting_.empty() && !idle_.empty()) {
      std::unique_ptr<Lane> idle = TakeIdle(job.HasWrites(), BootClock::now(), &spent);
      if (idle != nullptr) return Loan{.lane = std::move(idle), .was_idle = true};
    }
    ticket = waiting_.insert(waiting_.end(), next_ticket_++);
  }
  Status ended;
  for (;;) {
    {
      MutexLock lock(mu_);
      const bool my_turn = waiting_.begin() == ticket;
      const bool may_open = open_ == 0 || BootClock::now() >= open_again_;
      if (my_turn && (!idle_.empty() || (open_ < options_.lanes && may_open))) {
        waiting_.erase(ticket);
        lane_.NotifyAll();
        std::unique_ptr<Lane> idle = TakeIdle(job.HasWrites(), BootClock::now(), &spent);
        if (idle != nullptr) return Loan{.lane = std::move(idle), .was_idle = true};
        ++open_;
        break;
      }
      lane_.WaitUntil(mu_, BootClock::now() + kWaitStep);
    }
    ended = patience.Ended();
    if (!ended.ok()) {
      MutexLock lock(mu_);
      waiting_.erase(ticket);
      lane_.NotifyAll();
      return ended;
    }
  }
  Result<std::unique_ptr<Lane>> opened = maker_.Open(*descriptor_, patience);
  if (opened.ok()) return Loan{.lane = *std::move(opened), .was_idle = false};
  if (opened.status().code() == StatusCode::kResourceExhausted) {
    MutexLock lock(mu_);
    --open_;
    lane_.NotifyAll();
    if (open_ == 0) return opened.status();
    // The lanes that there are do as well.
    open_again_ = BootClock::now() + kOpenAgainAfter;
    return Loan{};
  }
  Discard();
  return opened.status();
}

std::unique_ptr<Lane> LanePool::TakeIdle(bool writes, TimePoint now,
                                         std::vector<std::unique_ptr<Lane>>* spent) {
  while (!idle_.empty()) {
    Idle last = std::move(idle_.back());
    idle_.pop_back();
    // Asking costs a system call, and one that was used just now is no likelier to be spent than
    // one that is in use. But a write that meets its end must close a path before it is repeated.
    const bool unseen = !writes && now - last.since < kFresh;
    if (unseen || !last.lane->IsSpent()) return std::move(last.lane);
    spent->push_back(std::move(last.lane));
    --open_;
  }
  return nullptr;
}

void LanePool::GiveBack(std::unique_ptr<Lane> lane) {
  MutexLock lock(mu_);
  idle_.push_back({.lane = std::move(lane), .since = BootClock::now()});
  lane_.NotifyAll();
}

std::unique_ptr<Lane> LanePool::Borrow(Way way) {
  MutexLock lock(mu_);
  const auto found = std::find_if(idle_.begin(), idle_.end(), [way](const Idle& idle) {
    return idle.lane->way() == way && !idle.lane->IsSpent();
  });
  if (found == idle_.end()) return nullptr;
  std::unique_ptr<Lane> lane = std::move(found->lane);
  idle_.erase(found);
  --open_;
  lane_.NotifyAll();
  return lane;
}

void LanePool::Offer(std::unique_ptr<Lane> lane) {
  MutexLock lock(mu_);
  if (closing_ || open_ >= options_.lanes) return;
  ++open_;
  idle_.push_back({.lane = std::move(lane), .since = BootClock::now()});
  lane_.NotifyAll();
}

void LanePool::DropIdle(TimePoint since) {
  std::vector<Idle> dropped;
  MutexLock lock(mu_);
  while (!idle_.empty() && idle_.front().since < since) {
    dropped.push_back(std::move(idle_.front()));
    idle_.pop_front();
    --open_;
  }
  lane_.NotifyAll();
}

bool LanePool::IsUnused() {
  MutexLock lock(mu_);
  return jobs_.empty() && open_ == 0 && waiting_.empty();
}

void LanePool::Discard() {
  std::deque<Idle> idle;
  MutexLock lock(mu_);
  idle.swap(idle_);
  open_ -= 1 + idle.size();
  lane_.NotifyAll();
}

}  // namespace kvstore::transfer
