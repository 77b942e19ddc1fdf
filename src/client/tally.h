#ifndef KVSTORE_SRC_CLIENT_TALLY_H_
#define KVSTORE_SRC_CLIENT_TALLY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "client/get.h"
#include "kvstore/client.h"

namespace kvstore::client {

// What all calls of one client came to. Thread-safe.
class Tally {
 public:
  void CountPut(const Status& status, uint64_t bytes);
  void AddPutTime(Duration took) { put_time_ += took.count(); }
  // One call: its results, what it met on the way, how long it took.
  void CountGets(std::span<const GetResult> results, const GetCounters& met, Duration took);
  void CountViews(std::span<const Result<std::unique_ptr<ObjectView>>> views,
                  const GetCounters& met);

  // All but master_requests.
  ClientCounters Read() const;

 private:
  std::atomic<uint64_t> puts_ok_{0}, puts_failed_{0}, bytes_put_{0};
  std::atomic<uint64_t> gets_ok_{0}, gets_missed_{0}, gets_failed_{0}, bytes_got_{0};
  std::atomic<uint64_t> gets_remembered_{0};
  std::atomic<uint64_t> views_ok_{0}, views_missed_{0}, views_failed_{0};
  std::atomic<uint64_t> reads_refused_{0}, checksum_mismatches_{0};
  std::atomic<Duration::rep> get_time_{0}, put_time_{0};
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_TALLY_H_
