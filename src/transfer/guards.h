#ifndef KVSTORE_SRC_TRANSFER_GUARDS_H_
#define KVSTORE_SRC_TRANSFER_GUARDS_H_

#include <cstdint>
#include <functional>

#include "guard_switch.h"

namespace kvstore::transfer {

// Where a copy without the holder is: through shared memory, each is reached in this order, and a
// read takes no slot; a read over RDMA, which is its device's, reaches those from kWordRead on
// together, before its bytes are asked for.
enum class ShmStep : uint8_t {
  kSlotSet,     // it is announced
  kWordRead,    // and its word was found to stand
  kFirstSlice,  // the first bytes were moved
  kLastSlice,   // the last
};

// The checks of the transfer layer that a test can switch off, to show that another test notices.
struct TransferGuards {
  KVSTORE_GUARD(check_before);      // every access begins with the region's guard
  KVSTORE_GUARD(check_during);      // long or stalled accesses ask whether the memory still stands
  KVSTORE_GUARD(check_after_read);  // a read asks once more after its last byte
  KVSTORE_GUARD(confirm_cut);  // a broken write is only "failed" once the holder has cut its path
  KVSTORE_GUARD(check_incarnation);  // a hello for another incarnation is refused

  KVSTORE_GUARD(accesses_stay_in_their_region);  // rule 10: no offset reaches other memory
  KVSTORE_GUARD(copies_name_their_guard);        // rule 4: none of guarded memory goes without

  // Shared memory.
  KVSTORE_GUARD(announce_before_word);   // a writer looks at the word only when the holder sees it
  KVSTORE_GUARD(check_word_after_read);  // a read looks at the word once more after its last byte
  KVSTORE_GUARD(
      ledger_outlives_socket);  // a ledger counts until it is empty or its process has ended

  // RDMA.
  KVSTORE_GUARD(rdma_word_after_read);       // rule 4: a read looks at the word once more
  KVSTORE_GUARD(rdma_read_behind_writes);    // rule 6: a write is done when a READ behind it is
  KVSTORE_GUARD(rdma_writes_are_begun);      // rule 7: the holder says first that the grant stands
  KVSTORE_GUARD(rdma_cut_withdrawn_writes);  // rule 7: and cuts off who is too late
  KVSTORE_GUARD(rdma_readers_cannot_write);  // rule 7: over their queue pairs
  KVSTORE_GUARD(rdma_fence_is_confirmed);    // rule 7: who could not be cut off still counts

  std::function<void(ShmStep)> at_step{};  // a probe: called by the thread that copies
};

// Those of memory that is mapped.
struct MappingGuards {
  KVSTORE_GUARD(readers_map_read_only);   // rule 7: who reads can't write
  KVSTORE_GUARD(words_are_the_holders);   // rule 1: nobody else can write them
  KVSTORE_GUARD(mappings_end_at_a_fork);  // rule 7: a child, whom nobody sees end, has none
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_GUARDS_H_
