#include "client/get.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/checksum.h"
#include "client/copy_plan.h"
#include "client/failures.h"
#include "client/locate.h"
#include "client/open_peers.h"
#include "client/read_notes.h"
#include "client/reading.h"

namespace kvstore::client {
namespace {

// A holder that gives no sign of life for so long, or for half of the time that is left, is given
// up where another source may do better.
constexpr Duration kPatience = std::chrono::milliseconds(500);
// So is one from which less than this part of the bytes has come in half of the time: it would not
// be done in the other half.
constexpr uint64_t kLeastPart = 4;
// Where several holders are read at a time, one that has ended is found so late at most.
constexpr Duration kLook = std::chrono::milliseconds(20);

// Copies that were planned together.
struct Wave {
  CopyPlan plan;
  Readings readings;
  std::unique_ptr<transfer::Batch> batch;  // null: there is nothing to copy
  uint64_t bytes = 0;
  Duration time{};                    // that it has until the call's end
  Duration stall = Duration::max();   // how long its holders may be silent
  TimePoint half = TimePoint::max();  // when it is to have come so far; max: it may be slow
  bool too_slow = false;              // and was given up
};

// One call of GetObjects. Confined to the thread that makes it.
class GetCall {
 public:
  GetCall(const Parts& parts, Duration timeout, const ReadGuards& guards, GetCounters* counters)
      : parts_(parts),
        began_(parts.clock.Now()),
        deadline_(After(began_, timeout)),
        guards_(guards),
        counters_(*counters),
        peers_(parts.peers == nullptr ? &own_peers_.emplace(parts) : parts.peers) {}

  std::vector<GetResult> Run(std::span<const GetItem> items, std::span<const PutId> of_puts);
  std::vector<GetResult> RunOne(const GetItem& item);

 private:
  void AnswerAll(Readings open);
  void Recall(Reading* reading) const;
  void Locate(const Readings& readings);
  void LocateAnew(const Readings& readings);
  void Accept(Located found, Reading* reading) const;
  void Use(std::shared_ptr<const Location> location, Reading* reading) const;
  void Read(Readings readings);
  void ReadAlone(Reading* reading);
  void ReadBeside(const Readings& readings);
  void AwaitSome();
  bool HasEnded(Wave* wave) const;
  Readings OpenHolders(Readings readings);
  bool OpenHolder(TimePoint now, Reading* reading);
  Result<transfer::PeerId> OpenPeer(const Incarnation& holder);
  // With limits of time for readings like that one.
  Wave NewWave(const Reading& reading, TimePoint now) const;
  Wave Plan(Readings readings) const;
  // What it reads of its replica, and how that is proved. False: it can't be read of that one.
  bool PlanOne(CopyPlan* plan, Reading* reading) const;
  void Finish(const Wave& wave, std::span<const transfer::Completion> all);
  void FinishOne(const Wave& wave, std::span<const transfer::Completion> copies, Reading* reading);
  void ReportUnreachable(const Wave& wave, const Reading& reading,
                         std::span<const transfer::Completion> copies) const;
  bool IsVerified(const Reading& reading) const;
  bool IsProven(const Reading& reading) const;
  bool Matches(const Reading& reading) const;
  void Judge(const Status& copied, Reading* reading);
  void Fail(Status error, Reading* reading) const;
  void Publish(Reading* reading);

