#ifndef KVSTORE_SRC_MASTER_CATALOG_STATE_H_
#define KVSTORE_SRC_MASTER_CATALOG_STATE_H_

// The inside of the catalog; only catalog*.cc include this. One file per topic:
//
//   catalog.cc             the public class; which verb goes where
//   catalog_put.cc         StartPut, CommitPut, AbortPut: the life of a put until it is visible
//   catalog_ahead.cc       grants ahead, and puts that begin with their commit in a piece of one
//   catalog_room.cc        finding room, parking, pages
//   catalog_evict.cc       what is evicted: for room, to keep some ready, on request
//   catalog_retire.cc      the one door by which memory comes back, and the acks
//   catalog_read.cc        Locate, Exists, WaitExists, Stat, NoteReads, Remove
//   catalog_wait.cc        items that are answered later
//   catalog_keep.cc        how long objects are kept: pins, TTL, groups, their order of use
//   catalog_sweep.cc       RemoveMatching
//   catalog_notes.cc       what holders keep for the next master
//   catalog_reign.cc       a new reign: reports, and what waits for them
//   catalog_copies.cc      replicas made again, copied and moved
//   catalog_tasks.cc       copies and moves that operators ask for
//   catalog_vacate.cc      memory that is emptied: drains, segments that shrink
//   catalog_sick.cc        segments that peers can't reach; nodes that joined lately
//   catalog_nodes.cc       join, leave, suspected, gone
//   catalog_tick.cc        what time alone brings about
//   catalog_list.cc        census and lists for operators
//   catalog_invariants.cc  what must always hold

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "master/catalog.h"
#include "master/copy_queue.h"
#include "master/group.h"
#include "master/key_entry.h"
#include "master/key_table.h"
#include "master/key_trail.h"
#include "master/node_table.h"
#include "master/object.h"
#include "master/object_table.h"
#include "master/outbox.h"
#include "master/segment.h"
#include "master/task_table.h"
#include "master/waiting.h"

namespace kvstore::master {

// One event being handled: its time, and what has followed from it so far.
struct Event {
  TimePoint now;
  Outbox out;
  std::vector<PutId> used{};      // objects that were touched or became visible, in order
  bool in_chain = false;          // some of them have a position
  size_t segments_looked_at = 0;  // for copies, beyond the usual
  size_t misses_kept = 0;         // in the trail of keys
};

// Whose request is being handled.
struct Asking {
  Node& caller;
  RequestName request;
  Duration patience;                          // 0 to 24 h
  TimePoint asked;                            // when it came; not after now
  const std::set<uint32_t>* items = nullptr;  // only these of the request's; null: all

  bool Wants(uint32_t item) const { return !items || items->contains(item); }
};

size_t ItemCount(const VerbRequest& request);

// Where the replicas of a put may lie.
struct Room {
  std::vector<Segment*> segments;  // on distinct nodes; fewer than replicas: there is no room
  bool now = true;                 // all have it free; else it has to be made
};

// Why an object is given up.
enum class Cause : uint8_t {
  kAborted,
  kExpired,
  kWriterLost,
  kHoldersLost,
  kReplaced,
  kRemoved,
  kCalledBack,  // a grant ahead
  kEvictedForRoom,
  kEvictedByWatermark,
  kEvictedByOperator,
  kEvictedWithGroup,
  kTtl,
};

// For an event about the node as it is.
NodeEvent AboutNode(NodeEvent::What what, const Node& node);

// A RemoveMatching of which something is not withdrawn everywhere yet.
struct Sweep {
  uint64_t count = 0;       // objects that it removed
  std::vector<PutId> puts;  // of which the last one is not withdrawn, the others perhaps
  WaitList waiting;
};

struct Catalog::State {
  State(const Limits& limits_in, const Reign& reign, const Guards& guards_in)
      : limits(limits_in),
        pool(reign.pool),
        term(reign.term),
        guards(guards_in),
        waiting(limits_in.waiting_items) {}

  // ---- verbs (catalog_put.cc, catalog_read.cc)

