#include "model/ledger.h"

#include <algorithm>
#include <string>

namespace kvstore::model {

namespace {

std::string PutName(Byte put) { return "put " + std::to_string(put); }
std::string ProcessName(int process) {
  return process == kViewer ? "the viewer" : "writer " + std::to_string(process);
}

class LedgerStep {
 public:
  LedgerStep(const LedgerRules& rules, const LedgerState& state, const Visit<LedgerState>& visit)
      : rules_(rules), s_(state), visit_(visit) {}

  void All() {
    for (int put = 1; put <= rules_.bounds.puts; ++put) {
      Grant(put);
      Commit(put);
      Touches(put);
    }
    if (rules_.bounds.viewer) {
      Locate();
      Touches(kViewer);
    }
    Order();
    Retire();
    if (rules_.bounds.reader) Read();
  }

 private:
  bool On(LedgerGuard guard) const { return rules_.On(guard); }
  bool Wanted(LedgerGoal goal) const { return rules_.goal == goal; }

  void Emit(const LedgerState& next, const std::string& text, std::string violation = "") {
    if (violation.empty()) violation = Broken(next);
    visit_({next, text, violation});
  }

  // ---- what must hold in every state

  std::string Broken(const LedgerState& n) const {
    const Toucher& viewer = n.touchers[kViewer];
    const bool views = viewer.stage == Touch::kVouched && !viewer.dead;
    if (views && (n.bytes[0] != viewer.put || n.bytes[1] != viewer.put)) {
      return "the bytes of a view changed";
    }
    if (NeverFree(n)) return "memory that never becomes free, though nothing touches it";
    return "";
  }

  // The holder sleeps, and nobody will wake it.
  bool NeverFree(const LedgerState& n) const {
    if (n.retiring != Retiring::kAsleep || !n.waits || n.nudged) return false;
    return std::none_of(n.touchers.begin(), n.touchers.end(), [this](const Toucher& t) {
      if (t.dead) return !t.end_seen;
      if (t.slot != kNoPut) return true;
      return t.link_lost ? On(kLostLinksAreLookedAt) : t.stage == Touch::kCleared;
    });
  }

  // ---- the master

  void Grant(int put) {
    const bool next = put == 1 || s_.touchers[put - 1].stage != Touch::kNotYet;
    if (s_.space != Space::kFree || s_.touchers[put].stage != Touch::kNotYet || !next) return;
    LedgerState n = s_;
    n.space = Space::kGranted;
    n.owner = static_cast<Byte>(put);
    n.births[put] = s_.known_counter;
    n.touchers[put].stage = Touch::kMayBegin;
    n.touchers[put].put = static_cast<Byte>(put);
    Emit(n, "the master grants the memory to " + PutName(n.owner), WhatWasReached());
  }

  std::string WhatWasReached() const {
    const bool died = std::any_of(s_.touchers.begin(), s_.touchers.end(), [](const Toucher& t) {
      return t.dead && t.stage == Touch::kHalf;
    });
    const Toucher& viewer = s_.touchers[kViewer];
    const bool viewed = viewer.stage == Touch::kOver && !viewer.refused && !viewer.dead;
    if (died && Wanted(LedgerGoal::kGrantedAfterADeath)) return "reached";
    if (viewed && Wanted(LedgerGoal::kGrantedAfterAView)) return "reached";
    return "";
  }

  void Commit(int put) {
    const Toucher& writer = s_.touchers[put];
    const bool written = writer.stage == Touch::kOver && !writer.refused && !writer.dead;
    if (!written || s_.space != Space::kGranted || s_.owner != put) return;
    LedgerState n = s_;
    n.space = Space::kCommitted;
    n.visible = static_cast<Byte>(put);
    Emit(n, PutName(n.owner) + " is committed");
  }

  // An overrun deadline, a removal, an eviction.
  void Order() {
    if (s_.space != Space::kGranted && s_.space != Space::kCommitted) return;
    LedgerState n = s_;
    n.space = Space::kRetiring;
    n.visible = kNoPut;
    n.retiring = Retiring::kOrdered;
    n.retired_put = s_.owner;
    Emit(n, "the master orders the holder to retire " + PutName(s_.owner));
  }

  // ---- the holder

