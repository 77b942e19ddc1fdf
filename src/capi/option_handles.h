#ifndef KVSTORE_SRC_CAPI_OPTION_HANDLES_H_
#define KVSTORE_SRC_CAPI_OPTION_HANDLES_H_

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "capi/guard.h"
#include "kvstore/client.h"
#include "kvstore/kvclient.h"

struct kvclient_options {
  kvstore::ClientOptions values;
};

struct kvclient_put_options {
  kvstore::PutOptions values;
  std::vector<uint32_t> positions;  // of the items; none: all are 0
};

namespace kvstore::capi {

// Milliseconds as C callers give them; what exceeds nanoseconds' 292 years is as long as they go.
inline Duration FromMilliseconds(int64_t milliseconds) {
  constexpr int64_t kMost = std::numeric_limits<Duration::rep>::max() / 1'000'000;
  if (milliseconds > kMost) return Duration::max();
  if (milliseconds < -kMost) return Duration::min();
  return std::chrono::milliseconds(milliseconds);
}

// One setter: invalid_argument for null options, else what `set` answers.
template <typename Options, typename Set>
kvclient_code Change(Options* options, const Set& set) noexcept {
  return Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckGiven(options, "options"));
    return set(options->values);
  });
}

// One setter that can't refuse: options->values.*field = value.
template <typename Options, typename Values, typename Field>
kvclient_code Set(Options* options, Field Values::*field, Field value) noexcept {
  return Change(options, [&](Values& values) {
    values.*field = value;
    return Status::Ok();
  });
}

// The same for a C string.
template <typename Options, typename Values>
kvclient_code SetText(Options* options, std::string Values::*field, const char* text) noexcept {
  return Change(options, [&](Values& values) -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckGiven(text, "the text"));
    values.*field = text;
    return Status::Ok();
  });
}

// What a put is asked for with these options, null for the defaults; its items get their positions.
// invalid_argument: there are not as many of those as items.
template <typename Item>
Result<PutOptions> Apply(const kvclient_put_options* options, std::vector<Item>* items) {
  if (options == nullptr) return PutOptions();
  const std::vector<uint32_t>& positions = options->positions;
  if (!positions.empty() && positions.size() != items->size()) {
    return InvalidArgumentError("there are " + std::to_string(positions.size()) +
                                " positions for " + std::to_string(items->size()) + " items");
  }
  for (size_t i = 0; i < positions.size(); ++i) (*items)[i].position = positions[i];
  return options->values;
}

// Makes a handle with all defaults.
template <typename Options>
kvclient_code Create(Options** options) noexcept {
  return Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckGiven(options, "options"));
    *options = nullptr;
    *options = new Options;
    return Status::Ok();
  });
}

}  // namespace kvstore::capi

#endif  // KVSTORE_SRC_CAPI_OPTION_HANDLES_H_
