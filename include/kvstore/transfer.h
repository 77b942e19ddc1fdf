#ifndef KVSTORE_TRANSFER_H_
#define KVSTORE_TRANSFER_H_

// The transfer layer: moves bytes between registered memories of peers. It knows memory, peers and
// copies, and no object, key or master; it can be used alone.
//
//   Engine   one per process: its regions, its peers, its listening port
//   Region   memory of this process that copies may start or end in; a remote region also serves
//            peers
//   Copy     one contiguous stretch of a peer's region <-> a scatter list of local pieces
//   Batch    copies submitted together; each ends with a Completion, which is final
//   Mapping  a stretch of a region reached in place, here or in a process of this host
//
// Every wait has a deadline; deadlines are points on CLOCK_BOOTTIME (kvstore/clock.h).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "kvstore/result.h"
#include "kvstore/shared_memory.h"
#include "kvstore/status.h"

namespace kvstore::transfer {

// How the bytes of a copy travel: kLocal within one process; kShm between processes of one host,
// by shared memory; kTcp; kRdma, one-sided between hosts. `kAutomatic` in a completion: the copy
// ended before a way was chosen.
enum class Way : uint8_t { kAutomatic, kLocal, kShm, kTcp, kRdma };
inline constexpr size_t kWayCount = 5;

// "automatic", "local", "shm", "tcp", "rdma".
std::string_view WayName(Way way);

// What a region is made of. CUDA memory is part of the interface and refused with `unimplemented`
// until that way exists.
enum class MemoryKind : uint8_t { kHost, kCuda };

enum class Access : uint8_t { kRead, kWrite };

// A stretch of local memory; a null `data` is allowed only with size 0.
struct Piece {
  void* data = nullptr;
  uint64_t size = 0;  // bytes
};

// Says, for each access to a remote region, whether it may touch that memory now. Implemented by
// the region's owner, called by the engine around every copy and frame. Must be thread-safe and
// must not block; outlives the region's registration.
//
// An access names the birth under which its memory was granted. It is in order while the word of
// the granule at `first` is not greater than `birth` (words only grow, so a refusal is for ever).
class RegionGuard {
 public:
  virtual ~RegionGuard() = default;

  // Begins an access to [offset, offset + length). True: it may touch these bytes until Leave, and
  // the owner counts it. False: it must not touch them; no Leave follows.
  virtual bool Enter(Access access, uint64_t first, uint64_t offset, uint64_t length,
                     uint64_t birth) = 0;

  // Whether the memory still belongs to that birth. A read asks again after its last byte has been
  // taken, and a long access now and then, so that it ends early.
  virtual bool Stands(uint64_t first, uint64_t birth) = 0;

  // Ends an access that Enter allowed, with the same arguments.
  virtual void Leave(Access access, uint64_t first, uint64_t offset, uint64_t length,
                     uint64_t birth) = 0;

