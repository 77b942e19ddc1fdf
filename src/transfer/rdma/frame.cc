#include "transfer/rdma/frame.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "transfer/wire.h"

namespace kvstore::transfer {
namespace {

constexpr size_t kMaxNameBytes = 64;
// Of a device.
constexpr unsigned kIsEthernet = 1;
constexpr unsigned kIsNear = 2;
// Of a refusal; the rest of the verdicts have none.
constexpr size_t kMaxVerdictBytes = 200;

enum class Kind : uint8_t { kDevices = 1, kOpen = 2, kRegion = 3, kBegin = 4, kEnd = 5 };

void Append(const QueuePairEnd& end, std::string* out) {
  AppendNumber(end.number, out);
  AppendNumber(end.first_packet, out);
  out->append(reinterpret_cast<const char*>(end.gid.data()), end.gid.size());
  AppendNumber(end.lid, out);
  AppendNumber(end.mtu, out);
  AppendNumber(end.max_reads, out);
}

std::optional<QueuePairEnd> TakeEnd(WireReader* in) {
  QueuePairEnd end;
  end.number = in->Number<uint32_t>();
  end.first_packet = in->Number<uint32_t>();
  const std::string_view gid = in->Take(end.gid.size());
  std::copy(gid.begin(), gid.end(), end.gid.begin());
  end.lid = in->Number<uint16_t>();
  end.mtu = in->Number<uint8_t>();
  end.max_reads = in->Number<uint8_t>();
  constexpr uint32_t k24Bits = 0xffffff;
  if (!in->ok() || end.number > k24Bits || end.first_packet > k24Bits) return std::nullopt;
  if (end.mtu < IBV_MTU_256 || end.mtu > IBV_MTU_4096) return std::nullopt;
  return end;
}

void Append(const RemoteMemory& memory, std::string* out) {
  AppendNumber(memory.size, out);
  AppendNumber(memory.origin, out);
  AppendNumber(memory.part_bytes, out);
  AppendNumber(static_cast<uint16_t>(memory.keys.size()), out);
  for (const uint32_t key : memory.keys) AppendNumber(key, out);
}

std::optional<RemoteMemory> TakeMemory(WireReader* in) {
  RemoteMemory memory;
  memory.size = in->Number<uint64_t>();
  memory.origin = in->Number<uint64_t>();
  memory.part_bytes = in->Number<uint64_t>();
  const size_t count = in->Number<uint16_t>();
  if (!in->ok() || memory.part_bytes == 0 || count > kMaxParts ||
      (count > 1 && memory.part_bytes < kMinPartBytes)) {
    return std::nullopt;
  }
  if (memory.origin > std::numeric_limits<uint64_t>::max() - memory.size) return std::nullopt;
  const uint64_t needed =
      memory.size / memory.part_bytes + (memory.size % memory.part_bytes == 0 ? 0 : 1);
  if (count != needed) return std::nullopt;
  for (size_t i = 0; i < count; ++i) memory.keys.push_back(in->Number<uint32_t>());
  if (!in->ok()) return std::nullopt;
  return memory;
}

std::optional<Question> TakeOpen(WireReader* in) {
  OpenQuestion open;
  const auto access = in->Number<uint8_t>();
  open.access = access == 0 ? Access::kRead : Access::kWrite;
  open.device = in->Number<uint8_t>();
  const std::optional<QueuePairEnd> end = TakeEnd(in);
  if (!end || access > 1) return std::nullopt;
  open.client = *end;
  return open;
}

std::optional<Question> TakeBegin(WireReader* in) {
  BeginQuestion begin;
  const size_t count = in->Number<uint16_t>();
  if (count > kMaxWrites) return std::nullopt;
  for (size_t i = 0; i < count && in->ok(); ++i) {
    WriteClaim& write = begin.writes.emplace_back();
    write.region = in->Number<uint32_t>();
    write.offset = in->Number<uint64_t>();
    write.length = in->Number<uint64_t>();
    const auto guarded = in->Number<uint8_t>();
    Guard guard;
    guard.first = in->Number<uint64_t>();
    guard.birth = in->Number<uint64_t>();
    if (guarded > 1) return std::nullopt;
    if (guarded == 1) write.guard = guard;
  }
  return begin;
}

void Append(const DevicesQuestion&, std::string* out) { AppendNumber(Kind::kDevices, out); }
void Append(const OpenQuestion& open, std::string* out) {
  AppendNumber(Kind::kOpen, out);
  AppendNumber(static_cast<uint8_t>(open.access), out);
  AppendNumber(open.device, out);
  Append(open.client, out);
}
void Append(const RegionQuestion& question, std::string* out) {
  AppendNumber(Kind::kRegion, out);
  AppendNumber(question.device, out);
  AppendNumber(question.region, out);
}
void Append(const BeginQuestion& begin, std::string* out) {
  AppendNumber(Kind::kBegin, out);
  AppendNumber(static_cast<uint16_t>(begin.writes.size()), out);
  for (const WriteClaim& write : begin.writes) {
    const Guard guard = write.guard.value_or(Guard{});
    AppendNumber(write.region, out);
    AppendNumber(write.offset, out);
    AppendNumber(write.length, out);
    AppendNumber(static_cast<uint8_t>(write.guard ? 1 : 0), out);
    AppendNumber(guard.first, out);
    AppendNumber(guard.birth, out);
  }
}
void Append(const EndQuestion&, std::string* out) { AppendNumber(Kind::kEnd, out); }

}  // namespace

std::string Encode(const Question& question) {
  std::string out;
  std::visit([&](const auto& each) { Append(each, &out); }, question);
  return out;
}

std::string Encode(const std::vector<HolderDevice>& devices) {
  std::string out;
  AppendNumber(static_cast<uint8_t>(devices.size()), &out);
  for (const HolderDevice& device : devices) {
    AppendNumber(
        static_cast<uint8_t>((device.ethernet ? kIsEthernet : 0) | (device.near ? kIsNear : 0)),
        &out);
    AppendNumber(static_cast<uint8_t>(device.name.size()), &out);
    out += device.name;
  }
  return out;
}

std::string Encode(const OpenAnswer& answer) {
  std::string out;
  Append(answer.holder, &out);
  AppendNumber(answer.probe_origin, &out);
  AppendNumber(answer.probe_key, &out);
  return out;
}

std::string Encode(const RegionAnswer& answer) {
  std::string out;
  Append(answer.memory, &out);
  AppendNumber(static_cast<uint8_t>(answer.guarded ? 1 : 0), &out);
  AppendNumber(answer.granule, &out);
  Append(answer.words, &out);
  return out;
}

std::string Encode(const std::vector<Status>& verdicts) {
  std::string out;
  AppendNumber(static_cast<uint16_t>(verdicts.size()), &out);
  bool told = false;  // of many that are refused alike one message is enough
  for (const Status& verdict : verdicts) {
    AppendNumber(static_cast<uint8_t>(verdict.code()), &out);
    if (verdict.ok()) continue;
    const std::string_view message =
        told ? "refused as others of this batch"
             : std::string_view(verdict.message()).substr(0, kMaxVerdictBytes);
    told = true;
    AppendNumber(static_cast<uint8_t>(message.size()), &out);
    out += message;
  }
  return out;
}

std::optional<Question> DecodeQuestion(std::string_view bytes) {
  WireReader in(bytes);
  std::optional<Question> question;
  switch (static_cast<Kind>(in.Number<uint8_t>())) {
    case Kind::kDevices:
      question = DevicesQuestion{};
      break;
    case Kind::kOpen:
      question = TakeOpen(&in);
      break;
    case Kind::kRegion: {
      RegionQuestion region;
      region.device = in.Number<uint8_t>();
      region.region = in.Number<uint32_t>();
      question = region;
      break;
    }
    case Kind::kBegin:
      question = TakeBegin(&in);
      break;
    case Kind::kEnd:
      question = EndQuestion{};
      break;
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return question;
}

std::optional<std::vector<HolderDevice>> DecodeDevices(std::string_view bytes) {
  WireReader in(bytes);
  std::vector<HolderDevice> devices(in.Number<uint8_t>());
  if (devices.empty() || devices.size() > kMaxDevices) return std::nullopt;
  for (HolderDevice& device : devices) {
    const auto flags = in.Number<uint8_t>();
    device.ethernet = (flags & kIsEthernet) != 0;
    device.near = (flags & kIsNear) != 0;
    const size_t size = in.Number<uint8_t>();
    if (size > kMaxNameBytes) return std::nullopt;
    device.name = std::string(in.Take(size));
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return devices;
}

std::optional<OpenAnswer> DecodeOpenAnswer(std::string_view bytes) {
  WireReader in(bytes);
  const std::optional<QueuePairEnd> holder = TakeEnd(&in);
  if (!holder) return std::nullopt;
  OpenAnswer answer{.holder = *holder};
  answer.probe_origin = in.Number<uint64_t>();
  answer.probe_key = in.Number<uint32_t>();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return answer;
}

std::optional<RegionAnswer> DecodeRegionAnswer(std::string_view bytes) {
  WireReader in(bytes);
  RegionAnswer answer;
  std::optional<RemoteMemory> memory = TakeMemory(&in);
  const auto guarded = in.Number<uint8_t>();
  answer.granule = in.Number<uint64_t>();
  std::optional<RemoteMemory> words = TakeMemory(&in);
  if (!memory || !words || guarded > 1 || !in.ok() || !in.at_end()) return std::nullopt;
  answer.memory = *std::move(memory);
  answer.guarded = guarded == 1;
  answer.words = *std::move(words);
  // A word for each granule.
  const bool whole = answer.granule == 0 ? answer.words.size == 0
                                         : answer.words.size / sizeof(uint64_t) ==
                                               answer.memory.size / answer.granule;
  if (!whole) return std::nullopt;
  return answer;
}

std::optional<std::vector<Status>> DecodeVerdicts(std::string_view bytes) {
  WireReader in(bytes);
  const size_t count = in.Number<uint16_t>();
  if (count > kMaxWrites) return std::nullopt;
  std::vector<Status> verdicts;
  for (size_t i = 0; i < count && in.ok(); ++i) {
    const auto code = static_cast<StatusCode>(in.Number<uint8_t>());
    if (StatusCodeName(code) == "unknown") return std::nullopt;
    if (code == StatusCode::kOk) {
      verdicts.emplace_back();
      continue;
    }
    const size_t size = in.Number<uint8_t>();
    verdicts.emplace_back(code, std::string(in.Take(size)));
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return verdicts;
}

}  // namespace kvstore::transfer
