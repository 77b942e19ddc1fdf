#ifndef KVSTORE_TESTS_MODEL_STATE_H_
#define KVSTORE_TESTS_MODEL_STATE_H_

// A small explicit-state model of the rules by which memory is reused and a key changes hands.
//
//   state    the world: two holders of one granule each, three puts, one reader, one Remove
//   rules    what may happen next, and which guards forbid what; start here
//   search   every reachable state, breadth first, so that a counterexample is a shortest one
//   ledger   a second model, on the same search: memory that processes of one host share
//
// The simulator runs the product's code along random paths; the model walks every path of a world
// small enough. A master may be followed by one that knows nothing but who its members are: they
// enter its term, which stamps what no note names, and report what they hold, while the deposed
// master, its writers and its messages are still about.

#include <array>
#include <cstdint>
#include <string>

namespace kvstore::model {

// All fields are bytes, so that a state can be hashed and compared as one stretch of memory.
using Byte = uint8_t;

inline constexpr int kHolders = 2;
inline constexpr int kPuts = 3;  // numbered from 1; 0 means none
inline constexpr Byte kNoPut = 0;

// Puts 1 and 2 write key A, put 3 key B.
enum Key : Byte { kA, kB, kKeys };
inline constexpr std::array<Key, kPuts + 1> kKeyOf = {kKeys, kA, kA, kB};

// What the master believes of a holder's granule.
enum class Space : Byte { kUnknown, kFree, kGranted, kCommitted, kRetiring };

struct Holder {
  // At the holder.
  Byte counter = 0;          // of retirements
  Byte word = 0;             // its value at the last one
  Byte bytes = kStrayBytes;  // whose bytes lie there: a put, perhaps with kTorn
  Byte manifest = kNoPut;    // what it was told that it holds
  Byte term = 0;             // that it has entered
  Byte cut_off = 0;          // no message to or from the master; the data path is alive

  // At the master.
  Byte member = 1;
  Byte reported = 1;  // to the present master
  Byte suspected = 0;
  Space space = Space::kFree;
  Byte owner = kNoPut;
  Byte known_counter = 0;  // births of grants

  // Under way: at most one message of a kind.
  Byte order = 0, order_put = 0, order_term = 0;
  Byte ack = 0, ack_put = 0, ack_counter = 0, ack_term = 0;
  Byte note_put = kNoPut, note_term = 0;

  static constexpr Byte kStrayBytes = 15;
  static constexpr Byte kTorn = 8;  // a late copy landed over bytes that had been committed
};

enum class Stage : Byte { kNew, kGranted, kWritten, kCommitted, kGivenUp };

// Copies of a put that may still land.
enum class Copies : Byte { kNoneSent, kOneLandedOneUnderWay, kAllEnded };

struct Put {
  Stage stage = Stage::kNew;
  Copies copies = Copies::kNoneSent;
  Byte holder = 0;
  Byte birth = 0;
  Byte term = 0;     // of the master that granted it
  Byte leaving = 0;  // was visible; its withdrawal is not confirmed yet
};

enum class Reading : Byte { kIdle, kLocated, kSampled };
enum class Removal : Byte { kNotBegun, kUnderWay, kAnswered };

// The reader of key A. A remembered location is one with a lease that has not run out.
struct Reader {
  Reading phase = Reading::kIdle;
  Byte put = kNoPut, holder = 0, birth = 0;  // the location that it reads
  Byte sample = 0;                           // the bytes that it has read
  Byte over_before = 0;                      // State::over when its Get began
  Byte remembered = kNoPut, remembered_holder = 0, remembered_birth = 0;
};

struct State {
  std::array<Holder, kHolders> holders;
  std::array<Put, kPuts + 1> puts;  // 0 is unused
  Byte reign = 0;                   // term of the present master
  std::array<Byte, kKeys> visible = {kNoPut, kNoPut};
  Reader reader;

  Removal removal = Removal::kNotBegun;  // of key A
  Byte removing = 0;                     // puts that were committed when it began; a bit each
  Byte answered = 0;                     // puts whose Commit was answered OK
  Byte over = 0;                         // puts that no Get that begins later may return

  // A deposed master that does not know it yet, and what it may still grant.
  Byte deposed = 0, deposed_term = 0;
  std::array<Byte, kHolders> deposed_free = {0, 0};
  std::array<Byte, kHolders> deposed_counter = {0, 0};

  Byte crashes = 0, cuts = 0, evictions = 0;  // so far
};
static_assert(alignof(State) == 1, "no padding: states are compared as bytes");

constexpr Byte Bit(int put) { return static_cast<Byte>(1u << put); }

}  // namespace kvstore::model

#endif  // KVSTORE_TESTS_MODEL_STATE_H_
