#include "client/get.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/open_peers.h"

namespace kvstore::client {
namespace {

// One item on its way to an answer.
struct Reading {
  const GetItem* item = nullptr;
  GetResult result;
  bool answered = false;

  uint64_t size = 0;
  uint64_t checksum = 0;
  std::vector<Replica> replicas;  // best first
  size_t next = 0;                // of replicas: the one to read
  bool read_again = false;        // it gave bytes that don't match the checksum, once
  bool located_anew = false;
  Status first_error;
  CopyPlan::Span copies;

  bool Exhausted() const { return next == replicas.size(); }

  void Answer(Status status, uint64_t object_size = 0) {
    result = {std::move(status), object_size};
    answered = true;
  }

  void NextReplica(Status error) {
    if (first_error.ok()) first_error = std::move(error);
    ++next;
    read_again = false;
  }
};

using Readings = std::vector<Reading*>;

// One call of GetObjects. Confined to the thread that makes it.
class GetCall {
 public:
  GetCall(const Parts& parts, TimePoint deadline, const ReadGuards& guards, GetCounters* counters)
      : parts_(parts), deadline_(deadline), guards_(guards), counters_(*counters), peers_(parts) {}

  std::vector<GetResult> Run(std::span<const GetItem> items);

 private:
  void Locate(const Readings& readings);
  void LocateAnew(const Readings& readings);
  void Accept(LocateAnswer answer, Reading* reading);
  void Read(const Readings& readings);
  void PlanItem(Reading* reading, CopyPlan* plan);
  void Judge(const Status& copied, Reading* reading);
  int Distance(const Replica& replica) const;

