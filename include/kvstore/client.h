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
#include "kvstore/retention.h"
#include "kvstore/status.h"
#include "kvstore/transfer.h"
#include "kvstore/upkeep.h"

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
  // Answered OK only when every holder keeps a note of it, so that no loss of the master loses it.
  // Without it a master that is lost takes along what it answered shortly before: usually in the
  // last 100 ms.
  bool durable = false;
  // Never evicted, until it is unpinned (Client::Pin), removed or expires. A segment may be pinned
  // in part only (the master's --pinned_share_allowed): resource_exhausted beyond that.
  bool hard_pin = false;
  // Counted from the commit. So long it is evicted only where nothing else may be; 0: not.
  Duration soft_pin{};
  // Counted from the commit. Then it expires: it is found no longer, pinned or not. 0: never.
  Duration ttl{};
  // Objects of one group (at most kMaxGroupBytes, any values; empty: none) are of no use without
  // each other: when one is evicted so are all, and while one of them is leased, pinned or
  // unfinished none is. Evicting takes time with their number: some thousands at most.
  std::string group{};
  // What is stored is what the memory held when the call began, which is read once more for that,
  // at once: where other bytes were copied nothing is committed, and the answer is
  // aborted. For those whose memory may be taken back, and filled anew, before the call
  // has returned. Create copies nothing and ignores it.
  bool check_source = false;
};

// How an object that is there is kept from eviction from now on. Neither: it is unpinned. Its TTL
// and its group stay as they are.
struct PinOptions {
  bool hard = false;  // see PutOptions::hard_pin
  Duration soft{};    // counted from now; see PutOptions::soft_pin
};

// How AwaitPuts waits.
struct AwaitOptions {
  Duration at_most = std::chrono::seconds(1);  // for what does not come; 0: as Exists
  // The key before the first one, where the keys of a prompt, in order, are asked for in several
  // calls; empty: there is none.
  std::string_view after;
  Duration timeout = std::chrono::seconds(30);
};

struct PutItem {
  std::string_view key;
  std::span<const ConstPiece> pieces;  // in order; none, or sizes of 0, make an empty object
  // Its index in a chain of prefixes: of objects that were put, or are used, in one call those of
  // higher positions are evicted first, so that what is left of a chain is of use.
  uint32_t position = 0;
};

inline constexpr uint64_t kToTheEnd = UINT64_MAX;

// The whole object, or a part of it.
struct GetItem {
  std::string_view key;
  std::span<const Piece> pieces;  // filled in order; together at least as large as what is read
  uint64_t offset = 0;            // of the first byte to read, in the object
  uint64_t length = kToTheEnd;    // bytes to read
};

struct GetResult {
  // OK: `size` bytes are in the pieces, validated. Anything else: the pieces' contents are
  // undefined. invalid_argument: the pieces are too small, or the part ends beyond the object;
  // `size` then says how large the object is.
  Status status;
  uint64_t size = 0;
};

// One part of one object of a ReadSession.
struct PartItem {
  size_t object = 0;  // index in the keys of OpenReadSession
  std::span<const Piece> pieces;
  uint64_t offset = 0;
  uint64_t length = kToTheEnd;
};

// Objects that were located once and are then read part by part, layer by layer, all parts of one
// object from the same put: when it is removed, replaced or evicted meanwhile, its further parts
// are refused with `aborted`. Holds no memory and bars nothing from eviction longer than the lease
// of its location, which is asked for anew when it has run out. Thread-safe. Destroyed before its
// client.
class ReadSession {
 public:
  virtual ~ReadSession() = default;
  // Per key of OpenReadSession: the object's size in bytes, or why it can't be read (not_found,
  // ...).
  virtual const std::vector<Result<uint64_t>>& sizes() const = 0;
  virtual std::vector<GetResult> Read(std::span<const PartItem> items,
                                      Duration timeout = std::chrono::seconds(30)) = 0;
};

// An object where it lies, in this process's memory or that of another one on this host. Its memory
// is pinned at the holder: it keeps these bytes until this is destroyed or this process has ended,
// even when the object is removed, replaced or evicted meanwhile. Thread-safe. Destroyed before its
// client.
class ObjectView {
 public:
  virtual ~ObjectView() = default;
  // In order; usually one. Only to be read: writing ends the process, or is a bug.
  virtual std::span<const ConstPiece> pieces() const = 0;
  virtual uint64_t size() const = 0;      // bytes
  virtual uint64_t checksum() const = 0;  // XXH3-64, as committed
  // Reads it all and compares with the checksum: data_loss when it doesn't match. Without this call
  // it is the holder's word that vouches for the bytes, as it was read when the view was made.
  virtual Status Verify() const = 0;
};

