#ifndef KVSTORE_SRC_CLIENT_REPLICATOR_H_
#define KVSTORE_SRC_CLIENT_REPLICATOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// Executes the master's copy orders, each once, in threads of its own that begin with the first of
// them. An order that comes again while it waits or runs is one; later it is answered as it was
// then, and moves no byte: its ranges may long be read. Thread-safe.
class Replicator {
 public:
  struct Limits {
    size_t threads = 4;
    size_t queued = 4096;                   // more are answered resource_exhausted
    uint64_t bytes_in_flight = 256u << 20;  // a larger copy runs alone
    size_t remembered = 65'536;             // outcomes
    // For one copy, and beyond it a second per so many bytes.
    Duration patience = std::chrono::seconds(2);
    uint64_t slowest = 16u << 20;
  };

  // `engine` outlives it. `say` is called with each outcome, from any thread.
  Replicator(transfer::Engine& engine, std::function<void(CopyAck)> say);
  Replicator(transfer::Engine& engine, std::function<void(CopyAck)> say, const Limits& limits);
  // Calls off what runs, and forgets what waits.
  ~Replicator();
  Replicator(const Replicator&) = delete;
  Replicator& operator=(const Replicator&) = delete;

  // The copies among the orders. Orders of another term than before: what came earlier is called
  // off and forgotten. (That these are not of an older one is the caller's to know.)
  void Take(const Orders& orders) EXCLUDES(mu_);

 private:
  using Name = std::tuple<PutId, uint32_t, uint64_t>;  // put, segment, birth
  struct Job {
    CopyOrder order;
    std::string source;  // descriptor; empty: nobody said
    uint64_t epoch = 0;
  };

  static Name NameOf(const CopyOrder& order) { return {order.put, order.segment, order.birth}; }
  void TakeOne(const CopyOrder& order, const std::vector<Peer>& peers) EXCLUDES(mu_);
  void Work() EXCLUDES(mu_);
  // Whether the first that waits may run beside what runs.
  bool MayBegin() const REQUIRES(mu_);
  Status Execute(const Job& job) EXCLUDES(mu_);
  bool IsWanted(const Job& job) const EXCLUDES(mu_);
  void Remember(const Job& job, const Status& outcome) REQUIRES(mu_);
  void Say(const CopyOrder& order, const Status& outcome);

  transfer::Engine& engine_;
  const std::function<void(CopyAck)> say_;
  const Limits limits_;

  mutable Mutex mu_;
  CondVar changed_;
  uint64_t term_ GUARDED_BY(mu_) = 0;
  uint64_t epoch_ GUARDED_BY(mu_) = 0;  // grows when what came earlier is called off
  std::deque<Job> waiting_ GUARDED_BY(mu_);
  size_t running_ GUARDED_BY(mu_) = 0;
  uint64_t bytes_running_ GUARDED_BY(mu_) = 0;
  // Orders that came: how they ended; none: they have not.
  std::map<Name, std::optional<Status>> known_ GUARDED_BY(mu_);
  std::deque<Name> ended_ GUARDED_BY(mu_);  // those of known_ that have, in that order
  bool closing_ GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_ GUARDED_BY(mu_);
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_REPLICATOR_H_