  // Shared regions only: what Engine::TouchedByOthers named may have ended since. Called by a
  // thread of the engine that holds no lock of its own.
  virtual void OthersLeft() {}
};

struct RegionOptions {
  MemoryKind kind = MemoryKind::kHost;
  int device = 0;                // CUDA device number; host: ignored
  bool remote = false;           // whether peers may reach it by its id
  RegionGuard* guard = nullptr;  // null: a remote region is open to every copy within its bounds
  // A remote region only: the shared memory that [base, base + size) is, all of it. Peers of this
  // host then reach it in place (kShm). They ask the words, not the guard: a copy that names a
  // guard is in order while the word of the granule at `first` is not greater than `birth`. So
  // whatever the guard refuses for good, the words must say, stored sequentially consistently.
  const SharedMemory* shared = nullptr;
};

// Names a region of one incarnation; never an address, never used twice by one engine.
using RegionId = uint32_t;

// Names a peer at the engine that opened it.
using PeerId = uint64_t;

// What the holder of guarded memory checks: see RegionGuard.
struct Guard {
  uint64_t first = 0;  // byte offset in the region of the first granule of the granted range
  uint64_t birth = 0;
};

// A part of a region.
struct Stretch {
  uint64_t offset = 0;  // bytes from the region's start
  uint64_t length = 0;  // bytes
  friend bool operator==(const Stretch&, const Stretch&) = default;
};

// Sees the bytes of a copy as they pass, while they are in the cache: told of them in order from
// the first on, each once, perhaps not to the end, and of none once the completion can be seen.
// Called by threads of the engine and by that of Run, one at a time, which it should hold up no
// longer than reading the bytes takes.
class Tap {
 public:
  virtual ~Tap() = default;
  // Of a read, of bytes that are in the pieces; of a write, of bytes that the pieces hold. They
  // mean nothing if the copy does not end as done.
  virtual void Take(std::span<const std::byte> bytes) = 0;
};

struct Copy {
  Access access = Access::kRead;  // kRead: region -> pieces; kWrite: pieces -> region
  PeerId peer = 0;
  RegionId region = 0;  // a remote region of that peer
  uint64_t offset = 0;  // bytes from its start
  std::span<const Piece>
      pieces;  // in order; their sizes add up to the copy's; may overlap or repeat
  std::optional<Guard> guard;
  Tap* tap = nullptr;  // null: nobody listens; lives until the copy is final
  // A read whose bytes the caller proves by a checksum of its own: that the guard stood at some
  // moment of the copy is enough then, which saves a round trip where a device reads by itself.
  bool proven = false;
};

// A completion is final: the copy never touches memory again at either end, save for `kInDoubt`.
enum class Outcome : uint8_t {
  kDone,  // read: all bytes are in the pieces and the guard still stood after the last
          // (Copy::proven: or earlier); write: in place
  kFailed,   // some bytes may have been moved, none will be; contents of the destination are
             // undefined
  kInDoubt,  // write: final at this end; at the holder some bytes may still land. Read: a device of
             // this machine has failed, and refuses to close the path: bytes may still come, into
             // memory that was registered, and that Unregister does not give free before
};

struct Completion {
  Outcome outcome = Outcome::kFailed;
  // OK iff kDone. aborted: the guard refused (the memory has a new owner, or will have);
  // unavailable: the peer or the path failed; resource_exhausted: no descriptor here; not_found: no
  // such region; invalid_argument; deadline_exceeded; cancelled; failed_precondition: no way there.
  Status status;
  Way way = Way::kAutomatic;
};

// How long copies may take.
struct CopyLimits {
  // NOLINTNEXTLINE(google-explicit-constructor): usually a deadline is all there is to say.
  CopyLimits(TimePoint copies_end, Duration silence = Duration::max())
      : deadline(copies_end), stall(silence) {}

  TimePoint deadline;
  // A peer over a network that lets so much time pass without a sign of life, while copies wait for
  // it, is given up: unavailable. Any copy of the engine may bring one, so that a copy which waits
  // for its turn at a peer that is busy is not given up.
  Duration stall;
};

// Copies submitted together. Thread-safe. Destruction cancels what is unfinished and waits until
// all copies are final, which takes no longer than closing their paths.
class Batch {
 public:
  virtual ~Batch() = default;