  void Retire() {
    switch (s_.retiring) {
      case Retiring::kNoOrder:
        return;
      case Retiring::kOrdered:
        return On(kStampBeforeSlots) ? Stamp() : BeginReadingSlots();
      case Retiring::kStamped:
        return On(kFreeAsksTheLedger) ? BeginReadingSlots() : SayFree();
      case Retiring::kReadsSlots:
        return ReadSlot();
      case Retiring::kAsleep:
        return Sleep();
      case Retiring::kSlotsClear:
        return Stamp();
    }
  }

  void Stamp() {
    LedgerState n = s_;
    n.word = ++n.counter;
    n.retiring = Retiring::kStamped;
    n.over |= Bit(s_.retired_put);
    if (!On(kGrantsWaitForFree) || s_.retiring == Retiring::kSlotsClear) BecomeFree(&n);
    const Toucher& viewer = s_.touchers[kViewer];
    const bool outlives = viewer.stage == Touch::kVouched && viewer.put == s_.retired_put;
    Emit(n, "the holder stores the word; " + PutName(s_.retired_put) + " is withdrawn",
         outlives && Wanted(LedgerGoal::kViewOutlivesItsObject) ? "reached" : "");
  }

  void BeginReadingSlots() {
    LedgerState n = s_;
    if (On(kSayWaitingBeforeSlots)) n.waits = 1;
    n.retiring = Retiring::kReadsSlots;
    n.next_slot = 1;
    n.nudged = 0;
    Emit(n, "the holder begins to read the slots");
  }

  void ReadSlot() {
    LedgerState n = s_;
    const Toucher& process = s_.touchers[s_.next_slot];
    const bool dropped = process.dropped || (!On(kSlotsEndWithProcess) && process.link_lost);
    if (process.slot != kNoPut && !dropped) {
      n.retiring = Retiring::kAsleep;
      n.next_slot = 0;
      return Emit(n, "the holder sees the slot of " + ProcessName(s_.next_slot) + ", and waits");
    }
    if (++n.next_slot < kSlots) {
      return Emit(n, "the holder sees no slot of " + ProcessName(s_.next_slot));
    }
    n.next_slot = 0;
    n.retiring = Retiring::kSlotsClear;
    if (On(kStampBeforeSlots)) BecomeFree(&n);
    Emit(n, "the holder sees no slot of " + ProcessName(s_.next_slot) + " either");
  }

  void Sleep() {
    // At the slots of a process whose socket has ended the holder looks now and then.
    const bool polls = On(kLostLinksAreLookedAt) &&
                       std::any_of(s_.touchers.begin(), s_.touchers.end(),
                                   [](const Toucher& t) { return t.link_lost && !t.dead; });
    if (!s_.waits) {
      LedgerState n = s_;
      n.waits = 1;
      Emit(n, "the holder says that it waits");
    } else if (s_.nudged || polls) {
      BeginReadingSlots();
    }
  }

  void SayFree() {
    LedgerState n = s_;
    BecomeFree(&n);
    Emit(n, "the holder says that the memory is free");
  }

  static void BecomeFree(LedgerState* n) {
    n->retiring = Retiring::kNoOrder;
    n->retired_put = kNoPut;
    n->waits = 0;
    n->space = Space::kFree;
    n->owner = kNoPut;
    n->known_counter = n->counter;
  }

  // ---- processes that touch the memory

  void Locate() {
    if (s_.visible == kNoPut || s_.touchers[kViewer].stage != Touch::kNotYet) return;
    LedgerState n = s_;
    n.touchers[kViewer].stage = Touch::kMayBegin;
    n.touchers[kViewer].put = s_.visible;
    Emit(n, "the viewer locates " + PutName(s_.visible));
  }

  void Touches(int process) {
    const Toucher& t = s_.touchers[process];
    if (t.dead) return SeeEnd(process);
    if (t.stage == Touch::kNotYet || t.stage == Touch::kOver) return;
    Go(process);
    Die(process);
    LoseLink(process);
    Drop(process);
  }

  void Go(int process) {
    const Toucher& t = s_.touchers[process];
    const bool announces = process != kViewer || On(kViewsAnnounce);
    switch (t.stage) {
      case Touch::kNotYet:
      case Touch::kOver:
        return;
      case Touch::kMayBegin:
        return On(kAnnounceBeforeWord) && announces ? Announce(process, Touch::kAnnounced)
                                                    : ReadWord(process, announces);
      case Touch::kAnnounced:
        return t.refused ? Clear(process) : ReadWord(process, true);
      case Touch::kWordRead:
        return t.refused ? End(process) : Announce(process, Touch::kVouched);
      case Touch::kVouched:
        return process == kViewer ? Clear(process) : Write(process, 0);
      case Touch::kHalf:
        if (!On(kClearAfterLastByte) && t.slot != kNoPut) return Clear(process);
        return Write(process, 1);
      case Touch::kTouched:
      case Touch::kLooked:
        return Clear(process);
      case Touch::kCleared:
        return Look(process);
    }
  }

