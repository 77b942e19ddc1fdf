#include "transfer/tcp/peer.h"

#include <algorithm>
#include <string>
#include <utility>

namespace kvstore::transfer {
namespace {

// How long a holder may take to confirm that a path is closed, over a fresh connection. Longer, and
// a write is in doubt.
constexpr Duration kCutTimeout = std::chrono::seconds(1);
// A job is given up when so many connections broke under it, besides one per worker, which all
// break at once when the holder's machine has trouble.
constexpr int kMaxBroken = 2;

// How long it makes do with the connections that it has, once this process could have no more.
constexpr Duration kOpenAgainAfter = std::chrono::seconds(1);
// A further worker pays from here on.
constexpr uint64_t kBytesPerWorker = 2 * kSliceBytes;
constexpr size_t kCopiesPerWorker = 512;

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

size_t WorthwhileWorkers(const Job& job, uint32_t connections) {
  const uint64_t by_size =
      std::max(job.total_bytes() / kBytesPerWorker, job.copy_count() / kCopiesPerWorker);
  return static_cast<size_t>(std::clamp<uint64_t>(by_size, 1, connections));
}

}  // namespace

// Lasts as long as the job may go on and the peer is open.
class TcpPeer::JobPatience final : public Patience {
 public:
  // `watch`: this thread also looks after the jobs that wait in the queue.
  JobPatience(TcpPeer& peer, Job& job, bool watch) : peer_(peer), job_(job), watch_(watch) {}

  Status Ended() override {
    if (watch_ && BootClock::now() >= next_look_) {
      peer_.FailEndedJobs();
      next_look_ = BootClock::now() + kWaitStep;
    }
    return peer_.Ended(job_);
  }

  void Heard(uint64_t bytes) override {
    peer_.heard_at_.store(BootClock::now().time_since_epoch().count(), std::memory_order_relaxed);
    job_.NoteMoved(bytes);
  }

 private:
  TcpPeer& peer_;
  Job& job_;
  const bool watch_;
  TimePoint next_look_ = BootClock::now() + kWaitStep;
};

// Closing a path goes on when its batch is cancelled, late, or the peer is being closed.
class TcpPeer::CutPatience final : public Patience {
 public:
  explicit CutPatience(TcpPeer& peer) : peer_(peer) {}

  Status Ended() override {
    peer_.FailEndedJobs();
    if (BootClock::now() < until_) return Status::Ok();
    return DeadlineExceededError("no confirmation in time");
  }

  void Heard(uint64_t) override {}

