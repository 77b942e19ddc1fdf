// The same calls as overhead.py's, from C++: reads lines "ROW CALLS" and answers each with the
// nanoseconds that a call took on average.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/client.h"

namespace {

using kvstore::ConstPiece;
using kvstore::Piece;

constexpr size_t kKeys = 512;
constexpr uint64_t kSmall = 4u << 10;
constexpr uint64_t kLarge = 1u << 20;

// What the rows work on. All calls must succeed: others would cost something else.
struct Load {
  explicit Load(kvstore::Client& c) : client(c) {
    for (size_t i = 0; i < kKeys; ++i) names.push_back("small-" + std::to_string(i));
    for (const std::string& name : names) keys.emplace_back(name);
    for (size_t i = 0; i < kKeys; ++i) pieces.push_back({memory.data() + i * kSmall, kSmall});
    for (size_t i = 0; i < kKeys; ++i) gets.push_back({.key = keys[i], .pieces = {&pieces[i], 1}});
  }

  static void Check(bool ok) {
    if (ok) return;
    std::fputs("reference: a call failed\n", stderr);
    std::exit(1);
  }
  void Exists(size_t count) {
    for (const auto& there : client.Exists(std::span(keys).first(count))) {
      Check(there.ok() && *there);
    }
  }
  void Get(size_t count) {
    for (const auto& got : client.Get(std::span(gets).first(count))) Check(got.status.ok());
  }
  void GetLarge() {
    const Piece piece{memory.data(), kLarge};
    const kvstore::GetItem item{.key = "large", .pieces = {&piece, 1}};
    Check(client.Get({&item, 1}).front().status.ok());
  }
  void Put(std::string_view key, uint64_t size) {
    const ConstPiece piece{memory.data(), size};
    const kvstore::PutItem item{.key = key, .pieces = {&piece, 1}};
    Check(client.Put({&item, 1}, {.replace = true}).front().ok());
  }

  kvstore::Client& client;
  std::vector<char> memory = std::vector<char>(kKeys * kSmall, 'x');
  std::vector<std::string> names;
  std::vector<std::string_view> keys;
  std::vector<Piece> pieces;
  std::vector<kvstore::GetItem> gets;
};

}  // namespace

int main(int argc, char** argv) {
  kvstore::ClientOptions options;
  if (argc > 1) options.master = argv[1];
  auto client = kvstore::Client::Connect(options);
  if (!client.ok()) {
    std::cerr << client.status() << '\n';
    return 1;
  }
  Load load(**client);
  const std::map<std::string, std::function<void()>> rows = {
      {"exists", [&] { load.Exists(1); }},
      {"exists_batch", [&] { load.Exists(kKeys); }},
      {"get_into", [&] { load.Get(1); }},
      {"get_into_batch", [&] { load.Get(kKeys); }},
      {"put", [&] { load.Put("put", kSmall); }},
      {"get_into_large", [&] { load.GetLarge(); }},
      {"put_large", [&] { load.Put("put-large", kLarge); }},
  };
  std::string row;
  for (int calls = 0; std::cin >> row >> calls;) {
    const auto& call = rows.at(row);
    const auto began = kvstore::BootClock::now();
    for (int i = 0; i < calls; ++i) call();
    std::cout << (kvstore::BootClock::now() - began).count() / calls << std::endl;
  }
}
