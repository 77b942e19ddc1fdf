// One object of 512 x 8 KiB, hot, to and from as many pieces of memory; against one contiguous
// copy: the store's own of as much, or memcpy, which computes no checksum and asks no master.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/kvbench/bench.h"
#include "tools/kvbench/limits.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/objects.h"
#include "tools/kvbench/row.h"
#include "tools/kvbench/transfers.h"

namespace kvstore::bench {
namespace {

constexpr uint64_t kPieces = 512;
constexpr uint64_t kPiece = 8u << 10;
constexpr uint64_t kObject = kPieces * kPiece;
constexpr double kTarget = 0.8;

// An object under one key, and where its pieces lie: every other one of a stretch of twice its
// size.
class Scattered {
 public:
  Scattered(Client* client, Walk walk) : client_(client) {
    for (uint64_t i = 0; i < kPieces; ++i) {
      in_.push_back({walk.Next(kPiece).data(), kPiece});
      walk.Next(kPiece);
      out_.push_back({in_.back().data, kPiece});
    }
  }
  ~Scattered() { (void)Remove(); }

  Status Put() {
    const PutItem item{.key = key_, .pieces = out_};
    return FirstOf(client_->Put({&item, 1}));
  }
  Status Get() {
    const GetItem item{.key = key_, .pieces = in_};
    return client_->Get({&item, 1})[0].status;
  }
  Status Remove() {
    const std::string_view key = key_;
    return FirstOf(client_->Remove({&key, 1}));
  }

 private:
  Client* const client_;
  const std::string key_ = KeyOf("scattered", 0);
  std::vector<Piece> in_;
  std::vector<ConstPiece> out_;
};

Result<Round> ScatterRound(Bench& bench, const char* ways, Direction direction) {
  KVSTORE_ASSIGN_OR_RETURN(Client* const client, bench.client(ways));
  KVSTORE_ASSIGN_OR_RETURN(Walk* const walk, bench.buffers());
  const auto object = std::make_shared<Scattered>(client, walk->Beginning(2 * kObject));
  KVSTORE_RETURN_IF_ERROR(object->Put());
  const Figure figure = GigabytesPerSecond({1, kObject});
  return Round([=](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, [&]() -> Result<Duration> {
                               if (direction == Direction::kReceive) {
                                 return Time([&] { return object->Get(); });
                               }
                               KVSTORE_RETURN_IF_ERROR(object->Remove());
                               return Time([&] { return object->Put(); });
                             }));
    return figure(times);
  });
}

Result<Round> OnePiece(Bench& bench, const char* ways, Direction direction) {
  KVSTORE_ASSIGN_OR_RETURN(Client* const client, bench.client(ways));
  KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
  const Load whole{1, kObject};
  return (direction == Direction::kReceive ? Gets : Puts)(buffers, client, whole, kObject,
                                                          GigabytesPerSecond(whole));
}

Row ScatterRow(std::string name, const char* ways, Direction direction, bool against_memcpy) {
  return {.name = std::move(name),
          .about = "512 pieces of 8 KiB, hot, two processes",
          .unit = "GB/s",
          .against = against_memcpy ? "memcpy" : "in one piece",
          .better = Better::kMore,
          .target = against_memcpy ? std::nullopt : std::optional<double>(kTarget),
          .run = [=](Bench& bench) -> Result<Outcome> {
            KVSTORE_ASSIGN_OR_RETURN(const Round store, ScatterRound(bench, ways, direction));
            KVSTORE_ASSIGN_OR_RETURN(const Round limit, against_memcpy
                                                            ? HotCopy(bench, direction, kObject)
                                                            : OnePiece(bench, ways, direction));
            return Alternate(Better::kMore, bench.time(), store, limit);
          }};
}

}  // namespace

std::vector<Row> ScatterRows() {
  return {
      ScatterRow("scatter-get-512x8KiB-shm", "shm", Direction::kReceive, false),
      ScatterRow("scatter-put-512x8KiB-shm", "shm", Direction::kSend, false),
      ScatterRow("scatter-get-512x8KiB-tcp", "tcp", Direction::kReceive, false),
      ScatterRow("scatter-put-512x8KiB-tcp", "tcp", Direction::kSend, false),
      ScatterRow("scatter-get-shm-memcpy", "shm", Direction::kReceive, true),
      ScatterRow("scatter-put-shm-memcpy", "shm", Direction::kSend, true),
  };
}

}  // namespace kvstore::bench