  void Do(Event& event, const Asking& asking, const StartPut& verb);
  void Do(Event& event, const Asking& asking, const CommitPut& verb);
  void Do(Event& event, const Asking& asking, const AbortPut& verb);
  void Do(Event& event, const Asking& asking, const Locate& verb);
  void Do(Event& event, const Asking& asking, const Exists& verb);
  void Do(Event& event, const Asking& asking, const WaitExists& verb);
  void Do(Event& event, const Asking& asking, const Remove& verb);
  void Do(Event& event, const Asking& asking, const StatObject& verb);
  void Do(Event& event, const Asking& asking, const NoteReads& verb);
  void Do(Event& event, const Asking& asking, const Pin& verb);
  void Do(Event& event, const Asking& asking, const RemoveMatching& verb);
  void Do(Event& event, const Asking& asking, const ReportFailures& verb);
  void Do(Event& event, const Asking& asking, const GrantAhead& verb);

  // ---- puts (catalog_put.cc)

  void StartOne(Event& event, const Asking& asking, const StartPut& verb, uint32_t index);
  void StartAgain(Event& event, const Asking& asking, uint32_t index, Object& object);
  // Whether a put that the catalog does not know may begin. Aborts a dead writer's put of the key.
  // Ends a put for another of the same writer, who says nothing of its copies.
  void GiveUp(Event& event, const Asking& asking, uint64_t sequence);
  Status CheckStart(Event& event, const Asking& asking, const StartPut& verb, uint32_t index);
  // A new one of the item, kParked, but not in the order of those that wait for room yet.
  Object& AddObject(Event& event, const Asking& asking, const StartPut& verb, uint32_t index);
  // Gives the put its memory; false: not all segments have it free, and nothing has happened.
  bool Grant(Event& event, Object& object, const std::vector<Segment*>& segments);
  // Has the memory brought that the next commits from `first` on touch.
  void FetchCommits(const Node& writer, const CommitPut& verb, size_t first) const;
  void CommitOne(Event& event, const Asking& asking, const CommitPut& verb, uint32_t index);
  void AbortOne(Event& event, const Asking& asking, uint32_t index, uint64_t sequence);
  // Whether a holder may still keep the note of a put that has ended without having been visible:
  // the next master would take it for committed.
  bool IsNotedStill(const Object& ended) const;
  // As Wait, for what becomes of the put.
  bool WaitForPut(Event& event, const Asking& asking, uint32_t index, WaitingVerb verb,
                  Object& object);
  // What a commit of a put that is no longer unfinished or complete is told.
  Status EndedCommit(const Node& writer, uint64_t sequence) const;
  // The put becomes visible if it is committed and no older object holds it up.
  void CompleteIfClear(Event& event, KeyEntry& key);
  bool IsHeldUp(const KeyEntry& key) const;
  void Complete(Event& event, Object& object);
  void Become(Object& object, ObjectState state);
  Object* Find(const PutId& id) const;

  // ---- grants ahead (catalog_ahead.cc)

  Result<Object*> BeginAhead(Event& event, const Asking& asking, const GrantAhead& verb);
  // Where it would lie, and how many bytes; null: nowhere just now.
  std::pair<Segment*, uint64_t> RoomAhead(const Node& writer, const GrantAhead& verb) const;
  // Bytes that the writer holds ahead there.
  uint64_t HeldAhead(const Node& writer, const Segment& segment) const;
  // What is left of it is retired. May destroy it.
  void EndAhead(Event& event, Object& grant, Cause cause);
  void EndAheadOf(Event& event, const Node& writer);
  // Grants ahead there end, the oldest first, until so many bytes are on their way back.
  void CallBack(Event& event, Segment& segment, uint64_t wanted);
  // All of them, where nothing new is placed any more.
  void CallBackUnlessPlaced(Event& event, Segment& segment);
  // Whether it names a piece that may be one: none of another master.
  bool NamesPiece(const CommitPut& verb, uint32_t index);
  // The put of that commit, granted the piece that it names; kPending, but in no order of grants
  // yet, since it is to commit at once. Not OK: it has not begun, and never will.
  Result<Object*> BeginInPiece(Event& event, const Asking& asking, const CommitPut& verb,
                               uint32_t index);
  // What is left of the grant that has the piece; null: there is none, or it is not a piece for
  // that size.
  HeldReplica* FindPiece(Event& event, const Node& writer, const GrantPiece& piece, uint64_t size);
  // It becomes the object's memory. What it is taken from ends if nothing is left.
  HeldReplica& TakePiece(Event& event, HeldReplica& grant, const Range& range, Object& object);

  // ---- room (catalog_room.cc)

