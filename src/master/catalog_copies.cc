// Replicas made again, copied and moved.

#include "master/catalog_state.h"

namespace kvstore::master {

Result<uint64_t> Catalog::State::StartTask(Event& /*event*/, const TaskRequest& /*request*/) {
  return UnimplementedError("copies");
}

std::vector<TaskLine> Catalog::State::ListTasks(TimePoint /*now*/) const { return {}; }

}  // namespace kvstore::master
