#include "simulation/simulation.h"

#include <algorithm>
#include <sstream>

#include "simulation/faults.h"
#include "simulation/workload.h"
#include "simulation/world.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kLongestCalls = seconds(8);    // until all calls have ended, once none begins
constexpr Duration kLongestUnrest = seconds(30);  // until nothing is under way, once all is mended

constexpr Duration kLastMessages = seconds(1);

class Course {
 public:
  explicit Course(World* world) : world_(*world), faults_(world) {}

  void Go() {
    faults_.Begin();
    Wait(world_.plan.length, [this] { return Broken(); });
    world_.stopping = true;
    faults_.EndAll();
    if (!Wait(kLongestCalls, [this] { return Broken() || world_.threads_running == 0; })) {
      world_.checker.Fail("I8: calls have not ended");
    }
    if (!Wait(kLongestUnrest, [this] { return Broken() || Unrest().empty(); })) {
      world_.checker.Fail("not at rest, though all is mended: " + Unrest());
    }
    // What callers gave up on may still be on its way.
    Wait(kLastMessages, [this] { return Broken(); });
    if (!Broken()) ReadAll();
    End();
  }

 private:
  bool Broken() const { return !world_.checker.violation().empty(); }

  // True when `done`, false when it took too long.
  template <typename Done>
  bool Wait(Duration longest, Done done) {
    Scheduler& scheduler = world_.scheduler;
    const Instant end = scheduler.now() + longest;
    while (scheduler.now() < end) {
      if (done()) return true;
      scheduler.WaitUntil(std::min(end, scheduler.now() + milliseconds(10)));
    }
    return done();
  }

  // What is still under way: empty when all memory is free or committed and nobody waits.
  std::string Unrest() const;
  void ReadAll();
  void End();

  World& world_;
  Faults faults_;
};

std::string Course::Unrest() const {
  std::ostringstream unrest;
  for (const SimNode* node : world_.slots) {
    if (!node->is_member()) unrest << node->plan().name << " is no member; ";
    if (!node->idle()) unrest << node->plan().name << "'s memory is being touched; ";
  }
  const master::Census census = world_.masters.catalog().TakeCensus(world_.masters.Now());
  const master::Space& space = census.space;
  if (census.nodes_live != world_.slots.size() || census.nodes_suspected > 0) {
    unrest << census.nodes_live << " nodes live, " << census.nodes_suspected << " suspected; ";
  }
  if (census.requests_waiting + census.puts_parked + census.puts_unfinished > 0) {
    unrest << census.requests_waiting << " requests waiting, " << census.puts_parked
           << " puts parked, " << census.puts_unfinished << " unfinished; ";
  }
  if (space.retiring + space.unfinished > 0 ||
      space.size != space.unprepared + space.free + space.committed) {
    unrest << "of " << space.size << " B " << space.unprepared << " unprepared, " << space.free
           << " free, " << space.committed << " committed, " << space.unfinished << " unfinished, "
           << space.retiring << " retiring; ";
  }
  return unrest.str();
}

void Course::ReadAll() {
  SimNode* reader = world_.slots[world_.scheduler.random().Below(world_.slots.size())];
  bool read = false;
  world_.scheduler.Spawn(reader->process(), [this, reader, &read] {
    ReadEverything(&world_, reader);
    read = true;
  });
  if (!Wait(seconds(60), [&read] { return read; })) {
    world_.checker.Fail("I8: the last Gets have not ended");
  }
  const std::string broken = world_.masters.catalog().CheckInvariants();
  if (!broken.empty()) world_.checker.Fail("I4: " + broken);
}

void Course::End() {
  faults_.Stop();
  world_.stopping = true;
  world_.masters.CountInto(&world_.counts);
  world_.counts.Add(Event::kForgottenMisses, world_.checker.forgotten_misses());
  world_.counts.Add(Event::kForgottenUnconfirmed, world_.checker.unconfirmed_misses());
  world_.counts.Add(Event::kCameBack, world_.checker.came_back());
  world_.counts.Add(Event::kTtlsOver, world_.checker.expired_misses());
  for (const auto& node : world_.nodes) {
    node->CountInto(&world_.counts);
    world_.scheduler.Kill(node->process());
  }
  world_.scheduler.Drain();
}

}  // namespace

RunResult Simulate(const RunOptions& options) {
  World world(options.seed, options.guards, options.trace);
  Course(&world).Go();
  RunResult result;
  result.violation = world.checker.violation();
  result.counts = world.counts;
  result.steps = world.scheduler.actions_done();
  result.hand_overs = world.scheduler.hand_overs();
  result.transcript = world.transcript.lines();
  return result;
}

