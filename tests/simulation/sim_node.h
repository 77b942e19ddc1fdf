#ifndef KVSTORE_TESTS_SIMULATION_SIM_NODE_H_
#define KVSTORE_TESTS_SIMULATION_SIM_NODE_H_

#include <memory>
#include <string>
#include <vector>

#include "client/ahead.h"
#include "client/failures.h"
#include "client/get.h"
#include "client/locations.h"
#include "client/master_stub.h"
#include "client/open_peers.h"
#include "client/parts.h"
#include "client/read_notes.h"
#include "simulation/fabric.h"
#include "simulation/sim_channel.h"
#include "simulation/sim_copier.h"
#include "simulation/sim_engine.h"
#include "simulation/sim_memory.h"
#include "simulation/succession.h"

namespace kvstore::simulation {

// How a node is made; the same for all of its lives.
struct NodePlan {
  std::string name;
  std::string host;
  Place place = 1;
  uint64_t granule = kDefaultGranule;
  std::vector<uint64_t> granules;  // of each segment that it lends at first; none: it lends nothing
  bool stays = false;              // when it was drained, as a mere client
  size_t threads = 0;              // that put and get
};

// The rules of its session that a test can switch off; as the product's Session has them.
struct SessionGuards {
  // A hello that got no answer is followed by that of another incarnation.
  KVSTORE_GUARD(unanswered_hello_is_not_repeated);
  KVSTORE_GUARD(deposed_masters_are_left);  // the welcome of an older term is none
  KVSTORE_GUARD(locations_need_certainty);  // remembered ones, after a beat was answered
};

// One life of one node's process: the product's holder, and its client logic above the seams; the
// least that stands in for session and memory. Lives, as an object, as long as the
// run.
class SimNode final : public MasterListener {
 public:
  SimNode(const NodePlan& plan, Fabric* fabric, Succession* masters,
          const client::HolderGuards& holder_guards, const SessionGuards& session_guards,
          bool remembers_locations);
  ~SimNode() override;

  // ---- what the workload uses

  client::Parts parts() {
    return {stub_,
            engine_,
            *process_,
            {engine_.incarnation(), plan_.host},
            IsCertain() ? &locations_ : nullptr,
            &peers_,
            &notes_,
            &failures_,
            &ahead_};
  }
  // Whether it remembers locations, and one of that key now.
  bool remembers() const { return remembers_; }
  bool Remembers(const std::string& key) {
    return IsCertain() && locations_.Find(key, engine_.incarnation(), process_->Now()) != nullptr;
  }
  // A call that puts so many objects begins.
  void BeginPuts(size_t count) { puts_begun_ += count; }
  Process* process() const override { return process_; }
  Place place() const override { return plan_.place; }
  const NodePlan& plan() const { return plan_; }
  bool alive() const { return !process_->dead(); }
  bool is_leaving() const { return alive() && stage_ == Stage::kLeaving; }
  // Lends so many granules in all from now on.
  void Lend(uint64_t granules);
  // As many as it has ever lent at once.
  uint64_t granules_there() const { return memory_.capacity() / plan_.granule; }
  uint64_t granules_wished() const { return memory_.wished() / plan_.granule; }
  bool is_member() const { return stage_ == Stage::kMember; }
  Incarnation incarnation() const { return self_; }

  // ---- faults

  // The process ends without a word.
  void Crash();
  // Leaves the pool in good order, and ends.
  void BeginLeave();
  // Its session stream breaks; both ends find out, each in its time.
  void BreakSession();
  // It finds that its master is another one now, in a way that the old one does not notice.
  void LeaveMaster(const SimMaster* master);
  SimEngine& engine() { return engine_; }

  // ---- from the master

  void OnWelcome(SessionLink* link, const Result<Welcome>& welcome) override;
  void OnOrders(SessionLink* link, uint64_t number, const Orders& orders) override;
  void OnReply(Incarnation to, uint64_t term, const VerbReply& reply) override;
  void OnLinkLost(SessionLink* link) override;
  void OnBeatAnswered(Incarnation who, TimePoint asked_at, const BeatReply& reply) override;

  // Nothing touches the memory that it lends, neither here nor in another process.
  bool idle() const { return memory_.holder().idle(); }
  void CountInto(EventCounts* counts);
  client::GetCounters* get_counters() { return &get_counters_; }
  void Add(const client::GetCounters& met);

 private:
  // kFarewell: it was drained, has said goodbye, and goes on as another incarnation.
  enum class Stage { kAway, kGreeting, kMember, kFarewell, kLeaving };

  static constexpr size_t kLocationsKept = 8;  // fewer than some runs have keys

  Incarnation NewIncarnation();
  Hello MakeHello() const;
  // Remembered locations count only while no other master can have answered anybody.
  bool IsCertain() const {
    return remembers_ && (!guards_.locations_need_certainty || process_->Now() < certain_until_);
  }

  void Connect();
  void TellBothEnds(SessionLink* link);
  void Beat(uint64_t membership);
  void TellOfReads();
  void TellWish();
  void SayFarewell();
  void BecomeAnother();
  void AwaitServed();
  void Report(SessionLink* link);
  void Away();
  // Adds term and counter, and sends them unless there is nothing to say.
  void Say(Acks acks);

  const NodePlan plan_;
  Fabric* const fabric_;
  Scheduler* const scheduler_;
  Succession* const masters_;
  Process* const process_;
  const SessionGuards guards_;
  const bool remembers_;

  Incarnation self_;
  Incarnation pool_;
  uint64_t term_ = 0;
  Stage stage_ = Stage::kAway;
  uint64_t memberships_ = 0;  // so that a beat of an earlier one stops
  Duration beat_every_{};
  SessionLink* link_ = nullptr;
  SimMaster* verbs_to_ = nullptr;  // whose member it was last
  TimePoint hello_at_{};
  TimePoint certain_until_ = TimePoint::min();
  std::vector<std::unique_ptr<SessionLink>> links_;  // all of this life

  SimEngine engine_;
  SimMemory memory_;
  SimCopier copier_;
  SimChannel channel_;
  client::MasterStub stub_;
  client::Locations locations_{kLocationsKept};
  client::OpenPeers peers_;
  client::ReadNotes notes_;
  client::Failures failures_;
  client::Ahead ahead_;
  client::GetCounters get_counters_;
  uint64_t puts_begun_ = 0;  // by calls; each once
  uint64_t times_emptied_ = 0;
  uint64_t times_kept_ = 0;  // its memory was, over a new reign
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_SIM_NODE_H_