// A new object's memory, to be filled in place, on this host. Nobody can find the object before
// Seal. Destroyed unsealed, it is given up. Confined to one thread at a time. Destroyed before its
// client.
class NewObject {
 public:
  virtual ~NewObject() = default;
  // In order; usually one; none after Seal. Their contents at first are undefined. Not to be
  // written after Seal.
  virtual std::span<const Piece> pieces() const = 0;
  virtual uint64_t size() const = 0;  // bytes
  // How long it may still take to seal it: then its memory is given to others, once this process
  // has let go of it.
  virtual TimePoint deadline() const = 0;
  // Computes the checksum and commits; as Client::Put has it. Once only, whatever it answers:
  // failed_precondition afterwards. aborted: not committed, too late or its holder is lost.
  // deadline_exceeded: it may have been committed, also where the master knows it no longer. Only a
  // timeout out of bounds (invalid_argument) changes nothing.
  virtual Status Seal(Duration timeout = std::chrono::seconds(30)) = 0;
};

struct CreateItem {
  std::string_view key;
  uint64_t size = 0;      // bytes
  uint32_t position = 0;  // as PutItem has it
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
  bool durable = false;   // every holder has noted it as it is now
  Retention retention{};  // what is left of it
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
  std::vector<transfer::Way> ways{};  // empty: all, but RDMA only if rdma_devices are named
  // RDMA devices to be used, and which of their addresses: see transfer::EngineOptions. Where they
  // say nothing, the environment may: KVSTORE_RDMA_DEVICES ("mlx5_0,mlx5_1") and
  // KVSTORE_RDMA_GID_INDEX.
  std::vector<std::string> rdma_devices{};
  int rdma_gid_index = -1;
  Duration connect_timeout = std::chrono::seconds(10);
  // Calls wait so long for a master that can't be reached, counted from when it was lost, and no
  // longer than their timeouts: then they are unavailable, or deadline_exceeded where they may have
  // taken effect. A process that ends is missed at once, a machine that vanishes or a process that
  // hangs within 15 s. Default: as long as the timeouts, so that a master that is started again
  // within them is waited for. 0: not at all. Lists of objects and tasks wait so long when they
  // begin, each anew, and then for its answer.
  Duration master_patience = Duration::max();
  // Whether Get recomputes the checksum of whole objects that it read. Without it, and for parts,
  // the holder's verdict after the last byte is the guard.
  bool verify_checksums = true;
  // So many locations are remembered, each for as long as its lease, so that the next Get of the
  // key asks the master nothing. 0: every Get asks.
  uint32_t remember_locations = 65'536;
};

// What Client::Connect checks first: invalid_argument names the option, what it is and what it may
// be.
Status CheckOptions(const ClientOptions& options);

struct ClientCounters {
  uint64_t puts_ok = 0, puts_failed = 0;
  uint64_t gets_ok = 0, gets_missed = 0, gets_failed = 0;  // parts of read sessions included
  uint64_t reads_refused = 0;  // a location no longer stood; another was tried
  uint64_t checksum_mismatches = 0;
  uint64_t gets_remembered = 0;  // of gets_ok: the master was asked nothing
  uint64_t views_ok = 0, views_missed = 0, views_failed = 0;
  uint64_t bytes_got = 0, bytes_put = 0;  // by Get and read sessions; by Put and Seal
  Duration get_time{}, put_time{};        // whole calls, summed
  uint64_t master_requests = 0;  // messages that verbs sent to the master, retries included;
                                 // reports of reads at remembered locations, which wait for no
                                 // answer, are not
};

// What a client lends and how others reach it, for people to read.
struct Lending {
  uint64_t bytes = 0;         // whole granules; more than is wanted while the pool empties the rest
  uint64_t wanted_bytes = 0;  // as lend_bytes or Lend have it
  bool drained = false;       // an operator had it emptied, and it has left; it lends nothing
  bool huge_pages = false;    // of the kernel's reserve
  transfer::Reach reach;
};

