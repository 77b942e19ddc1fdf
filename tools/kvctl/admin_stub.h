#ifndef KVSTORE_TOOLS_KVCTL_ADMIN_STUB_H_
#define KVSTORE_TOOLS_KVCTL_ADMIN_STUB_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "tools/kvctl/pool_rows.h"

namespace kvstore::kvctl {

// Which events to watch for.
struct WatchFilter {
  std::string prefix;              // not empty: only of objects whose keys begin so
  std::vector<std::string> kinds;  // empty: all
};

// Events as they happen. Next is confined to one thread, Cancel may be called from any.
class EventStream {
 public:
  virtual ~EventStream() = default;
  // Waits for the next. The first comes without events: watching has begun. cancelled: by Cancel;
  // unavailable: the master is lost.
  virtual Result<EventBatch> Next() = 0;
  virtual void Cancel() = 0;
};

// The master's admin service. unavailable: nobody listened there within the timeout;
// deadline_exceeded: no answer within it; else as admin.proto has it. Thread-compatible.
class AdminStub {
 public:
  // `master` is HOST:PORT; each call may take up to `timeout`.
  AdminStub(const std::string& master, Duration timeout);
  ~AdminStub();

  Result<PoolStatus> GetStatus();
  Result<std::vector<NodeRow>> ListNodes();
  // How lenders have ended, the last 1000.
  Result<std::vector<EventRow>> ListDeparted();
  // All, asked for in pages.
  Result<std::vector<SegmentRow>> ListSegments();
  // Up to `limit` (1 to 4096) objects in key order, behind `after`.
  Result<ObjectPage> ListObjects(std::string_view prefix, std::string_view after, uint32_t limit);
  Result<ObjectDetail> Describe(std::string_view key);
  // What changed last comes first; `exact`: only the key that is the prefix.
  Result<TracePage> TraceKeys(std::string_view prefix, bool exact, uint32_t limit);
  Result<Evicted> Evict(std::span<const std::string> keys);
  // So many bytes of the nodes of that name; empty: of all.
  Result<Evicted> EvictBytes(uint64_t bytes, std::string_view node);
  Status Drain(std::string_view node, bool undo);
  // "copy" or "move"; an empty `from` names any holder. The task's id.
  Result<uint64_t> StartTask(std::string_view kind, std::string_view key, std::string_view from,
                             std::string_view to);
  Result<std::vector<TaskRow>> ListTasks();
  // Connects within the timeout, or Next fails.
  std::unique_ptr<EventStream> Watch(const WatchFilter& filter);

 private:
  struct Channel;

  template <typename Request, typename Reply, typename Method>
  Status Ask(Method method, const Request& request, Reply* reply);

  const std::string master_;
  const Duration timeout_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_ADMIN_STUB_H_
