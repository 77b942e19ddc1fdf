// A client in a process of its own, some threads of which do operations of chance on keys that
// others use as well, and say each of them (history.h):
//   historian MASTER_ADDRESS WHO CACHED_KEYS DURABLE_KEYS CELLS TIMEOUT_MS
//
// Its keys are "cached/0" .. and "durable/0" ..; a put of the latter is durable. Says "begun" once
// it has done something, and runs until its input ends.

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "histories/history.h"

namespace kvstore::history {
namespace {

constexpr uint32_t kThreads = 2;

struct Task {
  uint32_t who;
  uint32_t cached_keys;
  uint32_t durable_keys;
  size_t cells;
  Duration timeout;
};

void DoOperations(Recorder& recorder, const Task& task, uint32_t seed, std::atomic<bool>& stop) {
  std::mt19937 random(seed);
  while (!stop) {
    const uint32_t i = static_cast<uint32_t>(random()) % (task.cached_keys + task.durable_keys);
    const bool durable = i >= task.cached_keys;
    const std::string key =
        durable ? "durable/" + std::to_string(i - task.cached_keys) : "cached/" + std::to_string(i);
    const uint32_t what = static_cast<uint32_t>(random()) % 16;
    if (what < 4) {
      PutOptions options{.timeout = task.timeout, .replace = what != 0};
      options.durable = durable;
      recorder.Put(key, task.cells, options);
    } else if (what < 5) {
      recorder.Remove(key, task.timeout);
    } else if (what < 8) {
      recorder.Exists(key, task.timeout);
    } else {
      recorder.Get(key, task.timeout);
    }
  }
}

int Run(const std::string& master, const Task& task) {
  ClientOptions options;
  options.master = master;
  options.name = "historian " + std::to_string(task.who);
  options.verify_checksums = false;  // nothing is to hide what it reads
  auto client = Client::Connect(options);
  if (!client.ok()) {
    std::printf("can't join: %s\n", client.status().ToString().c_str());
    return 1;
  }
  Recorder recorder(**client, task.who);
  recorder.Exists("cached/0", task.timeout);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { DoOperations(recorder, task, task.who * kThreads + i, stop); });
  }
  std::puts("begun");
  std::fflush(stdout);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (poll(&input, 1, -1) < 0) {
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace kvstore::history

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const auto number = [&](int i) { return static_cast<uint32_t>(std::atoi(argv[i])); };
  return kvstore::history::Run(
      argv[1], {number(2), number(3), number(4), number(5), std::chrono::milliseconds(number(6))});
}