 private:
  TcpPeer& peer_;
  const TimePoint until_ = BootClock::now() + kCutTimeout;
};

TcpPeer::TcpPeer(std::shared_ptr<const PeerDescriptor> descriptor, const TcpClientOptions& options)
    : descriptor_(std::move(descriptor)), options_(options) {}

TcpPeer::~TcpPeer() = default;

void TcpPeer::Post(std::shared_ptr<Job> job) {
  {
    MutexLock lock(mu_);
    if (!closing_) {
      const size_t max_workers = WorthwhileWorkers(*job, options_.connections);
      jobs_.push_back({.job = std::move(job), .workers = 0, .max_workers = max_workers});
      StartWorkers();
      work_.NotifyAll();
      return;
    }
  }
  job->FailRest(UnavailableError("the peer was closed at this end"));
}

void TcpPeer::StartWorkers() {
  size_t wanted = 0;
  for (const Posted& posted : jobs_) wanted += posted.max_workers;
  wanted = std::min<size_t>(wanted, options_.connections);
  while (workers_.size() < wanted) workers_.emplace_back([this] { Work(); });
}

void TcpPeer::Close() {
  std::vector<std::thread> workers;
  {
    MutexLock lock(mu_);
    closing_ = true;
    work_.NotifyAll();
    connection_.NotifyAll();
    workers.swap(workers_);
  }
  for (std::thread& worker : workers) worker.join();
  FailEndedJobs();
  MutexLock lock(mu_);
  idle_.clear();
}

TcpPeer::Posted* TcpPeer::NextPosted() {
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

void TcpPeer::Work() {
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

void TcpPeer::Carry(Job& job) {
  JobPatience patience(*this, job, false);
  while (CarryShare(job, patience)) continue;
}

Status TcpPeer::Ended(const Job& job) const {
  if (closing_) return UnavailableError("the peer was closed at this end");
  KVSTORE_RETURN_IF_ERROR(job.Ended());
  if (job.stall() == Duration::max()) return Status::Ok();
  const TimePoint heard{Duration(heard_at_.load(std::memory_order_relaxed))};
  if (BootClock::now() - std::max(heard, job.submitted()) < job.stall()) return Status::Ok();
  return UnavailableError("the peer gave no sign of life for " + Milliseconds(job.stall()) +
                          "; it is paused, overloaded or unreachable");
}

void TcpPeer::FailEndedJobs() {
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

bool TcpPeer::CarryShare(Job& job, Patience& patience) {
  if (!job.HasWork()) return false;
  Status ended = patience.Ended();
  if (!ended.ok()) {
    job.FailRest(ended);
    return false;
  }
  Result<Loan> loan = Take(patience);
  if (!loan.ok()) {
    job.FailRest(loan.status());
    return false;
  }
  std::unique_ptr<Connection> connection = std::move(loan->connection);
  if (connection == nullptr) return true;
  std::vector<Connection::Stranded> stranded;
  const Status carried = connection->Carry(job, patience, &stranded);
  if (carried.ok()) {
    GiveBack(std::move(connection));
    return true;
  }
  const uint64_t connection_id = connection->id();
  // The holder closes idle connections when it likes; that says nothing about the path. It can't go
  // on for ever: idle connections are those over which something was carried.
  const bool stale = loan->was_idle && !connection->WasAnswered();
  connection.reset();
  Discard();
  const bool retry =
      patience.Ended().ok() &&
      (stale || job.NoteBroken() < kMaxBroken + static_cast<int>(options_.connections));
  Settle(job, stranded, carried, retry, connection_id);
  if (!retry) job.FailRest(carried);
  return retry;
}

void TcpPeer::Settle(Job& job, const std::vector<Connection::Stranded>& stranded, const Status& why,
                     bool retry, uint64_t connection_id) {
  const bool may_land = std::any_of(stranded.begin(), stranded.end(),
                                    [](const Connection::Stranded& s) { return s.may_land; });
  // Reads are final already: only this thread could have placed their bytes, and it has stopped.
  const Status cut =
      may_land && options_.guards.confirm_cut ? ConfirmCut(connection_id) : Status::Ok();
  for (const Connection::Stranded& s : stranded) {
    if (s.may_land && !cut.ok()) {
      job.Finish(s.slice, Outcome::kInDoubt,
                 Status(why.code(), why.message() +
                                        "; the peer did not confirm that nothing of it "
                                        "can still land (" +
                                        cut.ToString() + ")"));
    } else if (retry) {
      job.Retry(s.slice);
    } else {
      job.Finish(s.slice, Outcome::kFailed, why);
    }
  }
}

Status TcpPeer::ConfirmCut(uint64_t connection_id) {
  CutPatience patience(*this);
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, OpenAny(patience));
  return connection->CutPath(connection_id, patience);
}

Result<std::unique_ptr<Connection>> TcpPeer::OpenAny(Patience& patience) {
  Status error = UnavailableError("the peer has no TCP endpoint");
  for (const std::string& endpoint : descriptor_->endpoints) {
    Result<std::unique_ptr<Connection>> opened =
        Connection::Open(endpoint, descriptor_->incarnation, options_.timeouts, patience);
    if (opened.ok()) return opened;
    error = opened.status();
  }
  return error;
}

Result<TcpPeer::Loan> TcpPeer::Take(Patience& patience) {
  std::list<uint64_t>::iterator ticket;
  {
    MutexLock lock(mu_);
    ticket = waiting_.insert(waiting_.end(), next_ticket_++);
  }
  Status ended;
  for (;;) {
    {
      MutexLock lock(mu_);
      const bool my_turn = waiting_.begin() == ticket;
      const bool may_open = open_ == 0 || BootClock::now() >= open_again_;
      if (my_turn && (!idle_.empty() || (open_ < options_.connections && may_open))) {
        waiting_.erase(ticket);
        connection_.NotifyAll();
        std::unique_ptr<Connection> idle = TakeIdle();
        if (idle != nullptr) return Loan{.connection = std::move(idle), .was_idle = true};
        ++open_;
        break;
      }
      connection_.WaitUntil(mu_, BootClock::now() + kWaitStep);
    }
    ended = patience.Ended();
    if (!ended.ok()) {
      MutexLock lock(mu_);
      waiting_.erase(ticket);
      connection_.NotifyAll();
      return ended;
    }
  }
  Result<std::unique_ptr<Connection>> opened = OpenAny(patience);
  if (opened.ok()) return Loan{.connection = *std::move(opened), .was_idle = false};
  if (opened.status().code() == StatusCode::kResourceExhausted) {
    MutexLock lock(mu_);
    --open_;
    connection_.NotifyAll();
    if (open_ == 0) return opened.status();
    // The connections that there are do as well.
    open_again_ = BootClock::now() + kOpenAgainAfter;
    return Loan{};
  }
  Discard();
  return opened.status();
}

std::unique_ptr<Connection> TcpPeer::TakeIdle() {
  while (!idle_.empty()) {
    std::unique_ptr<Connection> connection = std::move(idle_.back().connection);
    idle_.pop_back();
    if (!connection->IsSpent()) return connection;
    --open_;
  }
  return nullptr;
}

void TcpPeer::GiveBack(std::unique_ptr<Connection> connection) {
  MutexLock lock(mu_);
  idle_.push_back({.connection = std::move(connection), .since = BootClock::now()});
  connection_.NotifyAll();
}

void TcpPeer::DropIdle(TimePoint since) {
  std::vector<Idle> dropped;
  MutexLock lock(mu_);
  while (!idle_.empty() && idle_.front().since < since) {
    dropped.push_back(std::move(idle_.front()));
    idle_.pop_front();
    --open_;
  }
  connection_.NotifyAll();
}

bool TcpPeer::IsUnused() {
  MutexLock lock(mu_);
  return jobs_.empty() && open_ == 0 && waiting_.empty();
}

void TcpPeer::Discard() {
  std::deque<Idle> idle;
  MutexLock lock(mu_);
  idle.swap(idle_);
  open_ -= 1 + idle.size();
  connection_.NotifyAll();
}

}  // namespace kvstore::transfer
