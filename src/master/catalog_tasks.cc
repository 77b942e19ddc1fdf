// Copies and moves that operators ask for.

#include <algorithm>
#include <string>

#include "master/catalog_state.h"

namespace kvstore::master {
namespace {

bool HoldsOn(const Object& object, std::string_view node) {
  return std::any_of(object.replicas().begin(), object.replicas().end(),
                     [node](const HeldReplica& replica) {
                       return replica.segment && IsCommitted(replica.standing) &&
                              replica.segment->node().peer.name == node;
                     });
}

std::string Quoted(const std::string& name) { return "'" + name + "'"; }

}  // namespace

Status Catalog::State::CheckTask(const TaskRequest& request, const Object& object) const {
  if (request.to.empty() || (request.from.empty() && request.kind == TaskRequest::Kind::kMove)) {
    return InvalidArgumentError("a copy needs the node to copy to, a move also the one to leave");
  }
  if (!request.from.empty() && !HoldsOn(object, request.from)) {
    return NotFoundError("node " + Quoted(request.from) + " holds no replica of it");
  }
  const std::vector<Node*>* const named = nodes.Named(request.to);
  if (!named) return NotFoundError("no node has the name " + Quoted(request.to));
  if (HoldsOn(object, request.to)) {
    return AlreadyExistsError("node " + Quoted(request.to) + " holds a replica of it");
  }
  const bool takes = std::any_of(named->begin(), named->end(), [](const Node* node) {
    return !node->suspected && !node->draining && node->Lends();
  });
  if (!takes) {
    return FailedPreconditionError("node " + Quoted(request.to) +
                                   " takes nothing: it lends nothing, is suspected or drained");
  }
  return Status::Ok();
}

Result<uint64_t> Catalog::State::StartTask(Event& event, const TaskRequest& request) {
  const KeyEntry* const key = FindKey(request.key);
  if (!key || !key->current()) return NotFoundError("no such object");
  Object& object = *key->current();
  KVSTORE_RETURN_IF_ERROR(CheckTask(request, object));
  const CopyWork* const known = copies.Find(object.id());
  if (known && known->task != 0) {
    return AlreadyExistsError("task " + std::to_string(known->task) +
                              " moves or copies it already");
  }
  const uint64_t id = tasks.Add(request, object.size, event.now);
  CopyWork& work = copies.Want(object.id(), event.now);
  work.task = id;
  work.failures = 0;
  // A copy that runs for another reason ends first.
  if (!copies.Running(object.id())) copies.Postpone(object.id(), event.now);
  RunCopies(event);
  return id;
}

Status Catalog::State::WhyNoTarget(const Object& object, const CopyWork& work) const {
  if (work.task == 0) {
    return ResourceExhaustedError("no room on a live node that has no replica");
  }
  const std::string& name = tasks.Find(work.task)->request.to;
  const std::vector<Node*>* const named = nodes.Named(name);
  const auto is_there = [](const Node* node) {
    return node->Lends() && !node->suspected && !node->striking && !node->draining;
  };
  if (!named || std::none_of(named->begin(), named->end(), is_there)) {
    return UnavailableError("node " + Quoted(name) +
                            " takes nothing: it is gone, silent, drained or lends nothing");
  }
  const bool may_take = std::any_of(named->begin(), named->end(),
                                    [&](const Node* node) { return MayTakeCopy(object, *node); });
  return may_take ? ResourceExhaustedError("no room on node " + Quoted(name))
                  : FailedPreconditionError("node " + Quoted(name) +
                                            " has a replica, or one is being withdrawn there");
}

std::vector<TaskLine> Catalog::State::ListTasks(TimePoint now) const {
  std::vector<TaskLine> lines;
  for (const auto& [id, task] : tasks.all()) {
    lines.push_back({id, task.request, task.state, task.status, task.size, now - task.since});
  }
  return lines;
}

}  // namespace kvstore::master
