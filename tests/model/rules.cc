#include "model/rules.h"

#include <algorithm>

namespace kvstore::model {

namespace {

constexpr Byte kMostRetirements = 6;  // per holder; further ones are not followed

std::string PutName(int put) { return "put " + std::to_string(put); }
std::string HolderName(int holder) { return "holder " + std::to_string(holder + 1); }

// Earlier puts of the same key.
Byte Older(int put) {
  Byte bits = 0;
  for (int other = 1; other < put; ++other) {
    if (kKeyOf[other] == kKeyOf[put]) bits |= Bit(other);
  }
  return bits;
}

class Step {
 public:
  Step(const Rules& rules, const State& state, const Visit<State>& visit)
      : rules_(rules), s_(state), visit_(visit) {}

  void All() {
    for (int put = 1; put <= rules_.bounds.puts; ++put) Writer(put);
    Evict();
    Remove();
    for (int holder = 0; holder < kHolders; ++holder) {
      Order(holder);
      Ack(holder);
      Note(holder);
      Link(holder);
      EnterTerm(holder);
      Report(holder);
    }
    CrashMaster();
    Read();
  }

 private:
  bool On(Guard guard) const { return rules_.On(guard); }

  void Emit(const State& next, const std::string& text, std::string violation = "") {
    if (violation.empty()) violation = Unreadable(next);
    visit_({next, text, violation});
  }

  // ---- what the master looks up

  bool AllReported() const {
    return std::all_of(s_.holders.begin(), s_.holders.end(),
                       [](const Holder& h) { return !h.member || h.reported; });
  }
  bool IsLeaving(Key key) const {
    for (int put = 1; put <= kPuts; ++put) {
      if (kKeyOf[put] == key && s_.puts[put].leaving) return true;
    }
    return false;
  }
  bool IsPending(Key key) const {
    return std::any_of(s_.holders.begin(), s_.holders.end(), [&](const Holder& h) {
      return h.space == Space::kGranted && kKeyOf[h.owner] == key;
    });
  }
  bool Owns(int put) const {
    const Holder& h = s_.holders[s_.puts[put].holder];
    return h.space == Space::kGranted && h.owner == put && s_.puts[put].term == s_.reign;
  }

  // The one door: memory comes back over an order to its holder.
  void Retire(State* n, int put) const {
    Holder& h = n->holders[n->puts[put].holder];
    h.space = Space::kRetiring;
    h.owner = static_cast<Byte>(put);
    h.order = 1;
    h.order_put = static_cast<Byte>(put);
    h.order_term = n->reign;
    if (!On(kReuseAfterFree)) {
      h.space = Space::kFree;
      h.owner = kNoPut;
    }
  }
  void Withdraw(State* n, Key key) const {
    const Byte put = n->visible[key];
    if (put == kNoPut) return;
    n->visible[key] = kNoPut;
    n->puts[put].leaving = 1;
    Retire(n, put);
  }

  // ---- writers

  void Writer(int put) {
    if (MayBegin(put)) {
      Grant(put);
      GrantByDeposed(put);
    }
    Land(put);
    Commit(put);
    GiveUp(put);
  }

  // Puts begin in the order of their numbers.
  bool MayBegin(int put) const {
    for (int earlier = 1; earlier < put; ++earlier) {
      if (s_.puts[earlier].stage == Stage::kNew) return false;
    }
    return s_.puts[put].stage == Stage::kNew;
  }

  void Grant(int put) {
    const Key key = kKeyOf[put];
    if (On(kAllMembersReportFirst) && !AllReported()) return;
    if (s_.visible[key] != kNoPut || IsPending(key)) return;
    for (int i = 0; i < kHolders; ++i) {
      const Holder& h = s_.holders[i];
      if (!h.member || !h.reported || h.suspected || h.space != Space::kFree) continue;
      State n = s_;
      n.holders[i].space = Space::kGranted;
      n.holders[i].owner = static_cast<Byte>(put);
      BecomeGranted(&n, put, i, h.known_counter, s_.reign);
      Emit(n, "the master grants " + PutName(put) + " (key " + (key == kA ? "A" : "B") + ") on " +
                  HolderName(i));
    }
  }

  void GrantByDeposed(int put) {
    if (!s_.deposed) return;
    for (int i = 0; i < kHolders; ++i) {
      if (!s_.deposed_free[i]) continue;
      State n = s_;
      n.deposed_free[i] = 0;
      BecomeGranted(&n, put, i, s_.deposed_counter[i], s_.deposed_term);
      Emit(n, "the deposed master grants " + PutName(put) + " on " + HolderName(i));
    }
  }

  static void BecomeGranted(State* n, int put, int holder, Byte birth, Byte term) {
    Put& p = n->puts[put];
    p.stage = Stage::kGranted;
    p.holder = static_cast<Byte>(holder);
    p.birth = birth;
    p.term = term;
  }

