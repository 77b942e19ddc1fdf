// Uses the transfer layer and nothing else: one engine reads what another serves, by TCP.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "kvstore/transfer.h"

using namespace kvstore;

namespace {

Result<std::unique_ptr<transfer::Engine>> MakeEngine() {
  transfer::EngineOptions options;
  options.ways = {transfer::Way::kTcp};
  return transfer::Engine::Create(options);
}

Result<std::string> Fetch(std::string& served) {
  KVSTORE_ASSIGN_OR_RETURN(const auto holder, MakeEngine());
  KVSTORE_ASSIGN_OR_RETURN(const auto reader, MakeEngine());
  transfer::RegionOptions remote;
  remote.remote = true;
  KVSTORE_ASSIGN_OR_RETURN(const transfer::RegionId region,
                           holder->Register(served.data(), served.size(), remote));
  std::string got(served.size(), '\0');
  const transfer::Piece piece{got.data(), got.size()};
  transfer::Copy copy;
  KVSTORE_ASSIGN_OR_RETURN(copy.peer, reader->Open(holder->Descriptor()));
  copy.region = region;
  copy.pieces = {&piece, 1};
  const TimePoint deadline = BootClock::now() + std::chrono::seconds(10);
  const auto completions = reader->Run({&copy, 1}, deadline);
  KVSTORE_RETURN_IF_ERROR(transfer::FirstError(completions));
  return got + ", by " + std::string(transfer::WayName(completions.front().way));
}

}  // namespace

int main() {
  std::string served = "fetched";
  const Result<std::string> fetched = Fetch(served);
  std::cout << (fetched.ok() ? *fetched : fetched.status().ToString()) << '\n';
  return fetched.ok() ? 0 : 1;
}
