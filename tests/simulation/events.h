#ifndef KVSTORE_TESTS_SIMULATION_EVENTS_H_
#define KVSTORE_TESTS_SIMULATION_EVENTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvstore::simulation {

// What a run counts. A kind that never happens over many seeds means that the simulator has stopped
// testing something, and fails the run: see SeedsUntil.
#define KVSTORE_SIMULATION_EVENTS(X)                                          \
  X(kPutsOk, "puts ok")                                                       \
  X(kPutsRefused, "puts refused: taken")                                      \
  X(kPutsFull, "puts refused: full")                                          \
  X(kPutsAborted, "puts aborted")                                             \
  X(kPutsUnknown, "puts with unknown outcome")                                \
  X(kGetsOk, "gets ok")                                                       \
  X(kGetsMissed, "gets missed")                                               \
  X(kForgottenMisses, "misses of objects that were evicted, removed or lost") \
  X(kGetsFailed, "gets failed")                                               \
  X(kPartsOk, "parts of objects read")                                        \
  X(kReadsRemembered, "reads at remembered locations")                        \
  X(kRememberedRefused, "remembered locations refused")                       \
  X(kReadsNoted, "reads at remembered locations told to the master")          \
  X(kExistsYes, "exists: yes")                                                \
  X(kExistsNo, "exists: no")                                                  \
  X(kExistsUnreadable, "exists: no, perhaps since holders are silent")        \
  X(kWaitsAnswered, "waits answered by a put")                                \
  X(kWaitsTimedOut, "waits timed out")                                        \
  X(kRemovesOk, "removes ok")                                                 \
  X(kRemovesMissed, "removes of nothing")                                     \
  X(kRemovesUnknown, "removes timed out")                                     \
  X(kRemovedMatching, "removes by prefix")                                    \
  X(kPinned, "objects pinned later")                                          \
  X(kUnpinned, "objects unpinned")                                            \
  X(kDurableOk, "durable puts ok")                                            \
  X(kCameBack, "values put twice, over the end of a master")                  \
  X(kTtlsOver, "misses of objects whose time had run out")                    \
  X(kForgottenUnconfirmed, "misses of objects lost with a master")            \
  X(kHeldUp, "items held up while reports were missing")                      \
  X(kReplayed, "of these, answered once nobody was missing")                  \
  X(kPutsBegunAgain, "puts begun again")                                      \
  X(kParked, "puts parked for room")                                          \
  X(kAheadGiven, "grants ahead")                                              \
  X(kAheadRefused, "grants ahead refused")                                    \
  X(kAheadUsedUp, "grants ahead used up")                                     \
  X(kAheadGivenBack, "grants ahead given back")                               \
  X(kAheadExpired, "grants ahead expired")                                    \
  X(kAheadCalledBack, "grants ahead called back")                             \
  X(kAheadLost, "grants ahead lost with writer or holder")                    \
  X(kPutsAhead, "puts in one message")                                        \
  X(kPiecesRefused, "pieces refused: their grant had ended")                  \
  X(kPiecesOfEarlierTerms, "pieces refused: of an earlier master's grant")    \
  X(kEvictedForRoom, "evicted for room")                                      \
  X(kEvictedByWatermark, "evicted by watermark")                              \
  X(kReplaced, "objects replaced")                                            \
  X(kExpired, "grants expired")                                               \
  X(kLeasesRefused, "leases refused")                                         \
  X(kWaitedForWithdrawal, "commits and removes that waited for a withdrawal") \
  X(kOrdersResent, "orders sent again")                                       \
  X(kAcksIgnored, "acks ignored")                                             \
  X(kRetiredAgain, "orders that found it done")                               \
  X(kFreeDelayed, "frees that waited for an access")                          \
  X(kReadsRefusedBefore, "reads refused by the guard before")                 \
  X(kReadsRefusedAfter, "reads refused by the guard after")                   \
  X(kWritesRefused, "writes refused by the guard")                            \
  X(kLateWritesLanded, "late write frames landed")                            \
  X(kLateWritesRefused, "late write frames refused")                          \
  X(kInDoubt, "copies in doubt")                                              \
  X(kShmReads, "shm reads")                                                   \
  X(kShmWrites, "shm writes")                                                 \
  X(kShmReadsRefusedAfter, "shm reads refused by the word after")             \
  X(kShmWritesRefused, "shm writes refused by the word")                      \
  X(kRdmaReads, "parts read over RDMA")                                       \
  X(kRdmaWrites, "parts written over RDMA")                                   \
  X(kRdmaReadsRefusedAfter, "RDMA reads refused by the word after")           \
  X(kRdmaWritesRefused, "RDMA writes refused by the holder")                  \
  X(kRdmaWritersCut, "RDMA writers cut off: their memory was withdrawn")      \
  X(kRdmaPairsKept, "RDMA queue pairs that their device kept for a while")    \
  X(kRdmaLateWritesLanded, "RDMA writes landed when their writer had let go") \
  X(kRdmaPartsMoved, "parts that went another way than their lane")           \
  X(kFreeDelayedByOutsiders, "frees that waited for another process")         \
  X(kOutsidersDied, "processes that died with a slot")                        \
  X(kSharedSocketsBroken, "sockets of shared memory broken")                  \
  X(kViewsOk, "views")                                                        \
  X(kNewObjectsSealed, "objects made in place and sealed")                    \
  X(kNewObjectsGivenUp, "objects made in place and given up")                 \
  X(kViewsOutlivedTheirObject, "views held over a retirement")                \
  X(kFlips, "bits flipped on the wire")                                       \
  X(kChecksumsWrong, "checksum mismatches found by readers")                  \
  X(kOtherReplicas, "reads that went on to another replica")                  \
  X(kLocatedAnew, "reads that located anew")                                  \
  X(kVerbsRepeated, "verbs sent again")                                       \
  X(kStreamsBroken, "session streams broken")                                 \
  X(kDataConnectionsBroken, "data connections broken")                        \
  X(kNodesSuspected, "nodes suspected")                                       \
  X(kNodesGone, "nodes gone")                                                 \
  X(kNodesLeft, "nodes left")                                                 \
  X(kNodesEmptied, "nodes that emptied themselves and rejoined")              \
  X(kCrashes, "nodes crashed")                                                \
  X(kRestarts, "nodes restarted")                                             \
  X(kPauses, "nodes paused")                                                  \
  X(kPausesInPlace, "nodes paused while they touched another's memory")       \
  X(kLongPauses, "nodes paused until they were gone")                         \
  X(kMasterCrashes, "masters crashed")                                        \
  X(kMastersDeposed, "masters deposed while they lived")                      \
  X(kReigns, "reigns")                                                        \
  X(kNodesKept, "nodes that kept their incarnation over a reign")             \
  X(kReports, "reports")                                                      \
  X(kNotesReported, "notes reported")                                         \
  X(kHeldReported, "ranges reported as still touched")                        \
  X(kCopiesMade, "replicas copied")                                           \
  X(kMoved, "replicas moved")                                                 \
  X(kDrains, "drains begun")                                                  \
  X(kDrained, "nodes drained")                                                \
  X(kStayedDrained, "of these, clients that stayed")                          \
  X(kGrown, "nodes that lend more")                                           \
  X(kShrunk, "nodes that lend less")                                          \
  X(kReleased, "segments that ended earlier")                                 \
  X(kFailuresReported, "holders said to be out of reach")                     \
  X(kSick, "nodes taken for sick")                                            \
  X(kWell, "nodes no longer taken for sick")                                  \
  X(kTasks, "tasks begun")                                                    \
  X(kEvictedByOperator, "evicted by an operator")                             \
  X(kNotesKept, "notes kept by holders")                                      \
  X(kNotesRefused, "notes refused by holders")                                \
  X(kOrdersRefused, "orders refused by holders")                              \
  X(kWelcomesLost, "welcomes lost with their master")                         \
  X(kMasterPauses, "masters paused")                                          \
  X(kPartitionsFromMaster, "partitions node - master")                        \
  X(kPartitionsOfNodes, "partitions node - node")                             \
  X(kObjectsLost, "objects lost with a node")                                 \
  X(kFinalObjectsRead, "objects read after the end")

