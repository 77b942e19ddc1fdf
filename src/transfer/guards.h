#ifndef KVSTORE_SRC_TRANSFER_GUARDS_H_
#define KVSTORE_SRC_TRANSFER_GUARDS_H_

#include <cstdint>
#include <functional>

namespace kvstore::transfer {

// Where a copy or a mapping through shared memory is: each is reached in this order, and a read
// takes no slot.
enum class ShmStep : uint8_t {
  kSlotSet,     // it is announced
  kWordRead,    // and its word was found to stand
  kFirstSlice,  // the first bytes were moved
  kLastSlice,   // the last
};

// The checks of the transfer layer that a test can switch off, to show that another test notices.
struct TransferGuards {
  bool check_before = true;      // every access begins with the region's guard
  bool check_during = true;      // long or stalled accesses ask whether the memory still stands
  bool check_after_read = true;  // a read asks once more after its last byte
  bool confirm_cut = true;       // a broken write is only "failed" once the holder has cut its path
  bool check_incarnation = true;  // a hello for another incarnation is refused

  // Shared memory.
  bool announce_before_word = true;    // a writer looks at the word only when the holder sees it
  bool check_word_after_read = true;   // a read looks at the word once more after its last byte
  bool ledger_outlives_socket = true;  // a ledger counts until it is empty or its process has ended
  std::function<void(ShmStep)> at_step{};  // a probe: called by the thread that copies
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_GUARDS_H_
