#ifndef KVSTORE_SRC_TRANSFER_RDMA_FRAME_H_
#define KVSTORE_SRC_TRANSFER_RDMA_FRAME_H_

// What a client asks a holder over the connection of a lane (RequestKind::kAsk), whose hello has
// named the incarnation. All numbers are little endian; no message carries an address.
//
//   client                      holder
//   DevicesQuestion       ->    DeviceList
//   OpenQuestion          ->    OpenAnswer       a queue pair for reads, or one for writes
//   RegionQuestion        ->    RegionAnswer     where a region is, for one-sided access
//   BeginQuestion         ->    verdict of each  may these be written?
//   (one-sided)
//   EndQuestion           ->    verdict of each  they are in place
//
// From its Begin to its End the holder counts a write as an access of its own, and cuts it off when
// its memory is withdrawn: it destroys the queue pair and closes the connection.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kvstore/status.h"
#include "kvstore/transfer.h"
#include "transfer/rdma/device.h"

namespace kvstore::transfer {

inline constexpr size_t kMaxDevices = 32;
// Writes that are asked for at once.
inline constexpr size_t kMaxWrites = 512;
inline constexpr size_t kMaxParts = 4096;  // of a region
// Of a part, where there are several.
inline constexpr uint64_t kMinPartBytes = 1 << 20;

// One end of a queue pair, as the other needs to know it.
struct QueuePairEnd {
  uint32_t number = 0;
  uint32_t first_packet = 0;  // its sequence number
  Gid gid{};
  uint16_t lid = 0;       // InfiniBand only
  uint8_t mtu = 0;        // of its port, as ibv_mtu
  uint8_t max_reads = 0;  // that it answers at once

  friend bool operator==(const QueuePairEnd&, const QueuePairEnd&) = default;
};

struct DevicesQuestion {};
struct OpenQuestion {
  Access access = Access::kRead;
  uint8_t device = 0;  // the holder's
  QueuePairEnd client;
};
struct RegionQuestion {
  uint8_t device = 0;
  RegionId region = 0;
};
struct WriteClaim {
  RegionId region = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::optional<Guard> guard;
};
struct BeginQuestion {
  std::vector<WriteClaim> writes;
};
struct EndQuestion {};
using Question =
    std::variant<DevicesQuestion, OpenQuestion, RegionQuestion, BeginQuestion, EndQuestion>;

// Memory with kProbeByte in it, to be read as the first thing over a new path.
inline constexpr size_t kProbeBytes = 4096;
inline constexpr std::byte kProbeByte{0x6b};

struct OpenAnswer {
  QueuePairEnd holder;
  uint64_t probe_origin = 0;
  uint32_t probe_key = 0;
};

struct HolderDevice {
  std::string name;
  bool ethernet = true;
  bool near = false;  // among the nearest to the holder's memory of those that are up
};

// Remote memory in parts, as RegisteredMemory has it.
struct RemoteMemory {
  uint64_t size = 0;
  uint64_t origin = 0;
  uint64_t part_bytes = 1;
  std::vector<uint32_t> keys;  // of the parts
};
struct RegionAnswer {
  RemoteMemory memory;
  bool guarded = false;
  uint64_t granule = 0;  // 0: it has no words
  RemoteMemory words;    // 8 bytes each
};

std::string Encode(const Question& question);
std::string Encode(const std::vector<HolderDevice>& devices);
std::string Encode(const OpenAnswer& answer);
std::string Encode(const RegionAnswer& answer);
std::string Encode(const std::vector<Status>& verdicts);

// All of these take any bytes, and answer nothing for what no peer of ours can have sent.
std::optional<Question> DecodeQuestion(std::string_view bytes);
std::optional<std::vector<HolderDevice>> DecodeDevices(std::string_view bytes);
std::optional<OpenAnswer> DecodeOpenAnswer(std::string_view bytes);
std::optional<RegionAnswer> DecodeRegionAnswer(std::string_view bytes);
std::optional<std::vector<Status>> DecodeVerdicts(std::string_view bytes);

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_FRAME_H_