enum class Event : size_t {
#define KVSTORE_SIMULATION_EVENT_(name, text) name,
  KVSTORE_SIMULATION_EVENTS(KVSTORE_SIMULATION_EVENT_)
#undef KVSTORE_SIMULATION_EVENT_
      kCount
};
inline constexpr size_t kEventKinds = static_cast<size_t>(Event::kCount);

inline constexpr std::array<std::string_view, kEventKinds> kEventNames = {
#define KVSTORE_SIMULATION_EVENT_(name, text) text,
    KVSTORE_SIMULATION_EVENTS(KVSTORE_SIMULATION_EVENT_)
#undef KVSTORE_SIMULATION_EVENT_
};
#undef KVSTORE_SIMULATION_EVENTS

// Over so many seeds it is certain to happen.
inline constexpr uint64_t SeedsUntil(Event event) {
  // A put that is seen and removed before its answer is lost with a master; and one that is lost
  // with a master which had answered it a moment before.
  const bool seldom = event == Event::kCameBack || event == Event::kForgottenUnconfirmed;
  return seldom ? 10'000 : 1'000;
}

class EventCounts {
 public:
  void Add(Event event, uint64_t times = 1) { counts_[static_cast<size_t>(event)] += times; }
  uint64_t operator[](size_t kind) const { return counts_[kind]; }
  EventCounts& operator+=(const EventCounts& other) {
    for (size_t i = 0; i < kEventKinds; ++i) counts_[i] += other.counts_[i];
    return *this;
  }

 private:
  std::array<uint64_t, kEventKinds> counts_{};
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_EVENTS_H_
