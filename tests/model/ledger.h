#ifndef KVSTORE_TESTS_MODEL_LEDGER_H_
#define KVSTORE_TESTS_MODEL_LEDGER_H_

// A second model, of shared memory: processes that touch a holder's memory in place, announce it in
// a ledger, and may stop for ever or die between any two steps (see docs/decisions/0004). It knows
// one range of two units, one holder, puts that are granted that range one after the other, each by
// a process of its own, one process that views an object, and one reader.
//
// A step that is never taken stands for a process that stops there. Acks arrive at once: a master
// that hears later can only do less.

#include <array>
#include <cstddef>
#include <string_view>

#include "model/happening.h"
#include "model/state.h"

namespace kvstore::model {

// Each step of the protocol can be left out or swapped, and then something bad can happen.
enum LedgerGuard : size_t {
  kAnnounceBeforeWord,     // else a process reads the word, then announces
  kClearAfterLastByte,     // else a writer withdraws its announcement with a unit to go
  kViewsAnnounce,          // else a view relies on the word that it read when it was made
  kStampBeforeSlots,       // else the holder reads the slots, then stores the word
  kFreeAsksTheLedger,      // else memory is free as soon as the word is stored
  kGrantsWaitForFree,      // else the master grants again what was only withdrawn
  kSlotsEndWithProcess,    // else the holder drops them when the socket ends
  kEndedLedgersRefuse,     // else a process may still announce in a ledger that was dropped
  kEndedProcessesLetGo,    // else a dead process's slots stay
  kSayWaitingBeforeSlots,  // else the holder reads the slots, then says that it waits
  kClearBeforeLooking,     // else a process looks whether the holder waits, then clears its slot
  kLostLinksAreLookedAt,   // else the holder waits for a word over a socket that has ended
  kWordAfterLastByte,      // else a reader without a checksum reads the word before the bytes
  kRememberedReadTheWord,  // else a remembered location is read with the checksum alone
  kLedgerGuards
};

inline constexpr std::array<std::string_view, kLedgerGuards> kLedgerGuardNames = {
    "AnnounceBeforeWord",  "ClearAfterLastByte",    "ViewsAnnounce",       "StampBeforeSlots",
    "FreeAsksTheLedger",   "GrantsWaitForFree",     "SlotsEndWithProcess", "EndedLedgersRefuse",
    "EndedProcessesLetGo", "SayWaitingBeforeSlots", "ClearBeforeLooking",  "LostLinksAreLookedAt",
    "WordAfterLastByte",   "RememberedReadTheWord"};

// What the rules allow, and the model must therefore reach.
enum class LedgerGoal : Byte {
  kNone,
  kGrantedAfterADeath,     // memory in which a writer died is granted again
  kGrantedAfterAView,      // and memory that was viewed, once the view has ended
  kViewOutlivesItsObject,  // a view is held while its object is withdrawn
  kReadRefused,            // a reader finds that the memory has changed hands
  kWriterRefused,          // a late writer finds it before its first byte
};

struct LedgerBounds {
  int puts = 2;
  int deaths = 0;      // of processes that touch the memory
  int lost_links = 0;  // sockets that end though their process lives
  bool viewer = false;
  bool reader = false;
};

inline constexpr int kUnits = 2;
inline constexpr int kSlots = kPuts + 2;  // 1 to kPuts: the put's writer; the last: the viewer
inline constexpr int kViewer = kPuts + 1;

// How far a process is in touching the memory.
enum class Touch : Byte {
  kNotYet,     // no grant, no location
  kMayBegin,   // granted or located
  kAnnounced,  // in the order of the protocol: its slot is set
  kWordRead,   // in the wrong order: the word has been read and the slot is not set
  kVouched,    // slot set and word read: it touches the memory from here on
  kHalf,       // a writer: one unit is written
  kTouched,    // all of them; the slot is still set
  kLooked,     // in the wrong order: has looked whether the holder waits, and not cleared its slot
  kCleared,    // has cleared its slot, and not looked whether the holder waits
  kOver,
};

struct Toucher {
  Touch stage = Touch::kNotYet;
  Byte put = kNoPut;
  Byte slot = kNoPut;  // in the ledger
  Byte refused = 0;    // by the word
  Byte dead = 0;
  Byte end_seen = 0;     // the holder has seen that the process has ended
  Byte dropped = 0;      // its socket has ended and its slot was clear: nobody looks at it any more
  Byte link_lost = 0;    // its socket has ended, as both ends know
  Byte over_before = 0;  // a view: LedgerState::over when its call began
};

// The holder's work on an order.
enum class Retiring : Byte { kNoOrder, kOrdered, kStamped, kReadsSlots, kAsleep, kSlotsClear };

// How a Get proves what it returns.
enum class Proof : Byte {
  kWordLast,       // no checksum, a part perhaps: the word after the last byte
  kWordAtAnyTime,  // a remembered location and a checksum: the word before the bytes
  kChecksumAlone,  // a location that was asked for after the Get began, and a checksum
};

enum class LedgerReading : Byte { kIdle, kBegun, kWordRead, kHalf, kSampled };

struct LedgerState {
  // At the holder.
  std::array<Byte, kUnits> bytes = {kNoPut, kNoPut};
  Byte word = 0;
  Byte counter = 0;
  Retiring retiring = Retiring::kNoOrder;
  Byte retired_put = kNoPut;
  Byte next_slot = 0;  // to be read
  Byte waits = 0;      // the flag in the ledger
  Byte nudged = 0;     // a process has said that it cleared a slot, or has ended

  std::array<Toucher, kSlots> touchers;  // 0 is unused

  // At the master.
  Space space = Space::kFree;
  Byte owner = kNoPut;
  Byte known_counter = 0;
  Byte visible = kNoPut;
  Byte over = 0;  // puts that no call that begins later may return; a bit each
  std::array<Byte, kPuts + 1> births{};

  // The reader.
  LedgerReading reading = LedgerReading::kIdle;
  Proof proof = Proof::kWordLast;
  Byte located = kNoPut;  // remembered since any time
  std::array<Byte, kUnits> sample{};
  Byte over_before = 0;

  Byte deaths = 0, lost_links = 0;  // so far
};
static_assert(alignof(LedgerState) == 1, "no padding: states are compared as bytes");

struct LedgerRules {
  LedgerBounds bounds;
  std::array<bool, kLedgerGuards> guards;
  LedgerGoal goal = LedgerGoal::kNone;  // reported as if it were a violation

  explicit LedgerRules(const LedgerBounds& b) : bounds(b) { guards.fill(true); }
  LedgerRules Without(LedgerGuard guard) const {
    LedgerRules rules = *this;
    rules.guards[guard] = false;
    return rules;
  }
  LedgerRules Reaching(LedgerGoal what) const {
    LedgerRules rules = *this;
    rules.goal = what;
    return rules;
  }
  bool On(LedgerGuard guard) const { return guards[guard]; }
};

LedgerState FirstState(const LedgerRules& rules);
void ForEachNext(const LedgerRules& rules, const LedgerState& state,
                 const Visit<LedgerState>& visit);

}  // namespace kvstore::model

#endif  // KVSTORE_TESTS_MODEL_LEDGER_H_
