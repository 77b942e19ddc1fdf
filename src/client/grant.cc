#include "client/grant.h"

#include <algorithm>
#include <utility>

#include "client/put.h"

namespace kvstore::client {
namespace {

constexpr Duration kLongestAbort = std::chrono::seconds(1);

}  // namespace

StartPut Asking(const PutOptions& options) {
  StartPut request;
  request.replicas = options.replicas;
  request.replace = options.replace;
  request.placement = options.placement;
  request.preferred_nodes = options.preferred_nodes;
  request.durable = options.durable;
  request.retention = {.hard_pin = options.hard_pin,
                       .soft_pin = options.soft_pin,
                       .ttl = options.ttl,
                       .group = options.group};
  return request;
}

TimePoint GrantEnd(const StartPutAnswer& answer, TimePoint asked_at) {
  return After(After(asked_at, answer.parked), answer.grant);
}

Status CheckGrant(TimePoint now, TimePoint grant_end, TimePoint deadline) {
  if (now >= deadline) return DeadlineExceededError("not committed: granted too late to write it");
  const bool over = now >= grant_end && PutGuards().grants_end_here_first;
  return over ? LostGrant() : Status::Ok();
}

bool MayYetBeGranted(const Status& answer) {
  switch (answer.code()) {
    case StatusCode::kAborted:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kResourceExhausted:
    case StatusCode::kUnavailable:
      return true;
    default:
      return false;
  }
}

bool HasEnded(const Status& answer) { return answer.code() == StatusCode::kAborted; }

bool IsOfNoGrant(const Status& answer) { return answer.code() == StatusCode::kNotFound; }

bool WasTakenBack(const Status& copied) {
  return copied.code() == StatusCode::kAborted || copied.code() == StatusCode::kNotFound;
}

Status LostGrant() {
  return AbortedError(
      "not committed: its grant ran out before all bytes were written; begin again");
}

Status NotCommitted(const Status& failure, bool grant_ended_first, bool in_doubt) {
  if (failure.code() == StatusCode::kDeadlineExceeded && grant_ended_first) return LostGrant();
  StatusCode code = failure.code();
  // The holder knows no such memory: it has left the pool since the grant, or joined it anew.
  if (code == StatusCode::kNotFound) code = StatusCode::kAborted;
  // A limit of the way there, such as that of open files. Of a put it says that there is no room.
  if (code == StatusCode::kResourceExhausted) code = StatusCode::kUnavailable;
  return Status(code, "not committed: " + failure.message() +
                          (in_doubt ? "; its memory comes back when the grant has run out" : ""));
}

Status Committed(const Status& answer) {
  if (answer.code() == StatusCode::kUnavailable) {
    return UnavailableError("not committed: " + answer.message());
  }
  if (IsOfNoGrant(answer)) return AbortedError(answer.message());
  if (answer.code() != StatusCode::kDeadlineExceeded) return answer;
  return DeadlineExceededError("it may have been committed: " + answer.message());
}

Status PerhapsCommitted(const Status& status) {
  switch (status.code()) {
    case StatusCode::kAborted:
    case StatusCode::kAlreadyExists:
    case StatusCode::kResourceExhausted:
    case StatusCode::kUnavailable:
      return DeadlineExceededError(
          "it may have been committed for a while, before its master was lost; then: " +
          status.message());
    default:
      return status;
  }
}

bool WasNotTakenUp(const Status& answer) {
  return answer.code() == StatusCode::kResourceExhausted ||
         answer.code() == StatusCode::kUnavailable;
}

void AbortPuts(const Parts& parts, std::vector<uint64_t> sequences, TimePoint deadline) {
  if (sequences.empty()) return;
  parts.master.Abort(AbortPut{std::move(sequences)},
                     std::min(deadline, After(parts.clock.Now(), kLongestAbort)));
}

}  // namespace kvstore::client