  void Announce(int process, Touch then) {
    LedgerState n = s_;
    Toucher& t = n.touchers[process];
    t.stage = then;
    t.slot = t.put;
    if (then == Touch::kAnnounced) t.over_before = s_.over;
    Emit(n, ProcessName(process) + " announces itself");
  }

  void ReadWord(int process, bool announces) {
    LedgerState n = s_;
    Toucher& t = n.touchers[process];
    const bool began_here = t.stage == Touch::kMayBegin;
    if (began_here) t.over_before = s_.over;
    t.refused = s_.word > s_.births[t.put] || (On(kEndedLedgersRefuse) && t.link_lost);
    if (began_here) {
      t.stage = announces ? Touch::kWordRead : t.refused ? Touch::kOver : Touch::kVouched;
    } else if (!t.refused) {
      t.stage = Touch::kVouched;
    }
    std::string violation;
    if (!t.refused && process == kViewer && (t.over_before & Bit(t.put)) != 0) {
      violation = "a view of an object that was removed before";
    }
    if (t.refused && process != kViewer && Wanted(LedgerGoal::kWriterRefused)) {
      violation = "reached";
    }
    Emit(n, ProcessName(process) + (t.refused ? " reads the word: refused" : " reads the word"),
         violation);
  }

  void Write(int process, int unit) {
    LedgerState n = s_;
    Toucher& t = n.touchers[process];
    n.bytes[unit] = t.put;
    t.stage = unit == 0 ? Touch::kHalf : t.slot == kNoPut ? Touch::kOver : Touch::kTouched;
    std::string violation;
    if (s_.space == Space::kFree) violation = "a write into memory that was said to be free";
    if (s_.space != Space::kFree && s_.owner != t.put)
      violation = "a write into a new owner's memory";
    Emit(n, ProcessName(process) + " writes unit " + std::to_string(unit + 1), violation);
  }

  void Clear(int process) {
    const Toucher& t = s_.touchers[process];
    if (t.stage == Touch::kVouched && t.slot == kNoPut) return End(process);  // a view unannounced
    if (!On(kClearBeforeLooking) && t.stage != Touch::kLooked) return Look(process);
    LedgerState n = s_;
    n.touchers[process].slot = kNoPut;
    if (t.stage == Touch::kHalf) {  // too early, and it looks at once
      n.nudged |= s_.waits && !t.link_lost;
    } else {
      n.touchers[process].stage = t.stage == Touch::kLooked ? Touch::kOver : Touch::kCleared;
    }
    Emit(n, ProcessName(process) + " clears its slot");
  }

  void Look(int process) {
    LedgerState n = s_;
    Toucher& t = n.touchers[process];
    t.stage = t.stage == Touch::kCleared ? Touch::kOver : Touch::kLooked;
    const bool tells = s_.waits && !t.link_lost;
    if (tells) n.nudged = 1;
    Emit(n, ProcessName(process) + (tells ? " sees that the holder waits, and tells it"
                                          : " looks whether the holder waits: it need not know"));
  }

  void End(int process) {
    LedgerState n = s_;
    n.touchers[process].stage = Touch::kOver;
    Emit(n, ProcessName(process) + " is done");
  }

  void Die(int process) {
    if (s_.deaths == rules_.bounds.deaths) return;
    LedgerState n = s_;
    ++n.deaths;
    n.touchers[process].dead = 1;
    Emit(n, ProcessName(process) + " dies");
  }

  void SeeEnd(int process) {
    if (s_.touchers[process].end_seen) return;
    LedgerState n = s_;
    n.touchers[process].end_seen = 1;
    if (On(kEndedProcessesLetGo)) n.touchers[process].slot = kNoPut;
    n.nudged = s_.retiring == Retiring::kAsleep || s_.retiring == Retiring::kReadsSlots;
    Emit(n, "the holder sees that " + ProcessName(process) + " has ended");
  }

  void LoseLink(int process) {
    if (s_.lost_links == rules_.bounds.lost_links || s_.touchers[process].link_lost) return;
    LedgerState n = s_;
    ++n.lost_links;
    n.touchers[process].link_lost = 1;
    Emit(n, "the socket of " + ProcessName(process) + " ends; it lives");
  }

