#ifndef KVSTORE_CLIENT_H_
#define KVSTORE_CLIENT_H_

// The store's API. One promise rules it: a Get returns exactly the bytes that were committed under
// its key, or an error; never other bytes.
//
// Every call takes a span of items; one item is a span of one. Every item has its own status, and
// an item named twice in one call is served twice. Every call has a timeout and returns by then.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/placement.h"
#include "kvstore/result.h"
#include "kvstore/status.h"
#include "kvstore/transfer.h"

namespace kvstore {

inline constexpr size_t kMaxKeyBytes = 1024;  // keys are 1 to 1024 bytes, any values
inline constexpr uint32_t kMaxReplicas = 8;

using transfer::MemoryKind;
using transfer::Piece;

struct ConstPiece {
  const void* data = nullptr;
  uint64_t size = 0;  // bytes
};

struct PutOptions {
  Duration timeout = std::chrono::seconds(30);
  // A committed object under the key is replaced instead of refused; it stays readable until this
  // put commits, and no Get that starts after the answer returns it.
  bool replace = false;
  uint32_t replicas = 1;  // 1 to kMaxReplicas, on distinct nodes
  Placement placement = Placement::kLocalFirst;
  // Names, tried before the placement; unknown ones are ignored.
  std::vector<std::string> preferred_nodes{};
};

struct PutItem {
  std::string_view key;
  std::span<const ConstPiece> pieces;  // in order; none, or sizes of 0, make an empty object
};

struct GetItem {
  std::string_view key;
  std::span<const Piece> pieces;  // filled in order; together at least as large as the object
};

struct GetResult {
  // OK: `size` bytes are in the pieces, validated. Anything else: the pieces' contents are
  // undefined. invalid_argument: the pieces are too small; `size` then says how large the object
  // is.
  Status status;
  uint64_t size = 0;
};

struct ReplicaStat {
  std::string node;  // name of the holder
  Incarnation holder;
  uint32_t ranges = 0;
  uint64_t reserved_bytes = 0;  // whole granules
};

struct ObjectStat {
  uint64_t size = 0;
  uint64_t checksum = 0;  // XXH3-64 of the bytes, seed 0
  Duration age{};         // since its commit
  Duration lease_left{};  // 0: not leased
  std::vector<ReplicaStat> replicas;
};

struct ClientOptions {
  std::string master = "127.0.0.1:50051";  // HOST:PORT
  std::string name{};                      // shown to operators; empty: "<hostname>-<pid>"
  // Memory lent to the pool, in bytes; 0: none. Its pages are touched stretch by stretch, as the
  // pool fills, on huge pages where there are any.
  uint64_t lend_bytes = 0;
  // Where peers reach this process's memory, see transfer::EngineOptions. Other than loopback needs
  // allow_remote: the data path has no credentials yet.
  std::string listen = "127.0.0.1:0";
  std::string advertise{};
  bool allow_remote = false;
  std::vector<transfer::Way> ways{};  // empty: all
  Duration connect_timeout = std::chrono::seconds(10);
  // Whether Get recomputes the checksum of what it read. Without it the holder's verdict after the
  // last byte is the guard.
  bool verify_checksums = true;
};

// What Client::Create checks first: invalid_argument names the option, what it is and what it may
// be.
Status CheckOptions(const ClientOptions& options);

struct ClientCounters {
  uint64_t puts_ok = 0, puts_failed = 0;
  uint64_t gets_ok = 0, gets_missed = 0, gets_failed = 0;
  uint64_t reads_refused = 0;  // a location no longer stood; another was tried
  uint64_t checksum_mismatches = 0;
};

// A member of one pool: puts, gets, and lends memory if told to. Thread-safe. The destructor leaves
// the pool, taking its lent objects along, within 5 s. After fork the child's calls answer
// failed_precondition, and its destructor does nothing.
class Client {
 public:
  // Connects and joins. unavailable: no master there within connect_timeout; failed_precondition:
  // it speaks another protocol version.
  static Result<std::unique_ptr<Client>> Create(const ClientOptions& options);
  virtual ~Client() = default;

  // After OK every Get, Exists or Stat that starts later, on any machine, sees the object until it
  // is removed, evicted or its holders die. already_exists: the key is taken (message says
  // "pending" when by an unfinished put). resource_exhausted: no room and nothing may be evicted.
  // deadline_exceeded: it may or may not have been committed. aborted, unavailable: not committed.
  virtual std::vector<Status> Put(std::span<const PutItem> items,
                                  const PutOptions& options = {}) = 0;

  // not_found; data_loss: the holder vouches for bytes that don't match their checksum;
  // unavailable: no holder could be reached.
  virtual std::vector<GetResult> Get(std::span<const GetItem> items,
                                     Duration timeout = std::chrono::seconds(30)) = 0;

  // Yes does not hold the object: it may be evicted before a Get that follows.
  virtual std::vector<Result<bool>> Exists(std::span<const std::string_view> keys,
                                           Duration timeout = std::chrono::seconds(30)) = 0;

  // OK as soon as the object is there, answered by the commit, not by polling; deadline_exceeded:
  // not within the timeout.
  virtual std::vector<Status> WaitExists(std::span<const std::string_view> keys,
                                         Duration timeout) = 0;

  // After OK no Get that starts later returns the object. not_found: there was none.
  // deadline_exceeded: it is no longer found, but a holder has not confirmed that old locations are
  // refused.
  virtual std::vector<Status> Remove(std::span<const std::string_view> keys,
                                     Duration timeout = std::chrono::seconds(30)) = 0;

  virtual std::vector<Result<ObjectStat>> Stat(std::span<const std::string_view> keys,
                                               Duration timeout = std::chrono::seconds(30)) = 0;

  // Tells the transfer layer of memory that items will name, so that it need not be found out on
  // the way. Optional for host memory. The memory stays the caller's. CUDA: unimplemented.
  virtual Status RegisterMemory(void* base, uint64_t size, MemoryKind kind = MemoryKind::kHost,
                                int device = 0) = 0;
  // Returns when no copy touches it any more.
  virtual Status UnregisterMemory(void* base) = 0;

  virtual Incarnation incarnation() const = 0;
  // As given, or as made up from host name and process.
  virtual const std::string& name() const = 0;
  virtual ClientCounters counters() const = 0;
  virtual transfer::WayCounters counters(transfer::Way way) const = 0;

  // Forms for one object.
  Status Put(std::string_view key, std::string_view value, const PutOptions& options = {});
  Result<std::string> Get(std::string_view key, Duration timeout = std::chrono::seconds(30));
  Result<bool> Exists(std::string_view key, Duration timeout = std::chrono::seconds(30));
  Status WaitExists(std::string_view key, Duration timeout);
  Status Remove(std::string_view key, Duration timeout = std::chrono::seconds(30));
  Result<ObjectStat> Stat(std::string_view key, Duration timeout = std::chrono::seconds(30));
};

// "0.1.0"
std::string_view Version();

}  // namespace kvstore

#endif  // KVSTORE_CLIENT_H_