  const Parts& parts_;
  const TimePoint began_;
  const TimePoint deadline_;
  const ReadGuards& guards_;
  GetCounters& counters_;
  std::optional<OpenPeers> own_peers_;
  OpenPeers* const peers_;
  std::optional<std::pair<Incarnation, transfer::PeerId>> last_opened_;
  std::vector<Wave> waves_;  // under way
};

std::vector<GetResult> GetCall::Run(std::span<const GetItem> items,
                                    std::span<const PutId> of_puts) {
  std::vector<Reading> readings(items.size());
  Readings open;
  open.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    readings[i].item = &items[i];
    if (!of_puts.empty()) readings[i].of_put = &of_puts[i];
    Recall(&readings[i]);
    open.push_back(&readings[i]);
  }
  AnswerAll(std::move(open));
  std::vector<GetResult> results;
  results.reserve(items.size());
  for (Reading& reading : readings) results.push_back(std::move(reading.result));
  return results;
}

std::vector<GetResult> GetCall::RunOne(const GetItem& item) {
  std::vector<GetResult> results(1);
  Reading reading;
  reading.item = &item;
  Recall(&reading);
  ReadAlone(&reading);
  if (!reading.answered) AnswerAll({&reading});
  results.front() = std::move(reading.result);
  return results;
}

// Of each object that has no answer yet one replica is being read; when that has failed, the next;
// an object whose replicas have all failed is located anew, once.
void GetCall::AnswerAll(Readings open) {
  Locate(Unanswered(open, [](const Reading& r) { return !r.location; }));
  while (!open.empty()) {
    LocateAnew(Unanswered(open, [](const Reading& r) { return !r.under_way && r.Exhausted(); }));
    Read(Unanswered(open, [](const Reading& r) { return !r.under_way && !r.Exhausted(); }));
    AwaitSome();
    open = Unanswered(open, [](const Reading&) { return true; });
  }
}

// A remembered location is taken first. It relies on the word, which every copy asks.
void GetCall::Recall(Reading* reading) const {
  std::shared_ptr<const Location> known =
      RecallLocation(parts_, guards_, reading->item->key, began_);
  if (!known || (reading->of_put != nullptr && known->put != *reading->of_put)) return;
  reading->remembered = true;
  Use(std::move(known), reading);
}

void GetCall::Locate(const Readings& readings) {
  if (readings.empty()) return;
  std::vector<std::string_view> keys;
  keys.reserve(readings.size());
  for (const Reading* reading : readings) keys.push_back(reading->item->key);
  std::vector<Located> found = LocateObjects(parts_, keys, deadline_);
  for (size_t i = 0; i < readings.size(); ++i) Accept(std::move(found[i]), readings[i]);
}

// What was remembered says nothing of the object as it is now: that is located as if for the first
// time.
void GetCall::LocateAnew(const Readings& readings) {
  Readings again;
  for (Reading* reading : readings) {
    if (reading->first_error.ok()) {
      reading->first_error = UnavailableError("no node holds the object just now; try again");
    }
    if (reading->located_anew) {
      reading->Answer(reading->first_error);
    } else {
      reading->located_anew = !reading->remembered;
      again.push_back(reading);
    }
  }
  counters_.located_anew += again.size();
  Locate(again);
}

void GetCall::Accept(Located found, Reading* reading) const {
  const bool not_found = found.status().code() == StatusCode::kNotFound;
  if (reading->of_put != nullptr &&
      (not_found || (found.ok() && (*found)->put != *reading->of_put))) {
    return reading->Answer(AbortedError(not_found ? "the object was removed or evicted meanwhile"
                                                  : "the object was replaced meanwhile"));
  }
  if (!found.ok()) {
    // What went wrong with the object says more than that the master could not be asked again.
    const bool says_more = reading->first_error.ok() || not_found;
    return reading->Answer(says_more ? found.status() : reading->first_error);
  }
  if (std::exchange(reading->remembered, false)) reading->first_error = Status::Ok();
  Use(*std::move(found), reading);
  if (!reading->misfit.ok()) reading->Answer(reading->misfit, reading->location->size);
}

void GetCall::Use(std::shared_ptr<const Location> location, Reading* reading) const {
  const Result<transfer::Stretch> part = PartOf(*reading->item, location->size);
  reading->misfit = part.status();
  reading->part = part.ok() ? *part : transfer::Stretch{};
  reading->location = std::move(location);
  reading->next = 0;
  reading->order.clear();
  if (parts_.failures != nullptr && reading->location->replicas.size() > 1) {
    reading->order = parts_.failures->Order(reading->location->replicas, parts_.clock.Now());
  }
}

void GetCall::Read(Readings readings) {
  Readings open = OpenHolders(std::move(readings));
  if (open.empty()) return;
  const bool may_do_better = open.front()->MayDoBetter();
  const bool alike = std::all_of(open.begin(), open.end(), [may_do_better](const Reading* r) {
    return r->IsLast() && r->MayDoBetter() == may_do_better;
  });
  if (!alike || !waves_.empty()) return ReadBeside(open);
  // This thread carries what it can itself.
  const Wave wave = Plan(std::move(open));
  Finish(wave, wave.plan.copies().empty()
                   ? std::vector<transfer::Completion>{}
                   : parts_.engine.Run(wave.plan.copies(), {deadline_, wave.stall}));
}

// What most small reads are, without the lists of a wave: one copy to one piece, of an object that
// is remembered, has one replica, and is heard when it is there. Whatever else a read takes is left
// to AnswerAll.
void GetCall::ReadAlone(Reading* reading) {
  if (reading->Exhausted() || !reading->IsLast() || !reading->misfit.ok()) return;
  const uint64_t size = reading->location->size;
  if (reading->part.length == 0 || size >= RunningChecksum::kWorthwhile) return;
  const std::span<const Piece> pieces = reading->item->pieces;
  const std::span<const Range> ranges = reading->Next().ranges;
  if (pieces.size() != 1 || ranges.size() != 1 || ranges.front().length < size) return;
  if (!OpenHolder(began_, reading)) return;
  const Replica& replica = reading->Next();
  const Piece piece{pieces.front().data, reading->part.length};
  transfer::Copy copy = CopyOf(transfer::Access::kRead, {&piece, 1}, replica.ranges.front(),
                               reading->part.offset, replica, reading->holder);
  copy.proven = IsProven(*reading);
  const Wave limits = NewWave(*reading, began_);
  FinishOne(limits, parts_.engine.Run({&copy, 1}, {deadline_, limits.stall}), reading);
}

// Each holder's copies are a batch of their own, so that none is held up by another. Those of
// objects that may be had elsewhere are kept apart from those that must take what time there is.
void GetCall::ReadBeside(const Readings& readings) {
  std::map<std::pair<transfer::PeerId, bool>, Readings> groups;
  for (Reading* reading : readings) {
    groups[{reading->holder, reading->MayDoBetter()}].push_back(reading);
  }
  for (auto& [group, some] : groups) {
    Wave wave = Plan(std::move(some));
    if (!wave.plan.copies().empty()) {
      wave.batch = parts_.engine.Submit(wave.plan.copies(), {deadline_, wave.stall});
    }
    for (Reading* reading : wave.readings) reading->under_way = true;
    waves_.push_back(std::move(wave));
  }
}

// Returns when a wave has ended, or there is none.
void GetCall::AwaitSome() {
  while (!waves_.empty()) {
    const auto ended = std::stable_partition(waves_.begin(), waves_.end(),
                                             [this](Wave& wave) { return !HasEnded(&wave); });
    if (ended != waves_.end()) {
      std::vector<Wave> over(std::make_move_iterator(ended), std::make_move_iterator(waves_.end()));
      waves_.erase(ended, waves_.end());
      for (const Wave& wave : over) {
        Finish(wave, wave.batch == nullptr ? std::span<const transfer::Completion>()
                                           : wave.batch->completions());
      }
      return;
    }
    Wave& first = waves_.front();
    const TimePoint look = After(parts_.clock.Now(), kLook);
    (void)first.batch->Wait(waves_.size() == 1 ? first.half : std::min(first.half, look));
  }
}

bool GetCall::HasEnded(Wave* wave) const {
  if (wave->batch == nullptr || wave->batch->Wait(TimePoint::min())) return true;
  if (parts_.clock.Now() < wave->half) return false;
  wave->half = TimePoint::max();
  if (wave->batch->moved() >= wave->bytes / kLeastPart) return false;
  wave->too_slow = true;
  wave->batch->Cancel();
  while (!wave->batch->Wait(TimePoint::max())) continue;  // no longer than its paths take to close
  return true;
}

// Those of whose replicas one is left whose holder can be opened; the others may be answered.
Readings GetCall::OpenHolders(Readings readings) {
  const TimePoint now = parts_.clock.Now();
  last_opened_.reset();
  std::erase_if(readings, [&](Reading* reading) { return !OpenHolder(now, reading); });
  return readings;
}

// Many objects of one call lie at the same holder, one after the other.
Result<transfer::PeerId> GetCall::OpenPeer(const Incarnation& holder) {
  if (last_opened_ && last_opened_->first == holder) return last_opened_->second;
  KVSTORE_ASSIGN_OR_RETURN(const transfer::PeerId peer, peers_->Open(holder));
  last_opened_.emplace(holder, peer);
  return peer;
}

bool GetCall::OpenHolder(TimePoint now, Reading* reading) {
  if (now >= deadline_) {
    const Status& before = reading->first_error;
    reading->Answer(DeadlineExceededError(
        "not read in time" + (before.ok() ? "" : "; before that, " + before.ToString())));
    return false;
  }
  reading->copies = {};
  reading->checksum.reset();  // of an earlier attempt, perhaps at another object
  // A fresh location and the checksum of nothing are enough.
  if (reading->location->size == 0 && !reading->remembered) return true;
  while (!reading->Exhausted()) {
    const Result<transfer::PeerId> holder = OpenPeer(reading->Next().segment.holder);
    if (holder.ok()) {
      reading->holder = *holder;
      return true;
    }
    Fail(holder.status(), reading);
  }
  return false;
}

Wave GetCall::NewWave(const Reading& reading, TimePoint now) const {
  Wave wave;
  wave.time = deadline_ - now;
  if (reading.MayDoBetter()) {
    wave.stall = std::min<Duration>(kPatience, wave.time / 2);
    wave.half = After(now, wave.time / 2);
  }
  return wave;
}

Wave GetCall::Plan(Readings readings) const {
  Wave wave = NewWave(*readings.front(), parts_.clock.Now());
  wave.plan.Reserve(readings.size());
  std::erase_if(readings, [&](Reading* reading) { return !PlanOne(&wave.plan, reading); });
  for (const Reading* reading : readings) wave.bytes += reading->part.length;
  wave.readings = std::move(readings);
  return wave;
}

bool GetCall::PlanOne(CopyPlan* plan, Reading* reading) const {
  if (reading->location->size == 0 && !reading->remembered) return true;
  const bool verified = IsVerified(*reading);
  const bool running = verified && reading->location->size >= RunningChecksum::kWorthwhile;
  reading->checksum = running ? std::make_unique<RunningChecksum>() : nullptr;
  const Result<CopyPlan::Span> copies =
      plan->AddRead(reading->item->pieces, reading->part, reading->Next(), reading->holder,
                    reading->checksum.get(), IsProven(*reading));
  if (copies.ok()) {
    reading->copies = *copies;
  } else {
    Fail(copies.status(), reading);
  }
  return copies.ok();
}

void GetCall::Finish(const Wave& wave, std::span<const transfer::Completion> all) {
  for (Reading* reading : wave.readings) {
    reading->under_way = false;
    const CopyPlan::Span& span = reading->copies;
    FinishOne(wave, all.subspan(span.begin, span.end - span.begin), reading);
  }
}

void GetCall::FinishOne(const Wave& wave, std::span<const transfer::Completion> copies,
                        Reading* reading) {
  ReportUnreachable(wave, *reading, copies);
  Status copied = transfer::FirstError(copies);
  if (wave.too_slow && copied.code() == StatusCode::kCancelled) {
    copied = UnavailableError("its holder is slow: in half of the time came less than 1/" +
                              std::to_string(kLeastPart) + " of " + std::to_string(wave.bytes) +
                              " bytes");
  }
  const bool may_come = std::any_of(copies.begin(), copies.end(), [](const auto& copy) {
    return copy.outcome == transfer::Outcome::kInDoubt;
  });
  if (may_come) {
    reading->Answer(copied);  // nothing else may be read to that memory
  } else {
    Judge(copied, reading);
  }
}

// A holder that was silent for long enough can't be reached. One whose copies ran out of time was
// not silent, or is complained of already: it was given less patience before.
void GetCall::ReportUnreachable(const Wave& wave, const Reading& reading,
                                std::span<const transfer::Completion> copies) const {
  if (parts_.failures == nullptr || !WasFair(std::min(wave.stall, wave.time))) return;
  if (std::any_of(copies.begin(), copies.end(), MetNobody)) {
    parts_.failures->Add(reading.Next().segment, parts_.clock.Now());
  }
}

// What a failed copy means to the caller of Get.
Status ReadError(const Status& copied, bool refused) {
  if (!refused) return copied;
  return UnavailableError("the object was moved, replaced or removed while it was read; try again");
}

// Whether it is to be compared with the object's checksum.
bool GetCall::IsVerified(const Reading& reading) const {
  return guards_.verify_checksum && reading.misfit.ok() && reading.IsWhole();
}

// The second time the word must say whose bytes they are, if they don't match again.
bool GetCall::IsProven(const Reading& reading) const {
  return (IsVerified(reading) || !guards_.only_checksums_prove) && !reading.read_again;
}

bool GetCall::Matches(const Reading& reading) const {
  const Location& location = *reading.location;
  const std::span<const Piece> pieces = reading.item->pieces;
  const uint64_t checksum = reading.checksum != nullptr
                                ? reading.checksum->Finish(pieces, location.size)
                                : Checksum(pieces, location.size);
  return checksum == location.checksum;
}

// Nothing is returned before it is validated: by the holder's word, which is part of a done copy,
// and by the checksum of an object that was read whole. What no checksum proves relies on the word
// after the last byte.
void GetCall::Judge(const Status& copied, Reading* reading) {
  const Location& location = *reading->location;
  if (!copied.ok()) {
    const bool refused =
        copied.code() == StatusCode::kAborted || copied.code() == StatusCode::kNotFound;
    if (refused) ++counters_.refused;
    Fail(ReadError(copied, refused), reading);
  } else if (!IsVerified(*reading) || Matches(*reading)) {
    return Publish(reading);
  } else {
    ++counters_.checksum_mismatches;
    if (!reading->read_again) {
      // The word may have changed since: only if it stands again are these the holder's bytes.
      reading->read_again = true;
      return;
    }
    Fail(DataLossError("a holder's " + std::to_string(location.size) +
                       " bytes don't match their checksum; put the object anew"),
         reading);
  }
  if (!reading->Exhausted()) ++counters_.other_replicas;
}

// The next Get of the key had better ask.
void GetCall::Fail(Status error, Reading* reading) const {
  if (parts_.locations != nullptr) {
    parts_.locations->Forget(reading->item->key, reading->location->put);
  }
  reading->NextReplica(std::move(error));
}

void GetCall::Publish(Reading* reading) {
  const Location& location = *reading->location;
  if (reading->remembered && parts_.notes != nullptr) parts_.notes->Add(location.put);
  if (!reading->misfit.ok()) return reading->Answer(reading->misfit, location.size);
  if (reading->remembered) ++counters_.remembered;
  reading->Answer(Status::Ok(), reading->part.length);
}

}  // namespace

std::shared_ptr<const Location> RecallLocation(const Parts& parts, const ReadGuards& guards,
                                               std::string_view key, TimePoint began) {
  if (parts.locations == nullptr) return nullptr;
  const TimePoint now = guards.remembered_locations_end_with_their_lease ? began : TimePoint::min();
  return parts.locations->Find(key, parts.self.incarnation, now);
}

std::vector<GetResult> GetObjects(const Parts& parts, std::span<const GetItem> items,
                                  Duration timeout, const ReadGuards& guards, GetCounters* counters,
                                  std::span<const PutId> of_puts) {
  GetCall call(parts, timeout, guards, counters);
  return items.size() == 1 && of_puts.empty() ? call.RunOne(items.front())
                                              : call.Run(items, of_puts);
}

}  // namespace kvstore::client
