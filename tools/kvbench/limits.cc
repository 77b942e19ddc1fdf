#include "tools/kvbench/limits.h"

#include <cstring>
#include <utility>

namespace kvstore::bench {
namespace {

struct Ends {
  Walk* buffers;
  Walk* lent;
};

Result<Ends> EndsOf(Bench& bench) {
  KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
  KVSTORE_ASSIGN_OR_RETURN(Walk* const lent, bench.lent());
  return Ends{buffers, lent};
}

Duration CopyOnce(Ends ends, Direction direction, uint64_t size) {
  Walk* const from = direction == Direction::kReceive ? ends.lent : ends.buffers;
  Walk* const to = direction == Direction::kReceive ? ends.buffers : ends.lent;
  const std::byte* const source = from->Next(size).data();
  std::byte* const destination = to->Next(size).data();
  const TimePoint began = BootClock::now();
  std::memcpy(destination, source, size);
  return BootClock::now() - began;
}

Result<Times> HotCopies(Ends ends, Direction direction, uint64_t size, uint64_t hot,
                        Duration time) {
  Walk buffers = ends.buffers->Beginning(hot);
  Walk lent = ends.lent->Beginning(hot);
  return Repeat(time, [&, direction, size]() -> Result<Duration> {
    return CopyOnce({&buffers, &lent}, direction, size);
  });
}

}  // namespace

Result<Round> ColdCopy(Bench& bench, Direction direction, uint64_t size) {
  KVSTORE_ASSIGN_OR_RETURN(const Ends ends, EndsOf(bench));
  return Round([=](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, [=]() -> Result<Duration> {
                               return CopyOnce(ends, direction, size);
                             }));
    return times.PerSecond(static_cast<double>(size)) / 1e9;
  });
}

Result<Round> HotCopy(Bench& bench, Direction direction, uint64_t size) {
  KVSTORE_ASSIGN_OR_RETURN(const Ends ends, EndsOf(bench));
  return Round([=, hot = bench.hot_bytes()](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, HotCopies(ends, direction, size, hot, time));
    return times.PerSecond(static_cast<double>(size)) / 1e9;
  });
}

Result<Round> HotCopyTime(Bench& bench, Direction direction, uint64_t size, double share) {
  KVSTORE_ASSIGN_OR_RETURN(const Ends ends, EndsOf(bench));
  return Round([=, hot = bench.hot_bytes()](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, HotCopies(ends, direction, size, hot, time));
    return times.PercentileUs(share);
  });
}

Result<Round> Sockets(Bench& bench, Direction direction) {
  KVSTORE_ASSIGN_OR_RETURN(SocketLimit* const sockets, bench.sockets());
  KVSTORE_ASSIGN_OR_RETURN(Walk* const buffers, bench.buffers());
  return Round([=](Duration time) { return sockets->Move(direction, time, buffers); });
}

Result<Round> SocketTrip(Bench& bench, uint64_t reply_bytes, double share) {
  KVSTORE_ASSIGN_OR_RETURN(SocketLimit* const sockets, bench.sockets());
  return Round([=](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, sockets->RoundTrips(reply_bytes, time));
    return times.PercentileUs(share);
  });
}

Result<Round> GrpcUnary(Bench& bench, MessageSizes sizes) {
  KVSTORE_ASSIGN_OR_RETURN(GrpcLimit* const grpc, bench.grpc());
  return Round([=](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, grpc->Unary(sizes, time));
    return times.PercentileUs(0.5);
  });
}

Result<Round> GrpcStream(Bench& bench, MessageSizes sizes) {
  KVSTORE_ASSIGN_OR_RETURN(GrpcLimit* const grpc, bench.grpc());
  return Round([=](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, grpc->Stream(sizes, time));
    return times.PercentileUs(0.5);
  });
}

Round PerSecond(Round microseconds, double amount) {
  return [round = std::move(microseconds), amount](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const double us, round(time));
    return amount / us * 1e6;
  };
}

}  // namespace kvstore::bench