  Room FindRoom(const Event& event, const Object& object);
  Room FindFreeRoom(const Object& object) const;
  bool MayGrant(const Node& node) const;
  // Whether there would be room, in the end, if no segment were sick.
  bool FitsOnceWell(const Object& object) const;
  // Room is made in these segments, and the put gets it there when its turn comes.
  void Park(Event& event, Object& object, std::vector<Segment*> segments);
  void LeaveQueues(Object& object);
  // A parked put ends without a grant; whoever waits for it is told. Destroys it.
  void EndParked(Event& event, Object& object, const Status& status);
  // A parked put is looked after anew, wherever room is now or can be made.
  void Replan(Event& event, Object& object);
  // So are all for which room is made there.
  void ReplanQueue(Event& event, Segment& segment);
  // Asks for pages and evicts, as much as the segment's queue still misses.
  void MakeRoom(Event& event, Segment& segment);
  // Keeps the low watermark free, or coming.
  void KeepReady(Event& event, Segment& segment);
  void AskForPages(Event& event, Segment& segment, uint64_t free_wanted);
  // Grants to the head of the queue while that has its room.
  void ServeQueue(Event& event, Segment& segment);
  // The longest parked puts, and in turn some of the others, take room that has come up anywhere.
  void RetryParked(Event& event);
  void ExpireLeases(Segment& segment, TimePoint now);
  uint64_t LowWatermark(const Segment& segment) const;
  // Why the put gets no room, with numbers of the nodes that its placement allows.
  Status NoRoom(const Object& object);
  Status NoPin(const Object& object, const std::vector<const Node*>& allowed);
  // Whether the segment may have the put, as far as hard pins are concerned.
  bool PinFits(const Object& object, const Segment& segment) const;

  // ---- eviction (catalog_evict.cc)

  // So many more bytes of the segment, if there are victims. Costs O(1) per object that is evicted,
  // and looks at a bounded number of others.
  void Evict(Event& event, Segment& segment, uint64_t missing, Cause cause);
  // Whether the object may be evicted now, with all of its group. `soft`: soft pins are respected.
  // `in_vain` counts what was looked at if not.
  bool Yields(const Object& object, TimePoint now, bool soft, size_t* in_vain) const;
  bool YieldsVictims(const Object& object, TimePoint now) const;
  // It, and all of its group. May destroy them.
  void EvictWithGroup(Event& event, Object& object, Cause cause);
  EvictOutcome EvictOnRequest(Event& event, const EvictRequest& request);
  Status EvictByName(Event& event, std::string_view key);

  // ---- the door (catalog_retire.cc)

  // All memory comes back through here: the object leaves its key, its holders are ordered to
  // retire it. May destroy the object, if no holder is left, and its key's entry.
  void Retire(Event& event, Object& object, Cause cause);
  void OrderRetirement(Event& event, HeldReplica& replica);
  void SendOrder(Event& event, HeldReplica& replica);
  // The holder has confirmed; what waited for that follows.
  void Withdrawn(Event& event, HeldReplica& replica);
  // The memory is free again. May destroy the object.
  void Freed(HeldReplica& replica);
  // The holder of the replica is no member any more.
  void Lose(Event& event, HeldReplica& replica);
  // So for one of a complete object.
  void LoseOne(Event& event, HeldReplica& replica);
  // No holder vouches for the retiring object any more.
  void LeaveKey(Event& event, Object& object);
  void HandleAcks(Event& event, Node& node, const Acks& acks);
  // With what their puts touch brought from memory before.
  template <typename Ack, typename Handle>
  void ForEachFetched(const std::vector<Ack>& acks, const Handle& handle);
  bool HandleAck(Event& event, Node& node, const RetireAck& ack);
  void CountRetired(const Object& object, Cause cause);
  // Whoever waits for the put, which has ended, is told.
  void AnswerEnded(Event& event, Object& object);

  // ---- reads and removal (catalog_read.cc)

  // `hash`: of the name.
  void ExistsOne(Event& event, const Asking& asking, uint32_t index, std::string_view name,
                 size_t hash);
  void LocateOne(Event& event, const RequestName& request, uint32_t index, Object& object,
                 bool want_lease, Duration parked);
  Duration Lease(TimePoint now, Object& object);
  void Touch(Event& event, Object& object);
  void StatOne(Event& event, const RequestName& request, uint32_t index, const Object& object);
  void RemoveOne(Event& event, const Asking& asking, uint32_t index, std::string_view key);
  std::vector<Replica> Replicas(const Object& object) const;
  // Whether the replica may be located: not while a copy fills it, or it is being withdrawn.
  bool Serves(const Object& object, const HeldReplica& replica) const;
  // All its replicas are leased from now on.
  void HoldLease(TimePoint now, Object& object);
  // When a lease ends that is given or begun anew now.
  TimePoint LeaseFrom(TimePoint now) const {
    return std::max(now + limits.lease, no_lease_ends_before);
  }