  // Bytes land in the holder's memory unless its word says that it has changed hands since the
  // grant, whoever granted it. A writer that gave up may have a copy under way.
  void Land(int put) {
    const Put& p = s_.puts[put];
    const Holder& h = s_.holders[p.holder];
    const bool refused = On(kWritersCheckTheWord) && h.word > p.birth;
    const bool writes = p.stage == Stage::kGranted || p.stage == Stage::kGivenUp;
    const std::string where = "'s bytes land in " + HolderName(p.holder);
    if (writes && !refused && p.copies != Copies::kAllEnded) {
      State n = s_;
      n.holders[p.holder].bytes = static_cast<Byte>(put);
      if (p.stage == Stage::kGranted) n.puts[put].stage = Stage::kWritten;
      n.puts[put].copies = Copies::kAllEnded;
      Emit(n, PutName(put) + where + (p.stage == Stage::kGivenUp ? ", late" : ""));
      if (p.stage == Stage::kGranted) {
        n.puts[put].copies = Copies::kOneLandedOneUnderWay;
        Emit(n, PutName(put) + where + " by a second path; the first copy is still under way");
      }
    }
    if (p.copies != Copies::kOneLandedOneUnderWay) return;
    State n = s_;
    n.puts[put].copies = Copies::kAllEnded;
    if (refused) {
      Emit(n, PutName(put) + "'s first copy is refused");
    } else {
      n.holders[p.holder].bytes =
          static_cast<Byte>(put | (p.stage == Stage::kCommitted ? Holder::kTorn : 0));
      Emit(n, PutName(put) + "'s first copy lands late in " + HolderName(p.holder));
    }
  }

  void Commit(int put) {
    const Put& p = s_.puts[put];
    const Key key = kKeyOf[put];
    if (p.stage != Stage::kWritten || !Owns(put) || s_.visible[key] != kNoPut) return;
    if (On(kCommitAfterLastCopy) && p.copies == Copies::kOneLandedOneUnderWay) return;
    if (On(kCommitWaitsForWithdrawal) && IsLeaving(key)) return;
    State n = s_;
    Holder& h = n.holders[p.holder];
    h.space = Space::kCommitted;
    h.note_put = static_cast<Byte>(put);
    h.note_term = s_.reign;
    n.visible[key] = static_cast<Byte>(put);
    n.puts[put].stage = Stage::kCommitted;
    n.answered |= Bit(put);
    n.over |= Older(put);
    Emit(n, PutName(put) + " is committed and answered");
  }

  void GiveUp(int put) {
    const Put& p = s_.puts[put];
    State n = s_;
    n.puts[put].stage = Stage::kGivenUp;
    if (p.stage == Stage::kGranted && Owns(put)) {
      Retire(&n, put);
      Emit(n, PutName(put) + " overruns its deadline: its range is retired");
    }
    if ((p.stage == Stage::kGranted || p.stage == Stage::kWritten) && p.term != s_.reign) {
      n = s_;
      n.puts[put].stage = Stage::kGivenUp;
      Emit(n, PutName(put) + "'s writer learns that its grant is void");
    }
  }

  // ---- eviction and removal

  void Evict() {
    if (s_.evictions == rules_.bounds.evictions) return;
    for (const Key key : {kA, kB}) {
      if (s_.visible[key] == kNoPut) continue;
      State n = s_;
      ++n.evictions;
      Withdraw(&n, key);
      Emit(n, "the master evicts " + PutName(s_.visible[key]));
    }
  }

  void Remove() {
    if (On(kAllMembersReportFirst) && !AllReported()) return;
    const Byte committed = s_.answered & (Bit(1) | Bit(2));
    State n = s_;
    if (s_.removal == Removal::kNotBegun && committed != 0) {
      n.removal = Removal::kUnderWay;
      n.removing = committed;
      Withdraw(&n, kA);
      Emit(n, "Remove(A) begins");
    } else if (s_.removal == Removal::kUnderWay) {
      if (On(kRemoveWaitsForWithdrawal) && IsLeaving(kA)) return;
      const Byte put = s_.visible[kA];
      if (put != kNoPut && (s_.removing & Bit(put)) != 0) {
        Withdraw(&n, kA);
        Emit(n, "Remove(A), sent again, withdraws " + PutName(put));
      } else {
        n.removal = Removal::kAnswered;
        n.over |= s_.removing;
        Emit(n, "Remove(A) is answered");
      }
    }
  }

  // ---- orders, acks, notes