// A member of one pool: puts, gets, and lends memory if told to. Thread-safe. The destructor leaves
// the pool, taking its lent objects along, within 5 s; views, new objects and read sessions must be
// gone by then, or it ends the process with a message. After fork the child's calls answer
// failed_precondition, and its destructor does nothing; nor can the child make a client of its own:
// fork before the first client is made, or start the child by exec.
class Client {
 public:
  // Connects and joins. unavailable: no master there within connect_timeout; failed_precondition:
  // it speaks another protocol version.
  static Result<std::unique_ptr<Client>> Connect(const ClientOptions& options);
  virtual ~Client() = default;

  // After OK every Get, Exists or Stat that starts later, on any machine, sees the object until it
  // is removed, expires, is evicted or its holders die (Exists: or give no sign of life).
  // already_exists: the key is taken (message says "pending" when by an unfinished put).
  // resource_exhausted: no room and nothing may be evicted, or too much is pinned.
  // deadline_exceeded: it may or may not have been committed. aborted, unavailable: not committed.
  // Items of one call are put in no order: of two that replace the same key either may stay.
  // A put one of whose holders can't be reached, or gives no sign of life for 2 s or a third of the
  // time, is begun again elsewhere; unavailable: there was nowhere else, or no time.
  // A put whose master is lost is begun again with the next one. Where the answer to its commit was
  // lost with the master, and it is not durable, what was put may so be seen by others, be removed
  // by them, and be there again, all before this call returns.
  virtual std::vector<Status> Put(std::span<const PutItem> items,
                                  const PutOptions& options = {}) = 0;

  // not_found; data_loss: the holder vouches for bytes that don't match their checksum;
  // unavailable: no holder could be reached. A holder that gives no sign of life for half a second
  // is given up where another replica is; one from which bytes flow is not, unless they would not
  // be there in time. A key that was read or found a short while ago is read
  // where it was then, without asking the master; the holder's word says whether it is still so.
  virtual std::vector<GetResult> Get(std::span<const GetItem> items,
                                     Duration timeout = std::chrono::seconds(30)) = 0;

  // A yes brings the object's location with it where remember_locations has room, so that the Get
  // that follows asks nothing; with the location usually comes a lease, for which it is not
  // evicted. No, too, where all that hold it give no sign of life: a Get may find it all the same,
  // but who asks in order to read rather than compute had better compute.
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

  // Locates once; see ReadSession. Fails only as a whole (timeout out of bounds, forked child).
  virtual Result<std::unique_ptr<ReadSession>> OpenReadSession(
      std::span<const std::string_view> keys, Duration timeout = std::chrono::seconds(30)) = 0;

  // Objects in place. not_found; failed_precondition: no replica lies on this host, or shared
  // memory does not lead there (Get can); unavailable: the holder has ended or doesn't answer, or
  // the object was moved meanwhile (try again, or Get); resource_exhausted: too many views (4096
  // per holder).
  virtual std::vector<Result<std::unique_ptr<ObjectView>>> View(
      std::span<const std::string_view> keys, Duration timeout = std::chrono::seconds(30)) = 0;

  // Room for new objects on this host, in this process's own memory or that of another node here,
  // to be filled in place and sealed. Errors as for Put, of which this is the first half; one
  // replica, and the placement is this host (preferred_nodes counts among its nodes). The timeout
  // also bounds how long they may take to be filled and sealed: NewObject::deadline() says it.
  // resource_exhausted: no node of this host has room, or lends any.
  virtual std::vector<Result<std::unique_ptr<NewObject>>> Create(
      std::span<const CreateItem> items, const PutOptions& options = {}) = 0;

  // Tells the transfer layer of memory that items will name, so that it need not be found out on
  // the way. Optional for host memory. The memory stays the caller's. CUDA: unimplemented.
  virtual Status RegisterMemory(void* base, uint64_t size, MemoryKind kind = MemoryKind::kHost,
                                int device = 0) = 0;
  // Returns when no copy touches it any more. unavailable: a device may still, which refuses to let
  // go: the memory must be kept as it is; asked again, it may be let go.
  virtual Status UnregisterMemory(void* base) = 0;

  virtual Incarnation incarnation() const = 0;
  // As given, or as made up from host name and process.
  virtual const std::string& name() const = 0;
  virtual ClientCounters counters() const = 0;
  virtual transfer::WayCounters counters(transfer::Way way) const = 0;
  virtual Lending lending() const = 0;

  // Pins anew, or unpins; after OK the object is kept so, over a loss of the master too: its
  // holders have noted it. not_found; resource_exhausted: too much of a segment is pinned.
  // deadline_exceeded: it may or may not have been pinned, or a holder has not noted it, without
  // which the next master may not know; the same again does no harm.
  virtual std::vector<Status> Pin(std::span<const std::string_view> keys, const PinOptions& options,
                                  Duration timeout = std::chrono::seconds(30)) = 0;

