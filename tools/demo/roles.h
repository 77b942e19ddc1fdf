#ifndef KVSTORE_TOOLS_DEMO_ROLES_H_
#define KVSTORE_TOOLS_DEMO_ROLES_H_

#include <cstdint>
#include <memory>

#include "kvstore/client.h"
#include "thread_annotations.h"
#include "tools/demo/report.h"
#include "tools/demo/trace.h"

namespace kvstore::demo {

struct RoleOptions {
  uint64_t block_bytes = 64u << 10;         // a multiple of 8
  Duration wait = std::chrono::seconds(2);  // that decode waits for its blocks to appear
  uint32_t replicas = 1;                    // of each block
};

// The time during which at least one of several threads was inside. Thread-safe.
class BusyTime {
 public:
  void Enter();
  void Leave();
  Duration total() const;

 private:
  mutable Mutex mu_;
  uint64_t inside_ GUARDED_BY(mu_) = 0;
  TimePoint since_ GUARDED_BY(mu_);
  Duration total_ GUARDED_BY(mu_){};
};

// One call: how long it took, also as part of a BusyTime.
class TimedCall {
 public:
  explicit TimedCall(BusyTime* busy) : busy_(busy), begin_(BootClock::now()) { busy->Enter(); }
  ~TimedCall() {
    if (busy_ != nullptr) busy_->Leave();
  }
  TimedCall(const TimedCall&) = delete;
  TimedCall& operator=(const TimedCall&) = delete;

  // Ends it; once.
  Duration End();

 private:
  BusyTime* busy_;
  const TimePoint begin_;
};

uint64_t WholeMicroseconds(Duration duration);

// Serves as a role's totals: bytes written and read and microseconds of copying by each way
// ("shm_put", "shm_got", "shm_us"), busy_us, gets (objects), gets_remembered, master_requests.
Report TotalsOf(const Client& client, const BusyTime& busy);

// Counts one more of the report's errors, and keeps the first one's words.
void AddProblem(Report* report, const Status& status);

// Serves requests one after the other, in one thread.
class RoleThread {
 public:
  virtual ~RoleThread() = default;
  // Numbers of the report: `blocks`, and those that the role's maker below names.
  virtual Report Serve(const TraceRequest& request) = 0;
};

// What a worker is for. Thread-safe.
class Role {
 public:
  virtual ~Role() = default;
  virtual std::unique_ptr<RoleThread> NewThread() = 0;
  // As TotalsOf.
  virtual Report Totals() const = 0;
};

// hits, inherited (of the hits: blocks that this process never put), stored (blocks), outrun
// (blocks that another thread had put meanwhile), again (blocks that it had put before and that
// were missing); exists_us, put_us (none: nothing to put); errors.
std::unique_ptr<Role> NewPrefill(Client* client, const RoleOptions& options);
// missing (blocks that did not appear or were evicted again); wait_us, get_us; got (bytes);
// wrong (bytes); errors.
std::unique_ptr<Role> NewDecode(Client* client, const RoleOptions& options);

}  // namespace kvstore::demo

#endif  // KVSTORE_TOOLS_DEMO_ROLES_H_
