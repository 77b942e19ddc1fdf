#ifndef KVSTORE_SRC_TRANSFER_LANE_H_
#define KVSTORE_SRC_TRANSFER_LANE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/status.h"
#include "transfer/job.h"

namespace kvstore::transfer {

// Nobody waits longer than this without looking whether there is still a reason to wait.
inline constexpr Duration kWaitStep = std::chrono::milliseconds(50);

// Why somebody should wait no longer. Asked at least every kWaitStep by all that wait.
class Patience {
 public:
  virtual ~Patience() = default;
  virtual Status Ended() = 0;
  // The peer has given a sign of life: so many bytes, or none, but its machine has taken some.
  virtual void Heard(uint64_t bytes) = 0;
  // How long one path may bring nothing before another is tried, so that there is time left for it:
  // half of what is left now.
  virtual Duration Silence() const { return Duration::max(); }
};

// Of a read that is in doubt.
inline Status MayStillCome(const Status& why) {
  return Status(why.code(), why.message() +
                                "; its device does not close the path, so that bytes may still "
                                "come: the memory must not be used again");
}

// One way to one holder over a network, at the client's end. Confined to the thread that uses it.
class Lane {
 public:
  // A slice on its way when the lane broke.
  struct Stranded {
    Slice slice;
    bool may_land = false;  // a write of which the holder may have got something
    bool may_come = false;  // a read whose bytes may still come: its device won't close the path
  };

  virtual ~Lane() = default;

  virtual Way way() const = 0;
  // By which the holder knows it, on any connection.
  virtual uint64_t id() const = 0;
  // Between two uses: whether the holder has closed it, or speaks out of turn.
  virtual bool IsSpent() const = 0;
  // Whether the last Carry got a byte of an answer.
  virtual bool WasAnswered() const = 0;

  // Carries slices of the job, many at a time, until it hands out no more or a fair share has been
  // carried. OK: all that it took are finished, and the lane is good for more. Else the lane is
  // shut, touches no memory of ours any more but what `stranded` says, which has what it left
  // unfinished.
  virtual Status Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) = 0;

  // One read of a few bytes, whole, begun at `now`, where nothing has to be asked for it first. OK:
  // `*done` says how it ended, or nothing: it was not begun, and can only be carried as part of a
  // job. Else the lane is shut; nothing: the read is as if it had not been begun; in doubt: bytes
  // may still come.
  virtual Status ReadOne(const Copy&, uint64_t /*size*/, TimePoint /*now*/, Patience&,
                         std::optional<Completion>* /*done*/) {
    return Status::Ok();
  }
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_LANE_H_
