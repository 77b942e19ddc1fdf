// What the two ends of an RDMA lane ask and answer: what is decoded has the limits on which
// one-sided access relies, and a form that decodes and encodes to itself.

#include "fuzz/target.h"
#include "transfer/rdma/frame.h"

namespace kvstore::fuzz {
namespace {

using namespace transfer;

template <typename Message, typename Decode>
void ExpectOneForm(const std::optional<Message>& message, Decode decode) {
  if (!message) return;
  const std::string form = Encode(*message);
  const auto again = decode(form);
  Expect(again && Encode(*again) == form, "what was decoded has a form that decodes to it");
}

// Each byte has a key, and an address that is a number.
void ExpectReachable(const RemoteMemory& memory) {
  Expect(memory.keys.size() <= kMaxParts, "no memory has more parts than the most");
  Expect(memory.part_bytes > 0, "parts have bytes");
  Expect(memory.origin + memory.size >= memory.origin, "no address overflows");
  if (memory.size == 0) return;
  Expect((memory.size - 1) / memory.part_bytes < memory.keys.size(), "each byte has a key");
}

void ExpectConnectable(const QueuePairEnd& end) {
  Expect(end.number < 1 << 24 && end.first_packet < 1 << 24, "devices count in 24 bits");
  Expect(end.mtu >= IBV_MTU_256 && end.mtu <= IBV_MTU_4096, "an MTU is one of five");
}

void TakeQuestion(std::string_view bytes) {
  const auto question = DecodeQuestion(bytes);
  ExpectOneForm(question, DecodeQuestion);
  if (!question) return;
  if (const auto* open = std::get_if<OpenQuestion>(&*question)) ExpectConnectable(open->client);
  if (const auto* begin = std::get_if<BeginQuestion>(&*question)) {
    Expect(begin->writes.size() <= kMaxWrites, "no more writes are begun at once than the most");
  }
}

void TakeRegion(std::string_view bytes) {
  const auto region = DecodeRegionAnswer(bytes);
  ExpectOneForm(region, DecodeRegionAnswer);
  if (!region) return;
  ExpectReachable(region->memory);
  ExpectReachable(region->words);
  if (region->granule == 0) return;
  Expect(region->memory.size / region->granule * sizeof(uint64_t) <= region->words.size,
         "each granule has a word");
}

}  // namespace

void Take(std::string_view bytes) {
  Input input(bytes);
  const uint32_t kind = input.Below(5);
  const std::string_view message = input.Rest();
  switch (kind) {
    case 0:
      return TakeQuestion(message);
    case 1: {
      const auto devices = DecodeDevices(message);
      ExpectOneForm(devices, DecodeDevices);
      Expect(!devices || (!devices->empty() && devices->size() <= kMaxDevices),
             "a list of devices names one at least");
      return;
    }
    case 2: {
      const auto answer = DecodeOpenAnswer(message);
      ExpectOneForm(answer, DecodeOpenAnswer);
      if (answer) ExpectConnectable(answer->holder);
      return;
    }
    case 3:
      return TakeRegion(message);
    default: {
      const auto verdicts = DecodeVerdicts(message);
      ExpectOneForm(verdicts, DecodeVerdicts);
      Expect(!verdicts || verdicts->size() <= kMaxWrites, "no verdicts on more than can be asked");
    }
  }
}

std::vector<std::string> Seeds() {
  const QueuePairEnd end{.number = 17, .first_packet = 5, .mtu = IBV_MTU_4096, .max_reads = 16};
  const auto as = [](char kind, const std::string& message) { return kind + message; };
  const RemoteMemory memory{.size = 5 << 20, .part_bytes = 2 << 20, .keys = {1, 2, 3}};
  const RemoteMemory words{.size = 8 * (5 << 20) / 4096, .part_bytes = 1 << 20, .keys = {4}};
  return {
      as(0, Encode(DevicesQuestion{})),
      as(0, Encode(OpenQuestion{.access = Access::kWrite, .device = 1, .client = end})),
      as(0, Encode(RegionQuestion{.device = 1, .region = 9})),
      as(0, Encode(BeginQuestion{
                .writes = {{.region = 9, .length = 4096, .guard = Guard{.first = 0, .birth = 7}},
                           {.region = 9, .offset = 8192, .length = 1, .guard = {}}}})),
      as(0, Encode(EndQuestion{})),
      as(1, Encode(std::vector<HolderDevice>{{.name = "mlx5_0", .ethernet = true},
                                             {.name = "mlx5_1", .ethernet = false, .near = true}})),
      as(2, Encode(OpenAnswer{.holder = end, .probe_origin = 4096, .probe_key = 3})),
      as(3,
         Encode(RegionAnswer{.memory = memory, .guarded = true, .granule = 4096, .words = words})),
      as(3, Encode(RegionAnswer{.memory = memory})),
      as(4, Encode(std::vector<Status>{Status::Ok(), AbortedError("withdrawn")})),
  };
}

}  // namespace kvstore::fuzz
