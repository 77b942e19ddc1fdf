#ifndef KVSTORE_SRC_TRANSFER_RDMA_RDMA_LANE_H_
#define KVSTORE_SRC_TRANSFER_RDMA_RDMA_LANE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/result.h"
#include "transfer/guards.h"
#include "transfer/lane.h"
#include "transfer/rdma/frame.h"
#include "transfer/rdma/lane_closer.h"
#include "transfer/rdma/queue_pair.h"
#include "transfer/rdma/regions.h"
#include "transfer/rdma/staging.h"
#include "transfer/rdma/two_reads.h"
#include "transfer/rdma/window.h"
#include "transfer/tcp/connection.h"

namespace kvstore::transfer {

// What all lanes of an engine share. Outlives them.
struct RdmaEnds {
  RdmaRegions& regions;
  StagingPool& staging;
  LaneCloser& closer;  // of the device
  TransferGuards guards;
  Duration stall;  // without a completion, while one is due
  uint32_t lanes;  // to a peer, that share a job
  bool others;     // where a path that brings nothing is left there may be another, or TCP
};

// From one of our devices to one of a holder's: a queue pair for reads, one for writes when there
// are any, and the TCP connection over which they were made. Slices are carried a window at a time.
// Confined to the thread that uses it.
class RdmaLane final : public Lane {
 public:
  // An attempt to open one.
  struct Attempt {
    bool nearest = true;   // to the holder's device that is nearest to its memory; see rails.h
    bool crosses = false;  // out: that is not the one of the same number
    Duration silence{};    // out: as below
  };
  // Makes the queue pair for reads, and reads something over it. The status says whether the
  // holder can't be reached over these devices (unavailable).
  static Result<std::unique_ptr<RdmaLane>> Open(const RdmaEnds& ends, size_t device,
                                                std::unique_ptr<Connection> connection,
                                                Patience& patience, Attempt* attempt);
  ~RdmaLane() override;

  Way way() const override { return Way::kRdma; }
  uint64_t id() const override { return connection_->id(); }
  bool IsSpent() const override { return connection_->IsSpent() || !rdma_device_->is_up(); }
  bool WasAnswered() const override { return answered_; }
  Status Carry(Job& job, Patience& patience, std::vector<Stranded>* stranded) override;
  Status ReadOne(const Copy& copy, uint64_t size, TimePoint now, Patience& patience,
                 std::optional<Completion>* done) override;

  RdmaDevice& rdma_device() { return *rdma_device_; }
  // Whether the last Carry, or ReadOne that was begun, broke because nothing came through, not
  // because the holder said so.
  bool path_failed() const { return path_failed_; }
  // For how long that waited for a completion when it could wait no longer; zero: it got
  // what it waited for, or the path failed.
  Duration silence() const { return silence_; }
  // Asks for it when it isn't known. not_found and failed_precondition are the holder's own words.
  Result<const RegionAnswer*> FindRegion(RegionId region, Patience& patience);

 private:
  // A holder closes connections over which nothing was asked for twice the idle timeout; one-sided
  // requests are none of these.
  static constexpr Duration kAskEvery = std::chrono::seconds(10);

  RdmaLane(const RdmaEnds& ends, size_t device, std::unique_ptr<Connection> connection);

  Status Connect(Access access, Patience& patience);
  Status Probe(const OpenAnswer& answer, Patience& patience);
  Result<std::string> Ask(const Question& question, Patience& patience);

  void BeginCarry();
  // Into the window. False: the job has no more for now.
  bool TakeSlices(Job& job, Patience& patience, Status* broken);
  // invalid_argument, or the holder's refusal; `*broken`: the lane is of no more use.
  Status Prepare(Flight* flight, Patience& patience, Status* broken);
  Status ReadWindow(SliceSink& sink, Patience& patience);
  // At the word and the bytes of one small read, straight to its only piece: two requests that need
  // no flights in the window, which holds what they touch. False: it has to be taken in.
  bool Aim(const Flight& flight, TwoReads* reads);
  Status ReadAimed(TwoReads* reads, SliceSink& sink, Flight* flight, Patience& patience);
  Status WriteWindow(Job& job, Patience& patience);
  Status BeginWrites(Job& job, Patience& patience);
  Status EndWrites(Job& job, Patience& patience);
  // Ends flights whose word says that their memory has changed hands.
  void CheckWords(SliceSink& sink);
  void CheckWord(size_t word, SliceSink& sink, Flight* flight);
  void Finish(SliceSink& sink, Flight* flight, Outcome outcome, Status status);

  // Posts the chain, if there is one, and waits for its end.
  Status Exchange(QueuePair& pair, Patience& patience, uint64_t bytes);
  // Likewise, of requests of which the last signals with that number.
  Status Exchange(QueuePair& pair, ibv_send_wr* requests, uint64_t number, Patience& patience,
                  uint64_t bytes);
  // For how long the path may complete nothing.
  Duration SilenceLimit(const Patience& patience) const;
  Status AwaitCompletion(uint64_t number, Patience& patience);
  Status Broken(ibv_wc_status status);
  // Closes the path at this end. True: nothing of anybody else's is touched over it any more.
  // False: it can't be proved in time that what is being read won't be written any more.
  // `reader`: the patience of who waits for what is being read straight to memory that isn't ours;
  // null: nothing is.
  bool Shut(Patience* reader);

  const RdmaEnds ends_;
  const size_t device_;
  const std::shared_ptr<RdmaDevice> rdma_device_;
  std::unique_ptr<Connection> connection_;
  size_t holder_device_ = 0;
  std::unique_ptr<CompletionQueue> completions_;
  std::unique_ptr<QueuePair> reader_;
  std::unique_ptr<QueuePair> writer_;
  std::map<RegionId, RegionAnswer> regions_;
  Window window_;
  bool may_land_ = false;  // its writes were posted
  uint64_t next_number_ = 1;
  TimePoint asked_at_;
  bool carries_ = false;  // something has been carried over it: it has led there
  bool answered_ = false;
  bool path_failed_ = false;
  Duration silence_{};
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_RDMA_LANE_H_
