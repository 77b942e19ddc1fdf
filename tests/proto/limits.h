#ifndef KVSTORE_TESTS_PROTO_LIMITS_H_
#define KVSTORE_TESTS_PROTO_LIMITS_H_

// For tests of the contract's limits.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "proto/codec.h"

namespace kvstore {

inline constexpr uint64_t kExtent = uint64_t{1} << 44;
inline constexpr uint64_t kTenYearsUs = uint64_t{3650} * 24 * 3600 * 1'000'000;

template <typename Message>
void ExpectTaken(Message message) {
  const auto decoded = Decode(std::move(message));
  EXPECT_TRUE(decoded.ok()) << decoded.status();
}

// Refused, with these words in its message.
template <typename Message>
void ExpectRefused(Message message, const std::string& words) {
  const Status status = Decode(std::move(message)).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find(words), std::string::npos)
      << "'" << status.message() << "' says nothing of '" << words << "'";
}

}  // namespace kvstore

#endif  // KVSTORE_TESTS_PROTO_LIMITS_H_
