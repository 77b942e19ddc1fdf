// A writer that is stopped in the midst of a write (stopping_memory.h).
//   rdma_writer DEVICE DESCRIPTOR_IN_HEX REGION BYTES
// It writes bytes 2 under birth 0, says what the copy came to, and ends.

#include <cstdio>
#include <string>

#include "kvstore/transfer.h"
#include "rdma/stopping_memory.h"

namespace {

using namespace kvstore;
using namespace kvstore::transfer;

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const size_t size = std::stoul(argv[4]);
  EngineOptions options;
  options.ways = {Way::kRdma};
  options.rdma_devices = {argv[1]};
  const auto engine = Engine::Create(options);
  const auto peer = engine.ok() ? (*engine)->Open(FromHex(argv[2])) : Result<PeerId>(PeerId{0});
  std::byte* const memory = rdma_tests::StoppingMemory(size);
  if (!engine.ok() || !peer.ok() || memory == nullptr) {
    std::puts("no engine");
    return 1;
  }
  const Piece piece{memory, size};
  const Copy copy{.access = Access::kWrite,
                  .peer = *peer,
                  .region = static_cast<RegionId>(std::stoul(argv[3])),
                  .offset = 0,
                  .pieces = std::span(&piece, 1),
                  .guard = Guard{.first = 0, .birth = 0}};
  const Completion completion =
      (*engine)->Run(std::span(&copy, 1), BootClock::now() + std::chrono::seconds(120)).at(0);
  std::printf("ended: %s\n", completion.status.ToString().c_str());
  return 0;
}