  // ---- waiting (catalog_wait.cc)

  // Keeps the item until what it waits for happens, at most for the caller's patience. With none,
  // or when too many wait, it is answered at once; false then.
  bool Wait(Event& event, const Asking& asking, WaitingItem item);
  // A reader, until it is known what the key names.
  void WaitForKey(Event& event, const Asking& asking, WaitingItem item, std::string_view name);
  void AnswerStatus(Event& event, const RequestName& request, uint32_t index, WaitingVerb verb,
                    Status status);
  // The item has waited for too long; says for what.
  void AnswerOverdue(Event& event, const WaitingItem& item);
  // The name of a node that has not withdrawn the retiring object.
  static std::string SlowestHolder(const Object& object);
  // One that has not confirmed a withdrawal that the key waits for.
  static std::string SlowestHolder(const KeyEntry& key);
  std::string WhyUnsettled(const KeyEntry& key) const;
  std::string WhoIsMissing() const;
  // Unavailable while members are missing; so is what may be otherwise with them.
  Status AllIsKnown() const;
  Status OrNotKnown(Status status) const;
  // Answers it, or lets it wait for something else.
  void AnswerReader(Event& event, WaitingItem* reader);
  void PinReader(Event& event, WaitingItem* reader, Object& object);
  Status TooManyWait() const;
  void AnswerAll(Event& event, const WaitList& list, const Status& status);
  // Readers that need not wait any more are answered.
  void AnswerReaders(Event& event, KeyEntry& key);
  void AnswerRemovers(Event& event, KeyEntry& key);
  void ForgetIfEmpty(KeyEntry& key);
  KeyEntry* FindKey(std::string_view key);
  // After what has expired under the key is given up.
  KeyEntry* FindKey(Event& event, std::string_view key);
  // Whether there is such; null: nothing is known of the key.
  static bool HasExpired(const Event& event, const KeyEntry* key);
  KeyEntry& FindOrAddKey(std::string_view key);

  // ---- how long objects are kept (catalog_keep.cc)

  // The standing of a committed replica of the object that is not leased.
  Standing Resting(const Object& object, TimePoint now) const;
  // What a put asks for; its durations count from BeginKeeping.
  void SetRetention(Object& object, const Retention& retention);
  // It is complete.
  void BeginKeeping(TimePoint now, Object& object);
  // It is complete no longer, or never will be.
  void EndKeeping(Object& object);
  // `soft`: from now; 0: none.
  Status PinOne(Event& event, Object& object, bool hard, Duration soft);
  // Whether the next master might not learn of it yet.
  bool AwaitsPin(const Object& object) const;
  // One of its notes is not open any more: answers Pins that wait for that.
  void AnswerPins(Event& event, Object& object);
  // Its TTL ends then, if that is later than it would; 0: never.
  void ExpireLater(TimePoint now, Duration ttl, Object& object);
  void SetPins(TimePoint now, Object& object, bool hard, Duration soft);
  // Whether so many more bytes of the segment may be pinned.
  bool MayPin(const Segment& segment, uint64_t bytes) const;
  Status TooMuchPinned(const Segment& segment, uint64_t bytes) const;
  void Expire(Event& event);
  void EndSoftPins(TimePoint now);
  void NoteUse(Event& event, const Object& object);
  // What one event used is evicted tail first: of higher positions before lower ones.
  void OrderByPosition(Event& event);

  // ---- removal by prefix (catalog_sweep.cc)

  // Retires what has the prefix. O(all keys). Answered, if all of it is withdrawn.
  void BeginSweep(Event& event, const Asking& asking, std::string_view prefix);
  // Answers it if nothing is left to be withdrawn, which ends it; else it waits for the next put.
  void Advance(Event& event, const RequestName& request);
  // The put is withdrawn everywhere.
  void AdvanceSweeps(Event& event, const PutId& put);
  void ForgetSweepsOf(Incarnation caller);
  Status StillSweeping(const RequestName& request, const std::string& waited) const;

  // ---- notes (catalog_notes.cc)