  void Order(int i) {
    const Holder& h = s_.holders[i];
    if (!h.order || h.cut_off) return;
    for (const bool again : {false, true}) {
      State n = s_;
      if (!again) n.holders[i].order = 0;
      if (On(kOlderOrdersAreRefused) && h.order_term < h.term) {
        if (!again) Emit(n, HolderName(i) + " refuses an order of an older term");
        continue;
      }
      if (!Execute(&n, i)) continue;
      Emit(n, HolderName(i) + " retires " + PutName(h.order_put) +
                  (again ? "; the order will come again" : ""));
    }
  }

  // False: not followed further.
  bool Execute(State* n, int i) const {
    Holder& h = n->holders[i];
    const Put& p = n->puts[h.order_put];
    // An order names the object that it is about: memory that has changed hands since is spared.
    if (!On(kOrdersNameTheObject) || p.birth >= h.word) {
      h.word = ++h.counter;
      if (h.manifest == h.order_put || !On(kOrdersNameTheObject)) h.manifest = kNoPut;
    }
    h.ack = 1;
    h.ack_put = h.order_put;
    h.ack_counter = h.counter;
    h.ack_term = h.order_term;
    return h.counter <= kMostRetirements;
  }

  void Ack(int i) {
    const Holder& h = s_.holders[i];
    if (!h.ack || h.cut_off) return;
    State n = s_;
    Holder& x = n.holders[i];
    x.ack = 0;
    if (h.ack_term == s_.reign) {
      if (h.space == Space::kRetiring && h.owner == h.ack_put) {
        x.space = Space::kFree;
        x.owner = kNoPut;
      }
      x.known_counter = std::max(h.known_counter, h.ack_counter);
      n.puts[h.ack_put].leaving = 0;
    }
    Emit(n, "the master hears that " + PutName(h.ack_put) + " is withdrawn and free");
  }

  void Note(int i) {
    const Holder& h = s_.holders[i];
    if (h.note_put == kNoPut || h.cut_off) return;
    State n = s_;
    n.holders[i].note_put = kNoPut;
    const bool stands = s_.puts[h.note_put].birth >= h.word;
    if (h.note_term >= h.term && (!On(kNotesAreChecked) || stands)) {
      n.holders[i].manifest = h.note_put;
    }
    Emit(n, HolderName(i) + " hears that it holds " + PutName(h.note_put));
  }

  // ---- cut off, suspected, gone, reporting

  void Link(int i) {
    const Holder& h = s_.holders[i];
    State n = s_;
    Holder& x = n.holders[i];
    if (!h.cut_off) {
      if (h.suspected && h.member && h.reported) {
        x.suspected = 0;
        Emit(n, "the master trusts " + HolderName(i) + " again");
      }
      if (s_.cuts == rules_.bounds.cuts) return;
      n = s_;
      x.cut_off = 1;
      ++n.cuts;
      return Emit(n, HolderName(i) + " loses the master; its data path is alive");
    }
    x.cut_off = 0;
    Emit(n, HolderName(i) + " can reach the master again");
    n = s_;
    if (h.member && !h.suspected) {
      x.suspected = 1;
      Emit(n, "the master suspects " + HolderName(i));
    } else if (h.member) {
      Gone(i);
    }
  }

  void Gone(int i) {
    const Reader& r = s_.reader;
    const bool leased = r.remembered != kNoPut && r.remembered_holder == i;
    if (On(kGoneAfterLongestLease) && leased) return;
    State n = s_;
    Holder& x = n.holders[i];
    x.member = 0;
    x.space = Space::kUnknown;
    x.order = x.ack = 0;
    x.note_put = kNoPut;
    for (int put = 1; put <= kPuts; ++put) {
      if (n.puts[put].holder != i || n.puts[put].stage == Stage::kNew) continue;
      if (n.visible[kKeyOf[put]] == put) n.visible[kKeyOf[put]] = kNoPut;
      n.puts[put].leaving = 0;
    }
    Emit(n, "the master takes " + HolderName(i) + " for gone");
  }

  // What no note names is stamped, so that no grant and no location from before is of use there.
  void EnterTerm(int i) {
    const Holder& h = s_.holders[i];
    if (h.cut_off || !h.member || h.term == s_.reign) return;
    State n = s_;
    Holder& x = n.holders[i];
    x.term = s_.reign;
    if (h.manifest == kNoPut && On(kUnnamedSpaceIsStamped)) x.word = ++x.counter;
    if (x.counter > kMostRetirements) return;
    Emit(n, HolderName(i) + " enters the new master's term");
  }

