// Fills an object where it will lie, and reads it where it lies: no byte is copied. Needs a node on
// this host, running as the same user.
//   zero_copy [MASTER]     HOST:PORT, default 127.0.0.1:50051
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>

#include "kvstore/client.h"

namespace {

constexpr uint64_t kSize = 1 << 20;

kvstore::Status Fill(kvstore::Client& client) {
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<kvstore::NewObject> object,
                           client.Create("example/in_place", kSize));
  for (const kvstore::Piece& piece : object->pieces()) {
    std::fill_n(static_cast<uint8_t*>(piece.data), piece.size, uint8_t{7});
  }
  return object->Seal();  // nobody could find it before
}

kvstore::Status Look(kvstore::Client& client) {
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<kvstore::ObjectView> view,
                           client.View("example/in_place"));
  // The view keeps its bytes, whatever happens to the object meanwhile.
  KVSTORE_RETURN_IF_ERROR(client.Remove("example/in_place"));
  uint64_t sum = 0;
  for (const kvstore::ConstPiece& piece : view->pieces()) {
    const auto* bytes = static_cast<const uint8_t*>(piece.data);
    for (uint64_t i = 0; i < piece.size; ++i) sum += bytes[i];
  }
  std::cout << view->size() << " bytes, sum " << sum << '\n';
  return view->Verify();  // reads them all once more, against the checksum
}

}  // namespace

int main(int argc, char** argv) {
  kvstore::ClientOptions options;
  if (argc > 1) options.master = argv[1];
  const auto client = kvstore::Client::Connect(options);
  kvstore::Status status = client.status();
  if (status.ok()) status = Fill(**client);
  if (status.ok()) status = Look(**client);
  if (!status.ok()) std::cerr << "failed: " << status << '\n';
  return status.ok() ? 0 : 1;
}
