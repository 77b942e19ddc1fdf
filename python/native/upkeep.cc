#include <string>
#include <utility>

#include "native/calls.h"
#include "native/gil.h"
#include "native/keys.h"
#include "native/options.h"

namespace py = pybind11;

namespace kvstore::python {
namespace {

// A page of tuples in the order of kvstore.results.Listed's fields, and whether there are more. A
// prefix, and what to begin behind, may be empty.
py::tuple ListObjects(const Handle& handle, const py::bytes& prefix, const py::bytes& after,
                      uint32_t limit, double timeout) {
  const auto client = handle.client();
  const std::string begin = prefix;
  const std::string behind = after;
  const Duration within = DurationOf(timeout);
  const ObjectPage page =
      ValueOrRaise(WithoutGil([&] { return client->List(begin, behind, limit, within); }));
  py::list objects;
  for (const ListedObject& object : page.objects) {
    objects.append(py::make_tuple(py::bytes(object.key), object.size, object.replicas,
                                  SecondsOf(object.age), SecondsOf(object.lease_left)));
  }
  return py::make_tuple(objects, page.more);
}

uint64_t StartTask(const Handle& handle, py::handle key, std::string from, std::string to,
                   bool move, double timeout) {
  const auto client = handle.client();
  const CopyTask task{
      .key = std::string(KeyOf(key)), .from = std::move(from), .to = std::move(to), .move = move};
  const Duration within = DurationOf(timeout);
  return ValueOrRaise(WithoutGil([&] { return client->StartTask(task, within); }));
}

// Tuples in the order of kvstore.results.Task's fields.
py::list ListTasks(const Handle& handle, double timeout) {
  const auto client = handle.client();
  const Duration within = DurationOf(timeout);
  py::list tasks;
  for (const TaskStat& stat : ValueOrRaise(WithoutGil([&] { return client->Tasks(within); }))) {
    tasks.append(py::make_tuple(stat.id, py::bytes(stat.task.key), stat.task.from, stat.task.to,
                                stat.task.move, stat.ended, ErrorOf(stat.status),
                                SecondsOf(stat.age)));
  }
  return tasks;
}

}  // namespace

void BindUpkeep(ClientClass& client) {
  client.def("list_objects", &ListObjects).def("start_task", &StartTask).def("tasks", &ListTasks);
}

}  // namespace kvstore::python