  void Report(int i) {
    const Holder& h = s_.holders[i];
    if (h.cut_off || h.reported) return;
    State n = s_;
    Holder& x = n.holders[i];
    if (!h.member) {
      if (On(kMembershipIsDurable) || s_.crashes == 0) return;
      x.member = 1;
      x.suspected = 0;
      return Emit(n, "the new master knows nothing of " + HolderName(i) +
                         "'s end and takes it for a member");
    }
    if (h.term < s_.reign) return;
    x.reported = 1;
    x.suspected = 0;
    if (h.manifest != kNoPut) {
      x.space = Space::kCommitted;
      x.owner = h.manifest;
      Byte* visible = &n.visible[kKeyOf[h.manifest]];
      *visible = std::max(*visible, h.manifest);
    } else {
      x.space = Space::kFree;
      x.owner = kNoPut;
    }
    x.known_counter = x.counter;
    Emit(n, HolderName(i) + " reports to the new master: " +
                (h.manifest != kNoPut ? "holds " + PutName(h.manifest) : "holds nothing"));
  }

  void CrashMaster() {
    if (s_.crashes == rules_.bounds.crashes) return;
    State n = s_;
    ++n.crashes;
    n.deposed = 1;
    n.deposed_term = s_.reign;
    ++n.reign;
    n.visible = {kNoPut, kNoPut};
    for (int i = 0; i < kHolders; ++i) {
      const Holder& h = s_.holders[i];
      Holder& x = n.holders[i];
      n.deposed_free[i] = h.space == Space::kFree && h.reported && h.member;
      n.deposed_counter[i] = h.known_counter;
      x.reported = 0;
      x.space = Space::kUnknown;
      x.owner = kNoPut;
      x.known_counter = 0;
      x.suspected = 0;
    }
    for (int put = 1; put <= kPuts; ++put) n.puts[put].leaving = 0;
    Emit(n, "the master dies; a new one begins");
  }

  // ---- the reader of key A

  void Read() {
    const Reader& r = s_.reader;
    switch (r.phase) {
      case Reading::kIdle:
        BeginGet();
        if (r.remembered != kNoPut) {
          State n = s_;
          Forget(&n.reader);
          Emit(n, "the reader's lease runs out");
        }
        return;
      case Reading::kLocated: {
        State n = s_;
        n.reader.phase = Reading::kSampled;
        n.reader.sample = s_.holders[r.holder].bytes;
        return Emit(n, "the reader takes the bytes of " + HolderName(r.holder));
      }
      case Reading::kSampled:
        return EndGet();
    }
  }

  static void Forget(Reader* r) { r->remembered = r->remembered_holder = r->remembered_birth = 0; }

  void BeginGet() {
    const Reader& r = s_.reader;
    State n = s_;
    Reader& x = n.reader;
    x.phase = Reading::kLocated;
    x.over_before = s_.over;
    if (r.remembered != kNoPut) {
      x.put = r.remembered;
      x.holder = r.remembered_holder;
      x.birth = r.remembered_birth;
      return Emit(n, "a Get(A) begins with the remembered location of " + PutName(x.put));
    }
    const Byte put = s_.visible[kA];
    if (put == kNoPut) return;
    x.put = put;
    x.holder = s_.puts[put].holder;
    x.birth = s_.puts[put].birth;
    // An object on a suspected holder is located without a lease, and not remembered.
    if (!s_.holders[x.holder].suspected || !On(kGoneAfterLongestLease)) {
      x.remembered = x.put;
      x.remembered_holder = x.holder;
      x.remembered_birth = x.birth;
    }
    Emit(n, "a Get(A) begins; the master locates " + PutName(put) + " on " + HolderName(x.holder));
  }

  void EndGet() {
    const Reader& r = s_.reader;
    State n = s_;
    Reader& x = n.reader;
    x.phase = Reading::kIdle;
    x.put = x.holder = x.birth = x.sample = x.over_before = 0;
    if (On(kReadersCheckTheWord) && s_.holders[r.holder].word > r.birth) {
      Forget(&x);
      return Emit(n, "the read is refused: the word is greater than the birth");
    }
    std::string violation;
    if (r.sample != r.put) {
      violation = "wrong bytes";
    } else if ((r.over_before & Bit(r.put)) != 0) {
      violation = "an object that was removed or replaced before the Get began";
    }
    n.over |= Older(r.put);
    Emit(n, "the Get(A) returns " + PutName(r.put), violation);
  }

  // A visible object that nothing is about to retire must validate, or it can never be read.
  std::string Unreadable(const State& n) const {
    for (const Byte put : n.visible) {
      if (put == kNoPut) continue;
      const Holder& h = n.holders[n.puts[put].holder];
      if (h.reported && h.member && !h.order && h.word > n.puts[put].birth) {
        return "a visible object that cannot be read";
      }
    }
    return "";
  }

  const Rules& rules_;
  const State& s_;
  const Visit<State>& visit_;
};

}  // namespace

State FirstState(const Rules& /*rules*/) { return State{}; }

void ForEachNext(const Rules& rules, const State& state, const Visit<State>& visit) {
  Step(rules, state, visit).All();
}

}  // namespace kvstore::model