  // Once the holder has seen the end of a socket it takes no further announcements, and a ledger in
  // which none is left is no longer looked at.
  void Drop(int process) {
    const Toucher& t = s_.touchers[process];
    if (!t.link_lost || t.dropped || t.slot != kNoPut) return;
    LedgerState n = s_;
    n.touchers[process].dropped = 1;
    Emit(n, "the holder finds nothing in the ledger of " + ProcessName(process) + ", and drops it");
  }

  // ---- the reader

  void Read() {
    switch (s_.reading) {
      case LedgerReading::kIdle:
        return BeginGet();
      case LedgerReading::kBegun:
        return AfterBegin();
      case LedgerReading::kWordRead:
        return Sample(0);
      case LedgerReading::kHalf:
        return Sample(1);
      case LedgerReading::kSampled:
        return EndGet();
    }
  }

  void BeginGet() {
    if (s_.visible != kNoPut && s_.located != s_.visible) {
      LedgerState n = s_;
      n.located = s_.visible;
      Emit(n, "the reader learns the location of " + PutName(s_.visible));
    }
    for (const Proof proof : {Proof::kWordLast, Proof::kWordAtAnyTime, Proof::kChecksumAlone}) {
      if (proof != Proof::kChecksumAlone && s_.located == kNoPut) continue;
      LedgerState n = s_;
      n.reading = LedgerReading::kBegun;
      n.proof = proof;
      n.over_before = s_.over;
      Emit(n, std::string("a Get begins, ") + (proof == Proof::kWordLast ? "without a checksum"
                                               : proof == Proof::kWordAtAnyTime
                                                   ? "with a checksum, at a remembered location"
                                                   : "with a checksum, and asks the master"));
    }
  }

  void AfterBegin() {
    LedgerState n = s_;
    n.reading = LedgerReading::kWordRead;
    if (s_.proof == Proof::kChecksumAlone) {
      if (s_.visible == kNoPut) return Refuse("the master knows no such object");
      n.located = s_.visible;
      return Emit(n, "the reader is told the location of " + PutName(s_.visible));
    }
    const bool reads_word =
        s_.proof == Proof::kWordLast ? !On(kWordAfterLastByte) : On(kRememberedReadTheWord);
    if (!reads_word) return Sample(0);
    if (Changed()) return Refuse("the reader reads the word: refused");
    Emit(n, "the reader reads the word");
  }

  bool Changed() const { return s_.word > s_.births[s_.located]; }

  void Sample(int unit) {
    LedgerState n = s_;
    n.reading = unit == 0 ? LedgerReading::kHalf : LedgerReading::kSampled;
    n.sample[unit] = s_.bytes[unit];
    Emit(n, "the reader takes unit " + std::to_string(unit + 1));
  }

  void Refuse(const std::string& text) {
    LedgerState n = s_;
    Reset(&n);
    Emit(
        n, text,
        Wanted(LedgerGoal::kReadRefused) && s_.reading == LedgerReading::kSampled ? "reached" : "");
  }

  static void Reset(LedgerState* n) {
    n->reading = LedgerReading::kIdle;
    n->proof = Proof::kWordLast;
    n->sample = {};
    n->over_before = 0;
  }

  void EndGet() {
    const Byte put = s_.located;
    const bool right = s_.sample[0] == put && s_.sample[1] == put;
    if (s_.proof == Proof::kWordLast && On(kWordAfterLastByte) && Changed()) {
      return Refuse("the reader reads the word: refused");
    }
    if (s_.proof != Proof::kWordLast && !right) return Refuse("the checksum does not match");
    LedgerState n = s_;
    Reset(&n);
    std::string violation;
    if (!right) {
      violation = "wrong bytes";
    } else if ((s_.over_before & Bit(put)) != 0) {
      violation = "an object that was removed before the Get began";
    }
    Emit(n, "the Get returns " + PutName(put), violation);
  }

  const LedgerRules& rules_;
  const LedgerState& s_;
  const Visit<LedgerState>& visit_;
};

}  // namespace

LedgerState FirstState(const LedgerRules& /*rules*/) { return LedgerState{}; }

void ForEachNext(const LedgerRules& rules, const LedgerState& state,
                 const Visit<LedgerState>& visit) {
  LedgerStep(rules, state, visit).All();
}

}  // namespace kvstore::model
