#include "master/task_table.h"

namespace kvstore::master {

uint64_t TaskTable::Add(const TaskRequest& request, uint64_t size, TimePoint now) {
  const uint64_t id = next_id_++;
  tasks_.emplace(id, Task{request, TaskLine::State::kWaiting, Status::Ok(), size, now});
  return id;
}

const TaskTable::Task* TaskTable::Find(uint64_t id) const {
  const auto it = tasks_.find(id);
  return it == tasks_.end() ? nullptr : &it->second;
}

void TaskTable::Begin(uint64_t id) { tasks_.at(id).state = TaskLine::State::kRunning; }

void TaskTable::End(uint64_t id, const Status& status, size_t kept) {
  Task& task = tasks_.at(id);
  task.state = status.ok() ? TaskLine::State::kDone : TaskLine::State::kFailed;
  task.status = status;
  ended_.push_back(id);
  while (ended_.size() > kept) {
    tasks_.erase(ended_.front());
    ended_.pop_front();
  }
}

std::string_view TaskStateName(TaskLine::State state) {
  switch (state) {
    case TaskLine::State::kWaiting:
      return "waiting";
    case TaskLine::State::kRunning:
      return "running";
    case TaskLine::State::kDone:
      return "done";
    case TaskLine::State::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace kvstore::master
