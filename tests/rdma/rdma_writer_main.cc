// A writer that is stopped in the midst of a write: after the holder has said that it may write,
// before any byte is on its way.
//   rdma_writer DEVICE DESCRIPTOR_IN_HEX REGION BYTES
// It writes bytes 2 under birth 0. The last page of its source is one that nobody may touch, until
// it is touched: then it says "stopping" and waits for a line on its standard input. Then it
// writes, says what the copy came to, and ends.

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kvstore/transfer.h"

namespace {

using namespace kvstore;
using namespace kvstore::transfer;

constexpr size_t kPage = 4096;
std::byte* last_page = nullptr;

void StopHere(int) {
  constexpr char kWords[] = "stopping\n";
  (void)!write(STDOUT_FILENO, kWords, sizeof(kWords) - 1);
  char told = 0;
  (void)!read(STDIN_FILENO, &told, 1);
  mprotect(last_page, kPage, PROT_READ | PROT_WRITE);
}

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
  void* const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  std::memset(memory, 2, size);
  last_page = static_cast<std::byte*>(memory) + size - kPage;

  EngineOptions options;
  options.ways = {Way::kRdma};
  options.rdma_devices = {argv[1]};
  const auto engine = Engine::Create(options);
  const auto peer = engine.ok() ? (*engine)->Open(FromHex(argv[2])) : Result<PeerId>(PeerId{0});
  if (!engine.ok() || !peer.ok()) {
    std::puts("no engine");
    return 1;
  }
  signal(SIGSEGV, StopHere);
  mprotect(last_page, kPage, PROT_NONE);
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
