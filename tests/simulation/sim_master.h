#ifndef KVSTORE_TESTS_SIMULATION_SIM_MASTER_H_
#define KVSTORE_TESTS_SIMULATION_SIM_MASTER_H_

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "master/catalog.h"
#include "simulation/checker.h"
#include "simulation/events.h"
#include "simulation/session_link.h"
#include "simulation/transcript.h"

namespace kvstore::simulation {

// What the master says to a node's process; the receiving end of a link, and of replies.
class MasterListener {
 public:
  virtual ~MasterListener() = default;
  virtual Process* process() const = 0;
  virtual Place place() const = 0;
  virtual void OnWelcome(SessionLink* link, const Result<Welcome>& welcome) = 0;
  virtual void OnOrders(SessionLink* link, const Orders& orders) = 0;
  virtual void OnReply(Incarnation to, const VerbReply& reply) = 0;
  // The stream has ended, as this end comes to know.
  virtual void OnLinkLost(SessionLink* link) = 0;
  // A beat of that incarnation came to a master that does not know it.
  virtual void OnStranger(Incarnation who) = 0;
};

// The master's process: the product's catalog, and in place of service, session and ticker the
// least that feeds it. A crash loses the catalog; the next life begins with an empty one, under a
// new pool, as the product's does.
class SimMaster {
 public:
  SimMaster(Network* network, Transcript* transcript, EventCounts* counts, Checker* checker,
            const master::Limits& limits, const master::Guards& guards);

  // Its life now, or the last one.
  Process* process() const { return process_; }
  bool alive() const { return !process_->dead(); }
  const master::Catalog& catalog() const { return *catalog_; }
  TimePoint Now() const { return process_->Now(); }

  void Begin();
  void Crash();

  // Called for every hello that the master has taken in, before its welcome arrives.
  void OnTaken(std::function<void(MasterListener* node, const Hello& hello)> observer) {
    taken_ = std::move(observer);
  }

  // Arrivals, in the master's life.
  void OnHello(SessionLink* link, MasterListener* node, const Hello& hello);
  void OnAcks(SessionLink* link, const Acks& acks);
  void OnGoodbye(SessionLink* link);
  void OnLinkLost(SessionLink* link);
  void OnHeartbeat(MasterListener* node, Incarnation who);
  void OnVerb(Incarnation caller, const VerbRequest& request);

  // Grows whenever objects may have been forgotten: evicted, lost with a node or with a master.
  uint64_t objects_forgotten() const;
  // Adds what the catalogs of all lives have counted.
  void CountInto(EventCounts* counts) const;

 private:
  struct Session {
    SessionLink* link = nullptr;  // null: none is open
    MasterListener* node = nullptr;
  };

  void Tick();
  // The master ends a stream; the node finds out.
  void End(const Session& session);
  void Dispatch(const master::Effects& effects);
  void CheckCatalog();
  void CountWait(Incarnation caller, const VerbRequest& request, const master::Effects& effects);

  Network* const network_;
  Scheduler* const scheduler_;
  Transcript* const transcript_;
  EventCounts* const counts_;
  Checker* const checker_;
  const master::Limits limits_;
  const master::Guards guards_;

  Process* process_ = nullptr;
  std::unique_ptr<master::Catalog> catalog_;
  std::vector<master::Counters> earlier_;    // of the catalogs that are lost
  std::map<Incarnation, Session> sessions_;  // of this life; kept for replies when a link ends
  std::function<void(MasterListener*, const Hello&)> taken_;
  uint64_t ticks_ = 0;
  uint64_t lives_ = 0;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_MASTER_H_
