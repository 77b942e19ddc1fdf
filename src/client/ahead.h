#ifndef KVSTORE_SRC_CLIENT_AHEAD_H_
#define KVSTORE_SRC_CLIENT_AHEAD_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "client/master.h"
#include "kvstore/clock.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// Memory that this writer holds ahead of its puts (GrantAhead), and cuts into pieces, each of which
// is taken once. One grant is cut at a time; it is asked for when puts follow one another, and
// larger each time that the last one was used up within a second. What is left of one is given back
// with the next one that is asked for, once nothing is written there any more, or runs out.
//
// Thread-safe. Nobody waits for another's question to the master: who finds no piece puts without.
class Ahead {
 public:
  explicit Ahead(Master& master) : master_(master) {}

  struct Piece {
    GrantPiece name;
    Replica replica;  // where it is: one range
    TimePoint end;    // by then it is to be written and committed
  };

  // One piece per object of these sizes, all of one grant; none: there is no memory for them. May
  // ask the master. To be followed by Left, once. `self`: this node as it is now.
  std::vector<Piece> Take(std::span<const uint64_t> sizes, const Incarnation& self,
                          const Clock& clock, TimePoint deadline) EXCLUDES(mu_);

  // To be called when what the last pieces were taken for is on its way: if as many would not fit
  // into what is left, asks for the next grant, whose answer the next Take waits for.
  void LookAhead(const Incarnation& self, const Clock& clock) EXCLUDES(mu_);

  // How writing into pieces ended.
  enum class End : uint8_t {
    kUsed,     // committed, or refused by name of what was put
    kRefused,  // the grant has ended, or its memory can't be reached: no piece of it is taken any
               // more
    kInDoubt,  // so, and something may still be written there: it is not given back
  };
  void Left(const std::vector<Piece>& pieces, End end) EXCLUDES(mu_);

  // A key that was to be put was taken. With a StartPut the bytes would not have been copied in
  // vain, which costs more than a message where they are many: of such there are no pieces for a
  // while.
  void FoundTaken(const Clock& clock) EXCLUDES(mu_);

  // How often the master was asked for memory.
  uint64_t asked() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return asked_;
  }

 private:
  static constexpr Duration kFirstPause = std::chrono::milliseconds(500);  // after a refusal

  struct Grant {
    uint64_t sequence = 0;
    uint64_t term = 0;
    Incarnation writer;
    Replica memory;  // one range
    uint64_t granule = 0;
    uint64_t next = 0;  // what lies below it has been taken
    TimePoint begun{};  // asked for
    TimePoint end{};    // of the grant
    size_t users = 0;   // calls that have pieces of it
  };

  struct Question {
    GrantAhead request;
    Incarnation writer;
    TimePoint asked_at{};
    std::unique_ptr<Asked<StartPutAnswer>> answer;  // null: not asked yet
  };

  // Those that ask for much, and may be refused while those that ask for little are not.
  struct Peace {
    TimePoint until = TimePoint::min();  // the master is left in peace
    Duration next = kFirstPause;         // after the next refusal
  };

  static bool Fits(const Grant& grant, uint64_t bytes);
  std::vector<Piece> Cut(std::span<const uint64_t> sizes) REQUIRES(mu_);
  Peace& PeaceOf(uint64_t least) REQUIRES(mu_);
  // What to ask for, if anything; nobody else asks until it is Answered.
  std::optional<Question> Want(uint64_t least, const Incarnation& self, TimePoint now)
      REQUIRES(mu_);
  void Ask(Question* question) EXCLUDES(mu_);
  void Answered(const Question& question, const StartPutAnswer& answer, TimePoint now)
      REQUIRES(mu_);
  // A grant of another incarnation, or in the last quarter of its time, is left alone, so that what
  // is begun can be ended.
  void RetireIfOver(const Incarnation& self, TimePoint now) REQUIRES(mu_);
  // The grant is not cut any more.
  void Retire() REQUIRES(mu_);

  Master& master_;

  mutable Mutex mu_;
  std::optional<Grant> cut_ GUARDED_BY(mu_);          // the one that is cut
  std::map<uint64_t, size_t> users_ GUARDED_BY(mu_);  // of those before it, by sequence
  std::vector<uint64_t> done_ GUARDED_BY(mu_);        // nothing is written there any more
  bool asking_ GUARDED_BY(mu_) = false;               // there is a question
  std::optional<Question> open_ GUARDED_BY(mu_);      // that nobody waits for yet
  uint64_t asked_ GUARDED_BY(mu_) = 0;
  std::array<Peace, 2> peace_ GUARDED_BY(mu_);
  TimePoint much_again_ GUARDED_BY(mu_) = TimePoint::min();  // see FoundTaken
  TimePoint last_put_ GUARDED_BY(mu_) = TimePoint::min();
  uint64_t last_bytes_ GUARDED_BY(mu_) = 0;             // that were taken at a time
  uint64_t bytes_ GUARDED_BY(mu_) = 0;                  // of the next one
  uint64_t granule_ GUARDED_BY(mu_) = kDefaultGranule;  // of the last one
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_AHEAD_H_
