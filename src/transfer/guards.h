#ifndef KVSTORE_SRC_TRANSFER_GUARDS_H_
#define KVSTORE_SRC_TRANSFER_GUARDS_H_

namespace kvstore::transfer {

// The checks of the transfer layer that a test can switch off, to show that another test notices.
struct TransferGuards {
  bool check_before = true;      // every access begins with the region's guard
  bool check_during = true;      // long or stalled accesses ask whether the memory still stands
  bool check_after_read = true;  // a read asks once more after its last byte
  bool confirm_cut = true;       // a broken write is only "failed" once the holder has cut its path
  bool check_incarnation = true;  // a hello for another incarnation is refused
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_GUARDS_H_
