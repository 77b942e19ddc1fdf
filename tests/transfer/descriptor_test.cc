#include "transfer/descriptor.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace kvstore::transfer {
namespace {

PeerDescriptor Sample() {
  return {.incarnation = {.high = 0x0123456789abcdef, .low = 42},
          .host = "a-machine",
          .endpoints = {"127.0.0.1:4000", "[::1]:4001"}};
}

TEST(DescriptorTest, ComesBackAsItWasEncoded) {
  for (const size_t endpoints : {size_t{0}, size_t{1}, size_t{2}}) {
    PeerDescriptor peer = Sample();
    peer.endpoints.resize(endpoints);
    const Result<PeerDescriptor> decoded = DecodeDescriptor(EncodeDescriptor(peer));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, peer);
  }
}

TEST(DescriptorTest, EveryPrefixAndEveryLongerTextIsRefused) {
  const std::string bytes = EncodeDescriptor(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeDescriptor(bytes.substr(0, size)).status().code(), StatusCode::kInvalidArgument)
        << size;
  }
  EXPECT_FALSE(DecodeDescriptor(bytes + "x").ok());
}

TEST(DescriptorTest, TheNameOfAnEngineThatSharesMemoryComesBackToo) {
  PeerDescriptor peer = Sample();
  const std::string without = EncodeDescriptor(peer);
  peer.shm_socket = "0123456789abcdef0123456789abcdef";
  const std::string bytes = EncodeDescriptor(peer);
  const Result<PeerDescriptor> decoded = DecodeDescriptor(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, peer);
  for (size_t size = without.size() + 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeDescriptor(bytes.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeDescriptor(bytes + "x").ok());
  // Nothing that no engine draws: the name ends up in a socket's address.
  for (const std::string& name :
       {std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'), std::string(32, '\0')}) {
    EXPECT_FALSE(DecodeDescriptor(without + static_cast<char>(name.size()) + name).ok()) << name;
  }
  EXPECT_FALSE(DecodeDescriptor(without + '\0').ok());
}

TEST(DescriptorTest, NoIncarnationAndOtherVersionsAreRefused) {
  PeerDescriptor peer = Sample();
  peer.incarnation = {};
  EXPECT_FALSE(DecodeDescriptor(EncodeDescriptor(peer)).ok());
  std::string bytes = EncodeDescriptor(Sample());
  bytes[6] = 2;
  EXPECT_FALSE(DecodeDescriptor(bytes).ok());
}

TEST(DescriptorTest, DamagedBytesAreRefusedOrMeanAnotherPeer) {
  const bool held = rc::check("a changed byte changes the peer", [] {
    const std::string bytes = EncodeDescriptor(Sample());
    std::string damaged = bytes;
    damaged[*rc::gen::inRange<size_t>(0, bytes.size())] = *rc::gen::arbitrary<char>();
    const Result<PeerDescriptor> decoded = DecodeDescriptor(damaged);
    if (decoded.ok()) RC_ASSERT((*decoded == Sample()) == (damaged == bytes));
  });
  EXPECT_TRUE(held);
}

TEST(DescriptorTest, AnyBytesAreSafeToDecode) {
  const bool held = rc::check("random bytes behind a good prefix", [] {
    const auto tail = *rc::gen::arbitrary<std::string>();
    const Result<PeerDescriptor> decoded =
        DecodeDescriptor(EncodeDescriptor(Sample()).substr(0, 7) + tail);
    if (decoded.ok()) RC_ASSERT(DecodeDescriptor(EncodeDescriptor(*decoded)).ok());
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace kvstore::transfer