namespace {

struct NamedGuard {
  const char* name;
  bool* (*find)(AllGuards* guards);
};

#define KVSTORE_GUARD_(part, name)                                        \
  {                                                                       \
#name, [](AllGuards * guards) -> bool* { return &guards->part.name; } \
  }
constexpr NamedGuard kGuards[] = {
    KVSTORE_GUARD_(catalog, reuse_after_free_ack),
    KVSTORE_GUARD_(catalog, commit_waits_for_withdrawal),
    KVSTORE_GUARD_(catalog, remove_waits_for_withdrawal),
    KVSTORE_GUARD_(catalog, gone_after_longest_lease),
    KVSTORE_GUARD_(catalog, gone_never_returns),
    KVSTORE_GUARD_(catalog, expired_grants_are_refused),
    KVSTORE_GUARD_(catalog, suspected_holders_get_no_lease),
    KVSTORE_GUARD_(catalog, other_terms_are_ignored),
    KVSTORE_GUARD_(catalog, grant_after_report),
    KVSTORE_GUARD_(catalog, misses_wait_for_reports),
    KVSTORE_GUARD_(catalog, nothing_evicted_for_longest_lease),
    KVSTORE_GUARD_(catalog, durable_waits_for_notes),
    KVSTORE_GUARD_(catalog, replaced_stays_until_noted),
    KVSTORE_GUARD_(catalog, slow_notes_are_waited_for),
    KVSTORE_GUARD_(catalog, other_pools_are_refused),
    KVSTORE_GUARD_(catalog, suspected_yield_no_victims),
    KVSTORE_GUARD_(catalog, births_never_go_back),
    KVSTORE_GUARD_(catalog, ended_puts_stay_ended),
    KVSTORE_GUARD_(catalog, named_pieces_are_spent),
    KVSTORE_GUARD_(catalog, pieces_name_their_term),
    KVSTORE_GUARD_(catalog, pieces_are_placed),
    KVSTORE_GUARD_(catalog, copies_go_where_none_is),
    KVSTORE_GUARD_(catalog, copies_serve_when_filled),
    KVSTORE_GUARD_(holder, check_birth_on_enter),
    KVSTORE_GUARD_(holder, check_birth_after),
    KVSTORE_GUARD_(holder, free_waits_for_accesses),
    KVSTORE_GUARD_(holder, free_waits_for_outsiders),
    KVSTORE_GUARD_(holder, orders_name_the_birth),
    KVSTORE_GUARD_(holder, older_terms_are_refused),
    KVSTORE_GUARD_(holder, note_refused_when_retired),
    KVSTORE_GUARD_(holder, stamp_unnamed_on_reign),
    KVSTORE_GUARD_(holder, hold_touched_on_reign),
    KVSTORE_GUARD_(holder, every_word_is_stamped),
    KVSTORE_GUARD_(holder, counter_covers_old_words),
    KVSTORE_GUARD_(read, verify_checksum),
    KVSTORE_GUARD_(read, remembered_locations_end_with_their_lease),
    KVSTORE_GUARD_(read, only_checksums_prove),
    KVSTORE_GUARD_(shared, announce_before_word),
    KVSTORE_GUARD_(shared, check_word_after_read),
    KVSTORE_GUARD_(shared, ledger_outlives_socket),
    KVSTORE_GUARD_(rdma, rdma_word_after_read),
    KVSTORE_GUARD_(rdma, rdma_read_behind_writes),
    KVSTORE_GUARD_(rdma, rdma_writes_are_begun),
    KVSTORE_GUARD_(rdma, rdma_cut_withdrawn_writes),
    KVSTORE_GUARD_(rdma, rdma_readers_cannot_write),
    KVSTORE_GUARD_(rdma, rdma_fence_is_confirmed),
    KVSTORE_GUARD_(session, unanswered_hello_is_not_repeated),
    KVSTORE_GUARD_(session, deposed_masters_are_left),
    KVSTORE_GUARD_(session, locations_need_certainty),
    KVSTORE_GUARD_(disk, members_are_admitted_first),
    KVSTORE_GUARD_(disk, members_are_struck_first),
    KVSTORE_GUARD_(disk, terms_are_written_first),
    KVSTORE_GUARD_(disk, longest_lease_is_remembered),
    KVSTORE_GUARD_(disk, deposed_masters_write_nothing),
};
#undef KVSTORE_GUARD_

}  // namespace

bool SwitchOff(const std::string& name, AllGuards* guards) {
  for (const NamedGuard& guard : kGuards) {
    if (name != guard.name) continue;
    *guard.find(guards) = false;
    return true;
  }
  return false;
}

std::vector<std::string> GuardNames() {
  std::vector<std::string> names;
  for (const NamedGuard& guard : kGuards) names.emplace_back(guard.name);
  return names;
}

}  // namespace kvstore::simulation
