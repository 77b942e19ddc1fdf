// Makes an object in place in a process of its own, for tests to pause and kill: writes its first
// half, says "created", and goes on writing the whole of it, over and over, until it is ended.
//   creator MASTER_ADDRESS KEY BYTES

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kvstore/client.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  kvstore::ClientOptions options;
  options.master = argv[1];
  options.name = "creator";
  auto client = kvstore::Client::Connect(options);
  if (!client.ok()) {
    std::fprintf(stderr, "%s\n", client.status().ToString().c_str());
    return 1;
  }
  // Soon over, but not before a machine that is slow has answered.
  kvstore::PutOptions create{.timeout = std::chrono::seconds(1)};
  auto object = (*client)->Create(argv[2], std::strtoull(argv[3], nullptr, 10), create);
  while (!object.ok() && create.timeout < std::chrono::seconds(16)) {
    create.timeout *= 2;
    object = (*client)->Create(argv[2], std::strtoull(argv[3], nullptr, 10), create);
  }
  if (!object.ok()) {
    std::fprintf(stderr, "%s\n", object.status().ToString().c_str());
    return 1;
  }
  const kvstore::Piece piece = (*object)->pieces()[0];
  std::memset(piece.data, 0xEE, piece.size / 2);
  std::puts("created");
  std::fflush(stdout);
  while (true) std::memset(piece.data, 0xEE, piece.size);
}