  // Whether the put is to become visible only when its holders have noted it.
  bool AwaitsNotes(const Object& object, TimePoint now) const;
  // All holders are to keep the committed object as it is now; also when its pins have changed.
  void Note(Event& event, Object& object);
  // One of them, that holds all of it.
  void NoteReplica(Event& event, HeldReplica& replica);
  void SendNote(Event& event, OpenNote& note);
  // Its holder is not to keep it, or is no member any more. The replica still has its segment.
  void ForgetNote(HeldReplica& replica);
  void ResendNotes(Event& event, Node& node, TimePoint sent_until);
  bool HandleNoteAck(Event& event, Node& node, const NoteAck& ack);
  // Its holder refuses the note: retired alone where others serve, or will.
  void LoseNoted(Event& event, HeldReplica& replica);

  // ---- the new reign (catalog_reign.cc)

  void BeginReign(TimePoint now, const Reign& reign);
  // Whether members of the last reign are missing.
  bool Gathering() const { return nodes_missing > 0 || struck_early; }
  // Whether a reader must wait to know what the key names. `key`: null, nothing is known of it.
  bool IsUnsettled(const KeyEntry* key) const;
  bool IsKnown(const PutId& put);
  // Does what can be answered already, and holds up the rest.
  void DoWhileGathering(Event& event, const Asking& asking, const VerbRequest& request);
  // These of one request, held up until now.
  void DoHeldUp(Event& event, const std::vector<WaitingItem*>& items);
  void DoHeldUpPut(Event& event, const PutId& put);
  void NoLongerMissing(Event& event, Node& node);
  // Once nobody goes by the last master's word any more.
  void ForgetStruck(Event& event);
  void NobodyIsMissing(Event& event);
  // A node whose memory is unknown has opened a session.
  void BeginReport(Event& event, Node& node);
  // Not OK: the node is being struck.
  Status HandleReport(Event& event, Node& node, const Report& report);
  Status TakeReport(Event& event, Node& node, const Report& report);
  Status EndReport(Event& event, Node& node, const Report& report);
  // What Adopt looks up for the next notes is brought from memory.
  void FetchNoted(const Report& report, size_t first) const;
  // The segment of ranges that may have been granted in an earlier reign.
  // `whose`: names it, for people.
  Result<Segment*> CheckReported(const Node& node, uint32_t index, uint64_t birth,
                                 const std::vector<Range>& ranges,
                                 const std::function<std::string()>& whose) const;
  Status Adopt(Event& event, Node& node, const NoteOrder& note);
  Status AdoptHeld(Event& event, Node& node, const HeldMemory& held);
  Object& AddAdopted(Event& event, const Node& node, const NoteOrder& note);
  // Whether what is known of the key can't stand beside the note.
  bool Contradicts(const KeyEntry& key, const NoteOrder& note, const Object& object) const;
  bool IsReplaced(const PutId& put, const KeyEntry& key) const;
  void Settle(Event& event, Object& adopted);
  void Unadopt(Object& object);
  void LetLeave(Object& object, const std::string& name);
  void TakeRetention(TimePoint now, const Retention& left, Object& object);
  // Committed replicas stand as the object's lease and pins want it.
  void SettleStandings(TimePoint now, Object& object);
  void ForgetUnreported(Event& event, Node& node);

  // ---- copies (catalog_copies.cc)

  // What comes of an object that wants a replica elsewhere, when its turn has come.
  enum class CopyStep : uint8_t {
    kNotNeeded,
    kStarted,
    kBusy,
    kUnnoted,  // what was filled for it is to be confirmed first
    kNoSource,
    kNoRoom,
    kObjectGone,
  };
  struct CopyTarget {
    Segment* segment = nullptr;  // null: none has room now
    bool looked = false;         // there are nodes that might take it
    bool busy = false;           // some of them will, soon
  };
  struct Stock;

