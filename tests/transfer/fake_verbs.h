#ifndef KVSTORE_TESTS_TRANSFER_FAKE_VERBS_H_
#define KVSTORE_TESTS_TRANSFER_FAKE_VERBS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "transfer/rdma/verbs.h"

namespace kvstore::transfer {

// RDMA devices made of this process's memory: requests over connected queue pairs move bytes
// between registered memories, in the thread that posts them, and are checked as devices check them
// (keys, bounds, what a queue pair lets its peer do). There is one fabric, on which all of them
// are; a test sets it up and may make it fail. Thread-safe.
class FakeFabric {
 public:
  struct Device {
    std::string name{};  // empty: "fake0" and so on
    ibv_port_state state = IBV_PORT_ACTIVE;
    uint64_t max_mr_size = uint64_t{1} << 40;
    bool opens = true;
    int max_sge = 16;
    int max_qp_wr = 4096;
    std::string path{};  // its folder under /sys
    int network = 0;     // none leads to another
  };
  // What becomes of a request, decided before it moves a byte; IBV_WC_SUCCESS: it goes on.
  using Fate = std::function<ibv_wc_status(const std::string& device, const ibv_send_wr& request)>;

  // With addresses 203.0.113.1 and up as GID 1.
  static void SetUp(std::vector<Device> devices);
  static void SetFate(Fate fate);
  // 0: registrations succeed; else they fail with that errno.
  static void FailRegistrations(int error);
  // Whether requests to that device vanish: they move nothing, and are completed as failed after
  // that time, if somebody polls; never, by default.
  static void Swallow(const std::string& device, bool swallow,
                      Duration give_up_after = Duration::max());
  static size_t swallowed();
  // Whether queue pairs can be neither destroyed nor reset.
  static void RefuseToClose(bool refuse);
  // Likewise with registered memory.
  static void RefuseToUnregister(bool refuse);
  // What ibv_is_fork_initialized says; and whether ibv_fork_init will fail, with which error.
  static void SetForkStatus(ibv_fork_status status, int init_error = 0);
  static ibv_fork_status fork_status();
  // As if it were pulled out: nothing moves over it any more, every command answers EIO, and the
  // device tells that it has failed. Its folder is the test's.
  static void TakeOut(const std::string& device);
  // WRITEs are completed at once, but their bytes land only with a READ behind them, or when the
  // test says so.
  static void DelayWrites(bool delay);
  static void LandDelayedWrites();
  // From now on completions show only when they have been looked for so often; SIZE_MAX: never. 0:
  // at once again, and those that were hidden come now.
  static void HideCompletions(size_t looks);
  // How often completions were looked for, somebody asked to be woken by the next one, and was.
  struct Polling {
    size_t looks = 0, asked = 0, woken = 0;
  };
  static Polling polling();
  // `tell`: the device says so to those who have opened it.
  static void SetPort(const std::string& device, ibv_port_state state, bool tell = true);

  static uint64_t bytes_moved(const std::string& device);
  static size_t queue_pairs();
  static size_t registrations();
  // How often somebody tried in vain to close a queue pair.
  static size_t refusals_to_close();
  // Where the memory of that key begins; null: there is none.
  static const void* MemoryOf(uint32_t key);

  static const Verbs& verbs();
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_FAKE_VERBS_H_