  // Removes all objects whose key begins so (empty: all), and says how many. After OK no Get that
  // starts later returns any of them; what is committed meanwhile may stay. deadline_exceeded: they
  // are no longer found, but a holder has not confirmed that old locations are refused; or the
  // master has not answered, and they may be there still. The master looks at every key that it
  // has, and serves nobody meanwhile: well below a second per million keys.
  virtual Result<uint64_t> RemoveMatching(std::string_view prefix,
                                          Duration timeout = std::chrono::seconds(30)) = 0;

  // Lends so much to the pool from now on (rounded up to whole granules), in place of what it lent.
  // More comes as pages are touched; less, when the master has moved or given up what lies beyond
  // it: then those pages go back to the machine (but for huge pages of the kernel's reserve).
  // Returns at once; lending() tells how far it is. invalid_argument: without an address to listen
  // on peers could not reach it; resource_exhausted: so much can't be mapped, or would take more
  // than 64 segments (each growth beyond what was ever lent takes one).
  virtual Status Lend(uint64_t bytes) = 0;
  // Whether lending().drained, now or within the timeout.
  virtual bool WaitDrained(Duration timeout) = 0;
  // What went over each, in the order of Lending::reach.
  virtual std::vector<transfer::RdmaDeviceState> rdma_devices() const { return {}; }

  // Objects whose keys begin so (empty: all) and are greater than `after` (empty: from the first),
  // in key order; at most `limit`, 1 to 4096. invalid_argument: beyond that, or longer than a key.
  // unavailable: a new master has not yet heard from all nodes what they hold.
  virtual Result<ObjectPage> List(std::string_view prefix, std::string_view after, uint32_t limit,
                                  Duration timeout = std::chrono::seconds(30)) = 0;
  // Returns the task's id as soon as the master has taken it up; Tasks tells what becomes of it.
  // not_found: no such object, or node; already_exists: `to` has a replica, or another task is at
  // the object; failed_precondition: `to` takes nothing.
  virtual Result<uint64_t> StartTask(const CopyTask& task,
                                     Duration timeout = std::chrono::seconds(30)) = 0;
  // Those that run or wait, and the last 1000 that ended since the master's start, oldest first.
  virtual Result<std::vector<TaskStat>> Tasks(Duration timeout = std::chrono::seconds(30)) = 0;

  // Exists for who reads what others have only just computed, as a decode worker does: a prefill
  // worker's request is answered before what it computed has been put. A key that is not there is
  // waited for, no longer than options.at_most, where a put of it is announced: another client has
  // started one; another one asked for the key in vain in the last 30 s (Exists or Get, as who is
  // to compute it does); or the key before it in `keys` is waited for, or was committed by another
  // client in the last 10 s. Once a key was waited for in vain, or its put failed, it has to be
  // announced anew. All else is answered at once, as by Exists; unlike that it announces nothing.
  virtual std::vector<Result<bool>> AwaitPuts(std::span<const std::string_view> keys,
                                              const AwaitOptions& options = {}) = 0;

  // Forms for one object.
  Status Put(std::string_view key, std::string_view value, const PutOptions& options = {});
  Result<std::string> Get(std::string_view key, Duration timeout = std::chrono::seconds(30));
  Result<bool> Exists(std::string_view key, Duration timeout = std::chrono::seconds(30));
  Status WaitExists(std::string_view key, Duration timeout);
  Status Remove(std::string_view key, Duration timeout = std::chrono::seconds(30));
  Result<ObjectStat> Stat(std::string_view key, Duration timeout = std::chrono::seconds(30));
  Status Pin(std::string_view key, const PinOptions& options,
             Duration timeout = std::chrono::seconds(30));
  Result<std::unique_ptr<ObjectView>> View(std::string_view key,
                                           Duration timeout = std::chrono::seconds(30));
  Result<std::unique_ptr<NewObject>> Create(std::string_view key, uint64_t size,
                                            const PutOptions& options = {});

 protected:
  // How large the key's object was when it was last located, for the form of Get above; 0: not
  // known.
  virtual uint64_t SizeHint(std::string_view /*key*/) const { return 0; }
};

// "0.1.0"
std::string_view Version();

}  // namespace kvstore

#endif  // KVSTORE_CLIENT_H_
