#ifndef KVSTORE_SRC_MASTER_MESSAGE_IN_ARENA_H_
#define KVSTORE_SRC_MASTER_MESSAGE_IN_ARENA_H_

#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstddef>

namespace kvstore::master {

// A message that is filled, and soon gone. All that it comes to hold lies in a block or two of
// memory and goes with them: its columns, which grow as they are read, and the messages within it
// would each take and give back pieces of their own.
template <typename Message>
class MessageInArena {
 public:
  // `bytes`: what it will hold, about.
  explicit MessageInArena(size_t bytes)
      : arena_(OptionsFor(bytes)),
        message_(google::protobuf::Arena::CreateMessage<Message>(&arena_)) {}
  Message& operator*() { return *message_; }

 private:
  static google::protobuf::ArenaOptions OptionsFor(size_t bytes) {
    constexpr size_t kLeast = 768, kMost = 1u << 20;
    google::protobuf::ArenaOptions options;
    options.start_block_size = std::clamp(bytes, kLeast, kMost);
    options.max_block_size = std::max(options.start_block_size, options.max_block_size);
    return options;
  }

  google::protobuf::Arena arena_;
  Message* const message_;
};

// Bytes that are nobody's message.
template <>
class MessageInArena<grpc::ByteBuffer> {
 public:
  explicit MessageInArena(size_t) {}
  grpc::ByteBuffer& operator*() { return message_; }

 private:
  grpc::ByteBuffer message_;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_MESSAGE_IN_ARENA_H_
