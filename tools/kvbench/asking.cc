#include "tools/kvbench/asking.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kvbench/objects.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kSize = 64;

template <typename Call>
Round MedianOf(Call call) {
  return [call](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, call));
    return times.PercentileUs(0.5);
  };
}

}  // namespace

Round AskExists(Crowd* crowd, uint64_t keys) {
  return MedianOf([=]() -> Result<Duration> {
    const std::vector<std::string> some = crowd->SomeKeys(keys);
    const std::vector<std::string_view> names(some.begin(), some.end());
    return Time([&] {
      for (const Result<bool>& there : crowd->client().Exists(names)) {
        if (!there.ok()) return there.status();
        if (!*there) return NotFoundError("an object that was put is not there");
      }
      return Status::Ok();
    });
  });
}

Round GetOne(Crowd* crowd) {
  return MedianOf([=]() -> Result<Duration> {
    const std::string key = crowd->SomeKeys(1)[0];
    std::array<std::byte, kSize> bytes{};
    const Piece piece{bytes.data(), bytes.size()};
    const GetItem item{.key = key, .pieces = {&piece, 1}};
    return Time([&] { return crowd->client().Get({&item, 1})[0].status; });
  });
}

Round PutOne(Crowd* crowd) {
  return MedianOf([=, number = uint64_t{0}]() mutable -> Result<Duration> {
    const std::array<std::byte, kSize> bytes{};
    const ConstPiece piece{bytes.data(), bytes.size()};
    const std::string key = KeyOf("one", number++);
    const std::string_view name = key;
    const PutItem item{.key = key, .pieces = {&piece, 1}};
    const Result<Duration> took = Time([&] { return FirstOf(crowd->client().Put({&item, 1})); });
    if (took.ok()) KVSTORE_RETURN_IF_ERROR(FirstOf(crowd->client().Remove({&name, 1})));
    return took;
  });
}

}  // namespace kvstore::bench
