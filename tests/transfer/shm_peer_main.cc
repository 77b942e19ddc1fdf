// A process that shares memory with a test, for it to stop and kill.
//   kvstore_test_shm_peer write DESCRIPTOR REGION STEP   writes 0xee over the part, stops at STEP
//   kvstore_test_shm_peer read DESCRIPTOR REGION STEP    reads the part, stops at STEP
//   kvstore_test_shm_peer view DESCRIPTOR REGION STEP    maps the part until its input ends
//   kvstore_test_shm_peer fork DESCRIPTOR REGION STEP    the same, and so long lives a child, too
//   kvstore_test_shm_peer hold                           lends memory until its input ends
// The part is [1 MiB, 5 MiB), under birth 5; STEP is a number of ShmStep, or -1 for none;
// DESCRIPTOR is hexadecimal.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "transfer/engine.h"
#include "transfer/shm_peer_text.h"

namespace kvstore::transfer {
namespace {

constexpr uint64_t kOffset = 1 << 20;
constexpr uint64_t kLength = 4 << 20;
constexpr Guard kNamed{.first = 0, .birth = 5};

void Say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

void WaitForTheEndOfInput() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

// One that reaches memory by shm only, and stops this process at that step.
std::unique_ptr<Engine> StoppingEngine(int stop_at) {
  TransferGuards guards;
  guards.at_step = [stop_at](ShmStep step) {
    if (static_cast<int>(step) == stop_at) raise(SIGSTOP);
  };
  return CreateEngine({.ways = {Way::kShm}}, guards).value();
}

int DoCopy(Access access, const std::string& descriptor, RegionId region, int stop_at) {
  const std::unique_ptr<Engine> engine = StoppingEngine(stop_at);
  std::vector<unsigned char> bytes(kLength, 0xee);
  const Piece piece{bytes.data(), bytes.size()};
  const Copy copy{.access = access,
                  .peer = engine->Open(descriptor).value(),
                  .region = region,
                  .offset = kOffset,
                  .pieces = std::span(&piece, 1),
                  .guard = kNamed};
  const TimePoint deadline = BootClock::now() + std::chrono::minutes(2);
  const Completion end = engine->Run(std::span(&copy, 1), deadline).at(0);
  Say(std::string(StatusCodeName(end.status.code())));
  WaitForTheEndOfInput();
  return 0;
}

int View(const std::string& descriptor, RegionId region, int stop_at, bool with_child) {
  const std::unique_ptr<Engine> engine = StoppingEngine(stop_at);
  const auto view = engine->Map({.access = Access::kRead,
                                 .peer = engine->Open(descriptor).value(),
                                 .region = region,
                                 .offset = kOffset,
                                 .length = kLength,
                                 .guard = kNamed},
                                BootClock::now() + std::chrono::minutes(2));
  if (with_child && fork() == 0) {
    Say("forked");
    WaitForTheEndOfInput();  // the socket is open here, too
    Say("gone");
    _exit(0);
  }
  if (!with_child) Say(view.ok() ? "viewing" : std::string(StatusCodeName(view.status().code())));
  WaitForTheEndOfInput();
  return 0;
}

int Hold() {
  SharedMemory memory = SharedMemory::Create(64 << 20, 4096).value();
  std::fill_n(memory.base(), memory.size(), std::byte{1});
  const std::unique_ptr<Engine> engine = CreateEngine({}, {}).value();
  const RegionId region =
      engine->Register(memory.base(), memory.size(), {.remote = true, .shared = &memory}).value();
  Say(ToHex(engine->Descriptor()));
  Say(std::to_string(region));
  WaitForTheEndOfInput();
  return 0;
}

int Main(const std::vector<std::string>& arguments) {
  const std::string& what = arguments.at(0);
  if (what == "hold") return Hold();
  const std::string descriptor = FromHex(arguments.at(1));
  const auto region = static_cast<RegionId>(std::stoul(arguments.at(2)));
  const int stop_at = std::stoi(arguments.at(3));
  if (what == "view" || what == "fork") return View(descriptor, region, stop_at, what == "fork");
  const Access access = what == "write" ? Access::kWrite : Access::kRead;
  return DoCopy(access, descriptor, region, stop_at);
}

}  // namespace
}  // namespace kvstore::transfer

int main(int argc, char** argv) {
  return kvstore::transfer::Main(std::vector<std::string>(argv + 1, argv + argc));
}