  // To be called when the object's replicas, or what is wanted of them, may have changed: from here
  // on it is seen to that they become as many as wanted, outside of memory that is emptied.
  void Review(Event& event, Object& object);
  // Replicas that serve, or will when it is complete.
  static size_t Serving(const Object& object);
  // Whether a replica that serves lies in memory that is to be emptied.
  static bool IsEmptying(const Object& object);
  static Stock TakeStock(Object& object);
  // Begins what is due, as far as the limits allow.
  void RunCopies(Event& event);
  // Orders of copies that run are sent again; those that run for too long are abandoned.
  void TendCopies(Event& event);
  Duration LongestCopy(uint64_t bytes) const;
  CopyStep Advance(Event& event, Object& object, CopyWork& work);
  // On a node of that name; empty: on any.
  HeldReplica* FindSource(Object& object, std::string_view name, bool* busy);
  CopyTarget FindTarget(Event& event, const Object& object, std::string_view name, bool spare);
  bool MayTakeCopy(const Object& object, const Node& node) const;
  // Whether there are nodes that might take it, were they not suspected or sick.
  bool MayBeAbleLater(const Object& object) const;
  bool StartCopy(Event& event, Object& object, const HeldReplica& source, Segment& segment);
  void SendCopy(Event& event, HeldReplica& filled, const Replica& from);
  bool HandleCopied(Event& event, const Node& node, const CopyAck& ack);
  // Its copy that runs comes to nothing; another try follows.
  void Abandon(Event& event, Object& object, const Status& status);
  void AbandonCopies(Event& event, const Node& node, bool as_source_too);
  void Failed(Event& event, Object& object, const Status& status);
  // Retires this replica alone; others serve.
  void GiveUp(Event& event, HeldReplica& replica);
  // One of its holders has confirmed a note: what was moved away is given up, now that no loss of
  // the master loses what it was moved to.
  void EndMoves(Event& event, Object& object);
  // So is what a task moved; where that is lost already it is made again.
  void EndMove(Event& event, Object& object, CopyWork& work);
  void ForgetCopies(const Object& object);

  // ---- tasks (catalog_tasks.cc)

  Result<uint64_t> StartTask(Event& event, const TaskRequest& request);
  Status CheckTask(const TaskRequest& request, const Object& object) const;
  // Why a copy, or what the task wants, has nowhere to go.
  Status WhyNoTarget(const Object& object, const CopyWork& work) const;
  std::vector<TaskLine> ListTasks(TimePoint now) const;

  // ---- memory that is emptied (catalog_vacate.cc)

  Status HandleLend(Event& event, Node& node, const Lend& lend);
  void Resize(Event& event, Segment& segment, const LentSegment& lent);
  void ReviewAll(Event& event, const Segment& segment);
  bool HandleReleased(Event& event, const Node& node, const ReleaseAck& ack);
  Status Drain(Event& event, std::string_view node, bool drain);
  // Orders what follows when memory has been emptied; again where that is not confirmed.
  void Vacate(Event& event, Node& node);

  // ---- what placement goes by (catalog_sick.cc)

  // By what members complain of: segments become sick, or well.
  void JudgeSegments(Event& event);
  void SetSick(Event& event, Segment& segment, bool is_sick, TimePoint since);
  // Lenders that joined lately get their share of what is put, according to their age.
  void RankYoung(TimePoint now);

  // ---- nodes (catalog_nodes.cc)

  // Null also for one that is being struck.
  Node* FindMember(Incarnation incarnation) const;
  Status CheckHello(const Hello& hello) const;
  Status CheckLent(const std::vector<LentSegment>& segments, uint64_t least) const;
  Result<Welcome> Join(Event& event, const Hello& hello);
  void Rejoin(Event& event, Node& node, const Hello& hello);
  void AddSegments(Event& event, Node& node, const Hello& hello);
  // Those last sent at `sent_until` or earlier.
  void ResendOrders(Event& event, Node& node, TimePoint sent_until);
  void Suspect(Event& event, Node& node);
  void Trust(Event& event, Node& node);
  // `committing`: those too that it has asked to commit. They need nothing more of it, so
  // that silence alone does not end them; nor does a loss those for which another was given up.
  void AbortPutsOf(Event& event, Node& writer, bool committing);
  // It is to be struck from the durable members, and dropped then; one that lends nothing is
  // dropped now. From here on it is not taken back. `what`: kLeft or kGone, `why`: see NodeEvent.
  void Strike(Event& event, Node& node, NodeEvent::What what, std::string why = {});
  // It has been struck: what it held is withdrawn and free, what it wrote is aborted.
  void Drop(Event& event, Node& node);

  // ---- time (catalog_tick.cc)

  void Tick(Event& event);
  void Excuse(TimePoint now, Duration unheard);
  void JudgeNodes(Event& event);
  // The node is heard, but perhaps doesn't finish its report, without which others have to wait.
  void JudgeReport(Event& event, Node& node, Duration gone_after);
  void EndGrants(Event& event);
  void EndPatience(Event& event);

