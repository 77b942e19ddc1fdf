#include "tools/kvbench/bench.h"

#include <utility>

#include "tools/kvbench/crowd.h"
#include "tools/kvbench/paper_crowd.h"
#include "tools/text/ways.h"

namespace kvstore::bench {
namespace {

// What `made` holds, made by `make` when it holds nothing.
template <typename Thing, typename Make>
Result<Thing*> Once(std::unique_ptr<Thing>* made, const Make& make) {
  if (*made == nullptr) {
    KVSTORE_ASSIGN_OR_RETURN(*made, make());
  }
  return made->get();
}

}  // namespace

Bench::Bench(BenchOptions options) : options_(std::move(options)) {}
Bench::~Bench() = default;

Result<Walk*> Bench::buffers() {
  if (!buffers_) {
    KVSTORE_ASSIGN_OR_RETURN(buffers_, Walk::Private(walk_bytes()));
  }
  return &*buffers_;
}

Result<Walk*> Bench::lent() {
  if (!lent_) {
    KVSTORE_ASSIGN_OR_RETURN(lent_, Walk::Shared(walk_bytes()));
  }
  return &*lent_;
}

Result<Pool*> Bench::pool() {
  constexpr uint64_t kMore = 512u << 20;
  return Once(&pool_, [&] {
    return Pool::Start(
        {.programs = options_.programs, .lend_bytes = 2 * walk_bytes() + kMore, .state_file = ""});
  });
}

Result<Client*> Bench::client(std::string_view ways, Habit habit) {
  KVSTORE_ASSIGN_OR_RETURN(Pool* const of, pool());
  return Once(&clients_[{std::string(ways), habit}], [&]() -> Result<std::unique_ptr<Client>> {
    ClientOptions options;
    KVSTORE_ASSIGN_OR_RETURN(options.ways, text::ParseWays(ways));
    options.verify_checksums = habit != Habit::kTrusting;
    if (habit == Habit::kForgetful) options.remember_locations = 0;
    return of->Connect(options);
  });
}

Result<Client*> Bench::lending_client() {
  KVSTORE_ASSIGN_OR_RETURN(
      Pool* const of, Once(&lone_pool_, [&] {
        return Pool::Start({.programs = options_.programs, .lend_bytes = 0, .state_file = ""});
      }));
  return Once(&lending_client_, [&] {
    ClientOptions options;
    options.lend_bytes = 512u << 20;
    return of->Connect(options);
  });
}

Result<SocketLimit*> Bench::sockets() {
  return Once(&sockets_, [&] { return SocketLimit::Start(options_.programs, walk_bytes()); });
}

Result<GrpcLimit*> Bench::grpc() {
  return Once(&grpc_, [&] { return GrpcLimit::Start(options_.programs); });
}

Result<Crowd*> Bench::crowd(uint64_t objects) {
  return Once(&crowds_[objects], [&] { return Crowd::Gather(*this, objects); });
}

Result<PaperCrowd*> Bench::paper_crowd(uint64_t objects) {
  return Once(&paper_crowds_[objects],
              [&] { return PaperCrowd::Gather(options_.programs, objects); });
}

void Bench::Disperse() { crowds_.clear(); }

}  // namespace kvstore::bench
