#ifndef KVSTORE_TESTS_SIMULATION_SIM_MASTER_H_
#define KVSTORE_TESTS_SIMULATION_SIM_MASTER_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "master/catalog.h"
#include "simulation/checker.h"
#include "simulation/disk.h"
#include "simulation/events.h"
#include "simulation/session_link.h"
#include "simulation/transcript.h"

namespace kvstore::simulation {

class SimMaster;

// What a master says to a node's process; the receiving end of a link, and of replies.
class MasterListener {
 public:
  virtual ~MasterListener() = default;
  virtual Process* process() const = 0;
  virtual Place place() const = 0;
  virtual void OnWelcome(SessionLink* link, const Result<Welcome>& welcome) = 0;
  // `number` is that of the orders among those of the link.
  virtual void OnOrders(SessionLink* link, uint64_t number, const Orders& orders) = 0;
  // In that master's term.
  virtual void OnReply(Incarnation to, uint64_t term, const VerbReply& reply) = 0;
  // The stream has ended, as this end comes to know.
  virtual void OnLinkLost(SessionLink* link) = 0;
  // A beat of that incarnation was answered; it was sent when the node's clock showed `asked_at`.
  virtual void OnBeatAnswered(Incarnation who, TimePoint asked_at, const BeatReply& reply) = 0;
};

// What all masters of a run share.
struct MasterWorld {
  Network* network = nullptr;
  Transcript* transcript = nullptr;
  EventCounts* counts = nullptr;
  Checker* checker = nullptr;
  master::Guards guards;
  // Filled in by the succession.
  Disk* disk = nullptr;
  DiskGuards disk_guards{};
  std::map<PutId, Instant>* leases = nullptr;  // of objects: until then they are not evicted
  // Called for every hello that a master has taken in, before its welcome arrives.
  std::function<void(MasterListener* node, const Hello& hello)> taken{};
  // Called when notes have been sent to holders, and what is answered at once to callers.
  std::function<void(const SimMaster* master)> ordered_notes{};

  Scheduler* scheduler() const { return network->scheduler(); }
};

// One life of a master's process: the product's catalog, and in place of service, session, ticker
// and state file the least that feeds it. Lives, as an object, as long as the run.
class SimMaster {
 public:
  // Listens to nobody before `quiet` is over.
  SimMaster(MasterWorld* world, const master::Limits& limits, const master::Reign& reign,
            Process* process, Duration quiet);

  Process* process() const { return process_; }
  bool alive() const { return !process_->dead(); }
  const master::Catalog& catalog() const { return *catalog_; }
  TimePoint Now() const { return process_->Now(); }
  uint64_t term() const { return catalog_->term(); }
  const std::string& name() const { return process_->name(); }
  // Another reigns, as this one may not know.
  bool deposed() const { return deposed_; }
  void Depose() { deposed_ = true; }
  // It listens to nobody before.
  Instant listens_from() const { return listens_from_; }

  void Crash();

  // Arrivals, in the master's life.
  void OnHello(SessionLink* link, MasterListener* node, const Hello& hello);
  void OnReport(SessionLink* link, const Report& report);
  void OnAcks(SessionLink* link, const Acks& acks);
  void OnLend(SessionLink* link, const Lend& lend);
  void OnGoodbye(SessionLink* link);
  void OnLinkLost(SessionLink* link);
  void OnHeartbeat(MasterListener* node, Incarnation who, TimePoint asked_at);
  void OnVerb(Incarnation caller, const VerbRequest& request);
  // What an operator asks for.
  void Operate(const std::function<master::Effects(master::Catalog*, TimePoint)>& operation);

  // What it knows to be forgotten of that key: objects lost with their holders (and all that may
  // have been on holders that were lost before they reported), objects evicted.
  void AddForgotten(const std::string& key, Forgotten* forgotten) const;
  // Adds what its catalog has counted.
  void CountInto(EventCounts* counts) const;

 private:
  struct Session {
    SessionLink* link = nullptr;  // null: none is open
    MasterListener* node = nullptr;
  };

  void TakeIn(SessionLink* link, MasterListener* node, const Hello& hello);
  void LendNow(SessionLink* link, const Lend& lend);
  void Strike(Incarnation node);
  void Tick();
  // The master ends a stream; the node finds out.
  void End(const Session& session);
  void Dispatch(const master::Effects& effects);
  void CheckCatalog();
  void CountWait(Incarnation caller, const VerbRequest& request, const master::Effects& effects);
  bool IsGathering() const { return catalog_->TakeCensus(Now()).nodes_missing > 0; }
  void CountReplayed(Incarnation caller, const VerbReply& reply);
  void NoteLeases(const VerbReply& reply);
  void NoteEvicted(const master::ObjectEvent& event);
  void NoteStruck(Incarnation node);
  void CountEvents(const master::Effects& effects);
  template <typename... Parts>
  void Say(const Parts&... parts) {
    world_.transcript->Say(name(), parts...);
  }

  MasterWorld& world_;
  Process* const process_;
  const Instant listens_from_;
  std::unique_ptr<master::Catalog> catalog_;
  std::map<Incarnation, Session> sessions_;                // kept for replies when a link ends
  std::map<const MasterListener*, uint64_t> last_hellos_;  // number of its stream
  std::set<std::pair<Incarnation, uint64_t>> held_up_;     // requests, with items that were
  TimePoint last_tick_;
  uint64_t ticks_ = 0;
  std::map<std::string, uint64_t> lost_;     // objects, by key
  std::map<std::string, uint64_t> evicted_;  // likewise
  uint64_t unreported_lost_ = 0;             // members that were missing
  uint64_t struck_ = 0;                      // members, all of them
  bool deposed_ = false;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_MASTER_H_