  const Parts& parts_;
  const TimePoint deadline_;
  const ReadGuards& guards_;
  GetCounters& counters_;
  OpenPeers peers_;
};

// Those of `readings` that have no answer yet and fulfil the condition.
template <typename Condition>
Readings Open(const Readings& readings, Condition condition) {
  Readings open;
  std::copy_if(readings.begin(), readings.end(), std::back_inserter(open),
               [&](const Reading* r) { return !r->answered && condition(*r); });
  return open;
}

// Every round reads one replica of each object that has no answer yet; an object whose replicas
// have all failed is located anew, once.
std::vector<GetResult> GetCall::Run(std::span<const GetItem> items) {
  std::vector<Reading> readings(items.size());
  Readings open;
  for (size_t i = 0; i < items.size(); ++i) {
    readings[i].item = &items[i];
    open.push_back(&readings[i]);
  }
  Locate(open);
  while (true) {
    LocateAnew(Open(open, [](const Reading& r) { return r.Exhausted(); }));
    open = Open(open, [](const Reading&) { return true; });
    if (open.empty()) break;
    Read(open);
  }
  std::vector<GetResult> results;
  for (Reading& reading : readings) results.push_back(std::move(reading.result));
  return results;
}

void GetCall::Locate(const Readings& readings) {
  if (readings.empty()) return;
  kvstore::Locate request;
  for (const Reading* reading : readings) request.keys.Add(reading->item->key);
  for (LocateAnswer& answer : parts_.master.Find(std::move(request), deadline_)) {
    Reading* reading = readings[answer.index];
    Accept(std::move(answer), reading);
  }
}

void GetCall::LocateAnew(const Readings& readings) {
  Readings again;
  for (Reading* reading : readings) {
    if (reading->first_error.ok()) {
      reading->first_error = UnavailableError("no node holds the object just now; try again");
    }
    if (reading->located_anew) {
      reading->Answer(reading->first_error);
    } else {
      reading->located_anew = true;
      again.push_back(reading);
    }
  }
  counters_.located_anew += again.size();
  Locate(again);
}

uint64_t CapacityOf(const GetItem& item) {
  uint64_t capacity = 0;
  for (const Piece& piece : item.pieces) {
    const uint64_t sum = capacity + piece.size;
    if (sum < capacity) return std::numeric_limits<uint64_t>::max();
    capacity = sum;
  }
  return capacity;
}

void GetCall::Accept(LocateAnswer answer, Reading* reading) {
  if (!answer.status.ok()) {
    // What went wrong with the object says more than that the master could not be asked again.
    const bool says_more =
        reading->first_error.ok() || answer.status.code() == StatusCode::kNotFound;
    return reading->Answer(says_more ? answer.status : reading->first_error);
  }
  const uint64_t capacity = CapacityOf(*reading->item);
  if (capacity < answer.size) {
    return reading->Answer(
        InvalidArgumentError("the object has " + std::to_string(answer.size) +
                             " bytes, the pieces hold " + std::to_string(capacity)),
        answer.size);
  }
  reading->size = answer.size;
  reading->checksum = answer.checksum;
  reading->replicas = std::move(answer.replicas);
  reading->next = 0;
  std::stable_sort(reading->replicas.begin(), reading->replicas.end(),
                   [&](const Replica& a, const Replica& b) { return Distance(a) < Distance(b); });
}

// 0: this node's own memory; 1: its host's; 2: further. Among equals the master's order stays.
int GetCall::Distance(const Replica& replica) const {
  if (replica.segment.holder == parts_.self.incarnation) return 0;
  if (parts_.self.host.empty()) return 2;
  const std::optional<Peer> peer = parts_.master.FindPeer(replica.segment.holder);
  return peer && peer->host == parts_.self.host ? 1 : 2;
}

void GetCall::Read(const Readings& readings) {
  CopyPlan plan;
  Readings planned;
  for (Reading* reading : readings) {
    PlanItem(reading, &plan);
    if (!reading->answered && !reading->Exhausted()) planned.push_back(reading);
  }
  const std::vector<transfer::Completion> all = plan.copies().empty()
                                                    ? std::vector<transfer::Completion>{}
                                                    : parts_.engine.Run(plan.copies(), deadline_);
  for (Reading* reading : planned) {
    const CopyPlan::Span& span = reading->copies;
    Judge(transfer::FirstError(std::span(all).subspan(span.begin, span.end - span.begin)), reading);
  }
}

// Plans the copies from the next replica that can be reached; none may be left.
void GetCall::PlanItem(Reading* reading, CopyPlan* plan) {
  if (parts_.clock.Now() >= deadline_) {
    const Status& before = reading->first_error;
    return reading->Answer(DeadlineExceededError(
        "not read in time" + (before.ok() ? "" : "; before that, " + before.ToString())));
  }
  reading->copies = {};
  if (reading->size == 0) return;  // a fresh location and the checksum of nothing are enough
  while (!reading->Exhausted()) {
    const Replica& replica = reading->replicas[reading->next];
    Result<transfer::PeerId> holder = peers_.Open(replica.segment.holder);
    if (!holder.ok()) {
      reading->NextReplica(holder.status());
      continue;
    }
    Result<CopyPlan::Span> copies =
        plan->AddRead(reading->item->pieces, reading->size, replica, *holder);
    if (copies.ok()) {
      reading->copies = *copies;
      return;
    }
    reading->NextReplica(copies.status());
  }
}

// What a failed copy means to the caller of Get.
Status ReadError(const Status& copied, bool refused) {
  if (!refused) return copied;
  return UnavailableError("the object was moved, replaced or removed while it was read; try again");
}

// Nothing is returned before it is validated: by the holder's word after the last byte, which is
// part of a done copy, and by the checksum.
void GetCall::Judge(const Status& copied, Reading* reading) {
  if (!copied.ok()) {
    const bool refused =
        copied.code() == StatusCode::kAborted || copied.code() == StatusCode::kNotFound;
    if (refused) ++counters_.refused;
    reading->NextReplica(ReadError(copied, refused));
  } else if (!guards_.verify_checksum ||
             Checksum(reading->item->pieces, reading->size) == reading->checksum) {
    return reading->Answer(Status::Ok(), reading->size);
  } else {
    ++counters_.checksum_mismatches;
    if (!reading->read_again) {
      // The word may have changed since: only if it stands again are these the holder's bytes.
      reading->read_again = true;
      return;
    }
    reading->NextReplica(DataLossError("a holder's " + std::to_string(reading->size) +
                                       " bytes don't match their checksum; put the object anew"));
  }
  if (!reading->Exhausted()) ++counters_.other_replicas;
}

}  // namespace

std::vector<GetResult> GetObjects(const Parts& parts, std::span<const GetItem> items,
                                  Duration timeout, const ReadGuards& guards,
                                  GetCounters* counters) {
  const TimePoint deadline = After(parts.clock.Now(), timeout);
  return GetCall(parts, deadline, guards, counters).Run(items);
}

}  // namespace kvstore::client