  // ---- lists and invariants (catalog_list.cc, catalog_invariants.cc)

  Census TakeCensus(TimePoint now) const;
  void HandleTally(Node& node, const ClientTally& tally);
  Result<ObjectDetail> Describe(TimePoint now, std::string_view key) const;
  Retention RetentionLeft(const Object& object, TimePoint now) const;
  // Whether every holder has noted it as it is now.
  static bool IsNoted(const Object& object);
  std::string CheckInvariants() const;
  void CheckCopies(const Object& object, std::string* broken) const;

  // Tells who watches what has become of the object, which still has its key. `where`: the node
  // that is meant, or null.
  void Tell(Event& event, ObjectEvent::What what, const Object& object,
            const Segment* where = nullptr) const;
  // Whether a look finds an object; `readable`: not one that lies on suspected holders alone, and
  // that is counted. Once for each look.
  bool Finds(const KeyEntry* key, bool readable);
  // One item of Locate, not found.
  void MissOne(Event& event, const Asking& asking, uint32_t index, std::string_view name,
               bool announces);
  // Something was asked for and is not there. Of one event the first few are kept in the trail: who
  // asks for a prefix asks for its keys in order, and what comes after the first miss tells no
  // more. `announces`: who asked may put it, as a worker does that looks for what it has to
  // compute.
  void KeepMiss(Event& event, Incarnation asker, std::string_view key, bool announces);

  // ---- awaiting puts (catalog_await.cc)

  // Locates one item after the other whose puts may be awaited.
  void LocateAwaiting(Event& event, const Asking& asking, const Locate& verb);
  bool IsAnnounced(const Event& event, const Asking& asking, const KeyEntry* key,
                   std::string_view name, std::string_view after);
  // No put of it came.
  void AnswerAwaitedInVain(Event& event, const WaitingItem& item);
  TraceLine AsLine(TimePoint now, const KeyTrace& trace) const;

  // ---- fields

  const Limits limits;
  const Incarnation pool;
  const uint64_t term;
  const Guards guards;

  Counters counters;
  NodeTable nodes;
  KeyTable keys;                                        // no entry is empty between events
  KeyTrail trail;                                       // of keys that are not there
  ObjectTable objects;                                  // all but those that are gone
  uint64_t complete = 0;                                // objects that are kComplete
  std::set<std::pair<TimePoint, PutId>> grants_by_end;  // all that are kPending
  std::set<std::pair<TimePoint, PutId>> ahead_by_end;   // all that are kAhead
  std::map<uint64_t, Object*> parked;                   // all that are kParked, by arrival
  uint64_t next_arrival = 1;
  uint64_t retry_next = 0;  // arrival from which RetryParked goes on, past the oldest
  WaitingItems waiting;
  Groups groups;
  std::set<std::pair<TimePoint, PutId>> expiries;   // complete objects with a TTL
  std::set<std::pair<TimePoint, PutId>> soft_pins;  // complete objects, by the end of their pin
  uint64_t hard_pinned = 0;                         // complete objects
  std::map<RequestName, Sweep> sweeps;
  std::multimap<PutId, RequestName> swept;  // by the put that each sweep waits for
  CopyQueue copies;                         // of objects that are kComplete
  ByteBudget copy_budget;
  TaskTable tasks;
  uint64_t next_note = 1;
  // What puts that are kCommitting were noted to replace. Until they are complete it may be read.
  std::map<PutId, PutId> replacing;
  uint64_t next_release = 1;

  TimePoint began{};                 // of the reign
  Duration longest_lease{};          // ever allowed in this pool
  TimePoint no_lease_ends_before{};  // of any object: leases of the last reign may last so long
  size_t nodes_missing = 0;          // members of the last reign that have not reported
  // One of them was dropped while others may still go by the last master's word.
  bool struck_early = false;
  // While any is:
  WaitList held_up;                                                // in the order of arrival
  std::map<PutId, std::pair<RequestName, uint32_t>> held_up_puts;  // that may be reported yet
  std::set<std::string, std::less<>> contradicted;                 // keys; their puts are dropped

  std::set<Incarnation> complainers;    // whose peers failed them lately
  std::map<SegmentId, TimePoint> sick;  // since when
  bool watched = false;                 // somebody wants to know what becomes of objects
  ClientTotals clients;
  std::deque<NodeEvent> departed;  // lenders, oldest first
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_CATALOG_STATE_H_