  // Waits until every copy is final or `until` has passed; true when all are final.
  virtual bool Wait(TimePoint until) = 0;
  // Asks unfinished copies to end soon as cancelled (or done, or in doubt). Returns at once.
  virtual void Cancel() = 0;
  // One per copy, in the order of Submit. Only after Wait returned true; lives as long as the
  // batch.
  virtual const std::vector<Completion>& completions() const = 0;
  // About how many bytes of its reads have come so far: of a slice that is asked for again both
  // times. Says nothing of writes.
  virtual uint64_t moved() const = 0;
};

// What Engine::Map reaches.
struct MapRequest {
  Access access = Access::kRead;
  PeerId peer = 0;
  RegionId region = 0;
  uint64_t offset = 0;  // bytes from the region's start
  uint64_t length = 0;  // bytes
  std::optional<Guard> guard;
};

// A stretch of a region's memory reached in place, as one long access: its owner does not give the
// memory to anybody else before this object is destroyed or this process has ended, even when it is
// withdrawn meanwhile. Thread-safe. Destroyed before its engine.
class Mapping {
 public:
  virtual ~Mapping() = default;
  // kRead: only to be read; writing to it ends the process.
  virtual std::byte* data() const = 0;
  virtual uint64_t size() const = 0;
  // Whether the memory still belongs to the birth that was named (always, where none was).
  virtual bool Stands() const = 0;
  virtual Way way() const = 0;  // kLocal or kShm
};

// The first completion that is not kDone, as a status; OK when all are done.
Status FirstError(std::span<const Completion> completions);

struct EngineOptions {
  Incarnation incarnation{};  // none: the engine draws one
  // Machine identity; peers with equal hosts share memory and a kernel. Empty: taken from the
  // kernel's boot id.
  std::string host{};
  // Where peers connect to. "ADDRESS:PORT", IPv6 in brackets; port 0: the kernel picks one. Empty:
  // no listening port, so that only this process's own copies reach its regions.
  std::string tcp_listen = "127.0.0.1:0";
  // What peers are told instead, when the two differ (NAT, 0.0.0.0). ADDRESS or ADDRESS:PORT.
  std::string tcp_advertise{};
  // Ways that copies may take, at either end; empty: all, but RDMA only if rdma_devices are named,
  // since it was never run on hardware. Own memory is mapped always.
  std::vector<Way> ways{};
  // Memory of a peer that is mapped to be written and was not written for so long is unmapped; the
  // next write maps it again. What is mapped to be read stays until the peer has ended or is idle.
  Duration shm_window_idle = std::chrono::seconds(5);
  // RDMA devices to be used, by name (as ibv_devices lists them); empty: all whose port is active.
  // Peers are asked for theirs over TCP, so there is no RDMA without a listening port.
  std::vector<std::string> rdma_devices{};
  // Which of a device's addresses, by its index in the device's table; negative: the first RoCE v2
  // address of an IPv4 network, if there is one.
  int rdma_gid_index = -1;
  // Processes of this host that may share this engine's memory at once; others come by TCP.
  uint32_t shm_max_peers = 1024;
  uint32_t tcp_connections_per_peer = 4;  // 1 to 64
  // Connections served at once. One more displaces the one that has been idle longest; when none is
  // idle, the new one is closed. At most half of what the process may have open (RLIMIT_NOFILE).
  uint32_t tcp_max_incoming = 1024;
  // A connection that has moved no byte for so long in the middle of a frame is closed.
  Duration tcp_stall_timeout = std::chrono::seconds(5);
  // A connection that has not said hello after so long is closed.
  Duration tcp_hello_timeout = std::chrono::seconds(3);
  // A connection to a peer that carried nothing for so long is closed (a little later: up to half
  // of it), and the threads that serve a peer end when it has no connection left. A served
  // connection is closed after twice the time, so that a client that vanished keeps no place.
  // Nobody notices: the next copy connects again.
  Duration tcp_idle_timeout = std::chrono::seconds(60);
  // A peer that was neither opened nor named by a copy for so long may be forgotten: its id is
  // unknown from then on, and Open gives it another. Copies that are under way go on.
  Duration peer_idle_timeout = std::chrono::minutes(10);
};

struct WayCounters {
  uint64_t copies_done = 0;
  uint64_t copies_failed = 0;  // in doubt included
  uint64_t copies_in_doubt = 0;
  uint64_t bytes_read = 0;  // by copies of this engine, not those that it served
  uint64_t bytes_written = 0;
  Duration time{};        // from the submission of each batch to the end of its last copy, summed
  uint64_t mappings = 0;  // made by Map
};

struct ServedCounters {
  uint64_t shm_peers = 0;    // processes that share this engine's memory now
  uint64_t shm_refused = 0;  // hellos refused: another user, garbage, over the limit
  uint64_t reads = 0;        // frames served to peers over TCP
  uint64_t writes = 0;
  uint64_t bytes = 0;
  uint64_t refused_before = 0;  // the guard refused at the start: no byte moved
  uint64_t refused_after = 0;   // the guard no longer stood after the last byte
  uint64_t bad_connections =
      0;  // closed for garbage, a wrong incarnation, a stall, or over the limit
};

// Where peers find an engine, for people to read.
struct Reach {
  std::string tcp;  // "ADDRESS:PORT", as peers are told; empty: not over TCP
  // OK: processes of this host, of the same user, reach its shared regions in place. Otherwise why
  // they don't.
  Status shm;
  // OK: peers with RDMA devices reach its regions, and it theirs, over `rdma_devices`.
  Status rdma;
  std::vector<std::string> rdma_devices;
  // Devices that are there, or were named, and are not used: each with the reason.
  std::vector<std::string> rdma_unused;
};

// An RDMA device, and what went over it.
struct RdmaDeviceState {
  std::string name;
  uint64_t bytes_read = 0;  // by copies of this engine, not those that it served
  uint64_t bytes_written = 0;
  uint64_t paths = 0;     // to peers, now
  uint64_t failures = 0;  // of paths, and of attempts to make one
  // What keeps it from working as it should, now.
  Status trouble;
};

// Thread-safe. After fork the child must not use it (its destructor there does nothing).
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> Create(const EngineOptions& options);

