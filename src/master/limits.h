#ifndef KVSTORE_SRC_MASTER_LIMITS_H_
#define KVSTORE_SRC_MASTER_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "guard_switch.h"
#include "kvstore/clock.h"
#include "proto/verbs.h"

namespace kvstore::master {

// Every number that bounds or times the catalog. config.cc names the same ones for operators.
struct Limits {
  Duration lease = std::chrono::seconds(5);           // given by Locate; the longest ever allowed
  Duration longest_grant = std::chrono::seconds(60);  // a put's deadline, at most
  Duration heartbeat_interval = std::chrono::milliseconds(250);
  Duration suspect_after = std::chrono::milliseconds(1500);  // of silence
  // For so long after its start a master does not belie the word of one before: kCertainAfterBeat.
  Duration quiet_start = kCertainAfterBeat;
  Duration gone_after = std::chrono::seconds(15);         // of suspicion; never less than the lease
  Duration abort_writer_after = std::chrono::seconds(2);  // of suspicion: its unfinished puts end
  Duration order_resend_after = std::chrono::seconds(1);
  // A put is visible before its holders have noted it, as long as they leave no note unconfirmed
  // for longer than this.
  Duration note_patience = std::chrono::milliseconds(100);
  Duration sick_for = std::chrono::seconds(5);     // after the last complaint of its peers
  Duration slow_start = std::chrono::seconds(30);  // a lender's free memory counts in full after
  uint64_t repair_bytes_per_second = uint64_t{1} << 30;  // copies of replicas, in all
  size_t copies_in_flight = 64;
  size_t copies_per_node = 8;  // in flight: read from it, or filled by it
  // A copy is tried elsewhere after 2 s and the time that its bytes take at this rate, but not
  // before `shortest_copy`.
  uint64_t slowest_copy_bytes_per_second = 32u << 20;
  Duration shortest_copy = std::chrono::minutes(1);
  size_t tasks_kept = 1000;         // that have ended
  double free_share_wanted = 0.05;  // of each segment: the low watermark that eviction keeps ready
  // A grant ahead: how long it lasts, its bytes, how many a writer has, and what share of each
  // segment they take. A share of 0: none is given. What is longer than `ahead_bytes_small` takes
  // no more than a quarter of that share; of one segment no writer holds more than twice as much.
  Duration ahead_for = std::chrono::seconds(10);
  uint64_t ahead_bytes = 64u << 20;
  uint64_t ahead_bytes_small = 1u << 20;
  size_t ahead_per_writer = 4;
  double ahead_share_allowed = 0.05;
  double leased_share_allowed = 0.8;  // of each segment: beyond it Locate grants no lease
  double pinned_share_allowed = 0.5;  // of each segment: beyond it nothing more is pinned hard
  uint64_t prepare_step = 64u << 20;  // bytes of pages asked for at a time
  uint32_t replicas = 8;
  size_t ranges_per_replica = 16;
  uint64_t objects = 50'000'000;
  size_t nodes = 4096;
  size_t segments_per_node = 64;
  size_t waiting_items = 1'000'000;          // over all callers
  size_t outcomes_kept_per_writer = 65'536;  // of finished puts, so that a retry is recognised
};

// The guards of the rules that are the catalog's to keep: see guard_switch.h.
struct Guards {
  KVSTORE_GUARD(reuse_after_free_ack);         // rule 3: memory is offered again only after *free*
  KVSTORE_GUARD(commit_waits_for_withdrawal);  // rule 3
  KVSTORE_GUARD(remove_waits_for_withdrawal);  // rule 3
  KVSTORE_GUARD(gone_after_longest_lease);     // rule 8
  KVSTORE_GUARD(gone_never_returns);           // rule 8
  KVSTORE_GUARD(expired_grants_are_refused);   // rule 7: a commit after the grant's deadline
  KVSTORE_GUARD(
      suspected_holders_get_no_lease);      // rule 8: else readers remember what a removal skips
  KVSTORE_GUARD(copies_go_where_none_is);   // rule 2: one put's grants on a node, one at a time
  KVSTORE_GUARD(copies_serve_when_filled);  // rule 5: what a copy fills is not located
  KVSTORE_GUARD(other_terms_are_ignored);   // terms: acks of another master's orders
  KVSTORE_GUARD(grant_after_report);        // reigns: what may still hold what nobody knows of
  KVSTORE_GUARD(misses_wait_for_reports);   // reigns: a miss while members are missing
  KVSTORE_GUARD(nothing_evicted_for_longest_lease);  // reigns: leases that the last master gave
  KVSTORE_GUARD(durable_waits_for_notes);            // notes: else the next master does not know it
  KVSTORE_GUARD(replaced_stays_until_noted);         // notes: else a lost master takes both along
  KVSTORE_GUARD(slow_notes_are_waited_for);          // notes: of a holder whose acks stay out
  KVSTORE_GUARD(contradictions_are_dropped);         // reigns: one key with different bytes
  KVSTORE_GUARD(other_pools_are_refused);            // reigns: what another pool's nodes hold
  KVSTORE_GUARD(suspected_yield_no_victims);         // eviction: what they hold can't be withdrawn
  KVSTORE_GUARD(ended_puts_stay_ended);              // retries: a put id is granted once
  KVSTORE_GUARD(named_pieces_are_spent);             // rule 6: whatever came of the commit
  KVSTORE_GUARD(pieces_name_their_term);             // rule 7: grants end with their reign
  KVSTORE_GUARD(pieces_are_placed);                  // rule 8: nothing begins where nothing may
  KVSTORE_GUARD(births_never_go_back);               // rule 1: nor does what is known of a counter
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_LIMITS_H_
