#ifndef KVSTORE_SRC_MASTER_TASK_TABLE_H_
#define KVSTORE_SRC_MASTER_TASK_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string_view>

#include "kvstore/clock.h"
#include "master/catalog.h"

namespace kvstore::master {

// Copies and moves that operators have asked for, and how the last of them ended. Pure.
// Thread-compatible.
class TaskTable {
 public:
  struct Task {
    TaskRequest request;
    TaskLine::State state = TaskLine::State::kWaiting;
    Status status;
    uint64_t size = 0;
    TimePoint since{};
  };

  // Its id; never 0.
  uint64_t Add(const TaskRequest& request, uint64_t size, TimePoint now);
  // Null: never heard of, or forgotten.
  const Task* Find(uint64_t id) const;
  void Begin(uint64_t id);
  // OK: done. Of those that have ended the last `kept` are remembered.
  void End(uint64_t id, const Status& status, size_t kept);
  // By id.
  const std::map<uint64_t, Task>& all() const { return tasks_; }

 private:
  std::map<uint64_t, Task> tasks_;
  std::deque<uint64_t> ended_;  // oldest first
  uint64_t next_id_ = 1;
};

// "waiting", "running", "done", "failed".
std::string_view TaskStateName(TaskLine::State state);

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_TASK_TABLE_H_
