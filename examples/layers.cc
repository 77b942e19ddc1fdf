// A KV cache block: written from one buffer per layer, read layer by layer, so that a model can
// begin with the first while the next is on its way.
//   layers [MASTER]     HOST:PORT, default 127.0.0.1:50051
#include <array>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/client.h"

namespace {

constexpr size_t kLayers = 4;
constexpr uint64_t kLayerBytes = 64 << 10;
constexpr std::string_view kKey = "example/block";

// What layer `layer` holds in this example.
std::string LayerBytes(size_t layer) {
  return std::string(kLayerBytes, static_cast<char>('a' + layer));
}

kvstore::Status WriteBlock(kvstore::Client& client) {
  std::vector<std::string> layers;
  std::vector<kvstore::ConstPiece> pieces;
  for (size_t layer = 0; layer < kLayers; ++layer) layers.push_back(LayerBytes(layer));
  for (const std::string& layer : layers) pieces.push_back({layer.data(), layer.size()});
  const kvstore::PutItem item{kKey, pieces};
  kvstore::PutOptions options;
  options.replace = true;  // so that this can be run again
  return client.Put(std::span(&item, 1), options).front();
}

kvstore::Status ReadBlock(kvstore::Client& client) {
  KVSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<kvstore::ReadSession> session,
                           client.OpenReadSession(std::span(&kKey, 1)));
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t size, session->sizes().front());
  for (size_t layer = 0; layer < size / kLayerBytes; ++layer) {
    std::string bytes(kLayerBytes, '\0');
    const kvstore::Piece piece{bytes.data(), bytes.size()};
    const kvstore::PartItem part{0, std::span(&piece, 1), layer * kLayerBytes, kLayerBytes};
    // aborted: the object was removed or replaced after the session was opened; begin again.
    KVSTORE_RETURN_IF_ERROR(session->Read(std::span(&part, 1)).front().status);
    if (bytes != LayerBytes(layer)) return kvstore::DataLossError("another layer's bytes");
    std::cout << "layer " << layer << ": " << bytes.size() << " bytes of '" << bytes[0] << "'\n";
  }
  return kvstore::Status::Ok();
}

}  // namespace

int main(int argc, char** argv) {
  kvstore::ClientOptions options;
  if (argc > 1) options.master = argv[1];
  const auto client = kvstore::Client::Connect(options);
  kvstore::Status status = client.status();
  if (status.ok()) status = WriteBlock(**client);
  if (status.ok()) status = ReadBlock(**client);
  if (!status.ok()) std::cerr << "failed: " << status << '\n';
  return status.ok() ? 0 : 1;
}
