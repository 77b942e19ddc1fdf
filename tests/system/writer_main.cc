// A writer in a process of its own, for tests to pause and kill: replaces the keys
// "stranger/0" .. "stranger/7" for ever, and says "writing" once it does.
//   writer MASTER_ADDRESS

#include <cstdio>
#include <string>

#include "kvstore/client.h"
#include "system/told_value.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  kvstore::ClientOptions options;
  options.master = argv[1];
  options.name = "stranger";
  auto client = kvstore::Client::Connect(options);
  if (!client.ok()) {
    std::fprintf(stderr, "%s\n", client.status().ToString().c_str());
    return 1;
  }
  const kvstore::PutOptions put{.timeout = std::chrono::seconds(5), .replace = true};
  for (uint32_t version = 1;; ++version) {
    const std::string key = "stranger/" + std::to_string(version % 8);
    // Errors are the test's business: a paused writer's puts are aborted.
    (void)(*client)->Put(key, kvstore::cluster::ToldValue(key, version, 16384), put);
    if (version == 1) {
      std::puts("writing");
      std::fflush(stdout);
    }
  }
}