  // Cancels all batches, closes all connections, waits for both (bounded by the stall timeout).
  virtual ~Engine() = default;

  // [base, base + size) stays the caller's and must stay mapped until Unregister. Overlap with
  // another region, a null base, size 0 → invalid_argument; CUDA → unimplemented.
  virtual Result<RegionId> Register(void* base, uint64_t size, const RegionOptions& options) = 0;
  // Refuses new copies of the region and returns when none touches it any more. Of a shared region
  // other processes' copies are waited for no longer than the stall timeout, at most 1 s, and
  // mappings not at all, since they can't be cut off; they keep the pages, which nobody else gets.
  // unavailable, after twice the stall timeout: something may touch it still, a device that refuses
  // to let go. The memory must be kept as it is, and its guard is asked nothing more; asked again,
  // it may be let go.
  virtual Status Unregister(RegionId region) = 0;

  // The parts of a shared region that other processes may be touching: their copies under way and
  // their mappings. Asked after words have been stored, what it does not name is touched by nobody,
  // and will not be, under births that those words refuse. Processes that have ended touch nothing.
  // May name a part twice, or one that was touched a moment ago. Empty for other regions.
  virtual std::vector<Stretch> TouchedByOthers(RegionId region) = 0;

  // Opaque bytes by which a peer opens this engine; they change with Rename.
  virtual std::string Descriptor() const = 0;
  virtual Incarnation incarnation() const = 0;

  // Takes another incarnation: hellos for the old one are refused from now on, and when this
  // returns no connection that was accepted for the old one is served any more. Regions and guards
  // stay.
  virtual void Rename(Incarnation incarnation) = 0;

  // Makes a peer reachable. Connects when a copy first needs it, so an unreachable peer shows in
  // the copies. The same incarnation twice gives the same id, unless the peer was closed or, being
  // idle, forgotten meanwhile (EngineOptions::peer_idle_timeout). invalid_argument: not a
  // descriptor.
  virtual Result<PeerId> Open(std::string_view descriptor) = 0;
  // Forgets it; its unfinished copies end as failed or in doubt. Unknown ids are ignored.
  virtual void Close(PeerId peer) = 0;

  // Starts the copies. `copies` may be gone when this returns, the pieces and their memory must
  // live until all copies are final. Bad copies end as failed; nothing else is affected.
  virtual std::unique_ptr<Batch> Submit(std::span<const Copy> copies, const CopyLimits& limits) = 0;

  // Submit and wait. A single small copy is carried by the calling thread alone, since waking
  // another costs as much as the round trip.
  virtual std::vector<Completion> Run(std::span<const Copy> copies, const CopyLimits& limits) = 0;

  // Reaches a stretch in place. aborted: the guard refused; unavailable: the peer has ended, or
  // doesn't answer; not_found, invalid_argument, deadline_exceeded: as for a copy;
  // failed_precondition: no permitted way can reach that memory in place; resource_exhausted: this
  // process has too many mappings of that peer (4096).
  virtual Result<std::unique_ptr<Mapping>> Map(const MapRequest& request, TimePoint deadline) = 0;

  virtual WayCounters counters(Way way) const = 0;
  virtual ServedCounters served() const = 0;
  virtual Reach reach() const { return {}; }
  // In the order of Reach::rdma_devices.
  virtual std::vector<RdmaDeviceState> rdma_devices() const { return {}; }
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TRANSFER_H_
