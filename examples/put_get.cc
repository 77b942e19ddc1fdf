// Puts an object, gets it back, and removes it.
//   put_get [MASTER]     HOST:PORT, default 127.0.0.1:50051
#include <array>
#include <iostream>
#include <memory>
#include <string>

#include "kvstore/client.h"

namespace {

// Many objects by one call: each item has its own scatter list and its own status.
bool PutBatch(kvstore::Client& client) {
  const std::string head = "a block ", tail = "in two pieces";
  const std::array<kvstore::ConstPiece, 2> pieces{
      {{head.data(), head.size()}, {tail.data(), tail.size()}}};
  const std::array<kvstore::PutItem, 2> items{
      {{"example/batch/1", pieces}, {"example/batch/2", std::span(pieces).first(1)}}};
  kvstore::PutOptions options;
  options.replace = true;  // so that this can be run again
  for (const kvstore::Status& status : client.Put(items, options)) {
    if (!status.ok()) {
      std::cerr << "can't put: " << status << '\n';
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  kvstore::ClientOptions options;
  if (argc > 1) options.master = argv[1];
  const auto client = kvstore::Client::Connect(options);
  if (!client.ok()) {
    std::cerr << "can't connect: " << client.status() << '\n';
    return 1;
  }
  if (!PutBatch(**client)) return 1;

  const kvstore::Result<std::string> value = (*client)->Get("example/batch/1");
  if (!value.ok()) {
    std::cerr << "can't get: " << value.status() << '\n';
    return 1;
  }
  std::cout << *value << '\n';

  // A cache may forget: not_found is an answer that every caller has to expect.
  const kvstore::Status removed = (*client)->Remove("example/batch/1");
  const kvstore::Result<std::string> gone = (*client)->Get("example/batch/1");
  std::cout << "removed: " << removed << "; then: " << StatusCodeName(gone.status().code()) << '\n';
  return 0;
}
