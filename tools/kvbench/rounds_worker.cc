#include "tools/kvbench/rounds_worker.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <tuple>
#include <utility>

#include "kvstore/client.h"
#include "tools/kvbench/measure.h"
#include "tools/kvbench/objects.h"
#include "tools/kvbench/transfers.h"
#include "tools/kvbench/walk.h"
#include "tools/text/ways.h"

namespace kvstore::bench {
namespace {

constexpr const char* kFilled = "filled";
constexpr uint64_t kFillSize = 64;
constexpr uint64_t kFillBatch = 4096;
constexpr uint64_t kBuffers = 256u << 20;

struct Figures {
  double keys_per_second = 0;
  double p50_us = 0;
};

class RoundsWorker {
 public:
  RoundsWorker(std::unique_ptr<Client> client, Walk walk)
      : client_(std::move(client)), walk_(std::move(walk)) {}

  Result<Figures> Obey(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "fill") {
      words >> filled_;
      KVSTORE_RETURN_IF_ERROR(words ? Fill() : BadLine(line));
      return Figures{.keys_per_second = static_cast<double>(filled_)};
    }
    Load load;
    uint64_t over = 0;
    int64_t milliseconds = 0;
    words >> load.size >> load.count >> over >> milliseconds;
    const bool known = verb == "put" || verb == "get" || (verb == "exists" && filled_ > 0);
    if (!words || !known || load.bytes() == 0 || std::max(over, load.bytes()) > kBuffers) {
      return BadLine(line);
    }
    const Duration time = std::chrono::milliseconds(milliseconds);
    if (verb == "exists") return Ask(load.count, time);
    return Move(verb == "put", load, over, time);
  }

 private:
  static Status BadLine(const std::string& line) {
    return InvalidArgumentError("'" + line + "' is no order");
  }

  Status Fill() {
    for (uint64_t first = 0; first < filled_; first += kFillBatch) {
      const uint64_t count = std::min(kFillBatch, filled_ - first);
      KVSTORE_RETURN_IF_ERROR(Batch(kFilled, first, count, kFillSize, &walk_).Put(*client_));
    }
    return Status::Ok();
  }

  Result<Figures> Ask(uint64_t count, Duration time) {
    Walk nothing = walk_.Beginning(kFillSize);
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, [&]() -> Result<Duration> {
                               next_ = next_ + count > filled_ ? 0 : next_;
                               const Batch batch(kFilled, next_, std::min(count, filled_),
                                                 kFillSize, &nothing);
                               next_ += count;
                               return Time([&] { return batch.Exists(*client_); });
                             }));
    return Figures{times.PerSecond(static_cast<double>(count)), times.PercentileUs(0.5)};
  }

  Result<Figures> Move(bool puts, Load load, uint64_t over, Duration time) {
    const auto kind = std::tuple(puts, load.size, load.count, over);
    auto round = rounds_.find(kind);
    if (round == rounds_.end()) {
      const Figure figure = [this](const Times& times) {
        last_p50_us_ = times.PercentileUs(0.5);
        return times.PerSecond(1);
      };
      KVSTORE_ASSIGN_OR_RETURN(Round made,
                               (puts ? Puts : Gets)(&walk_, client_.get(), load, over, figure));
      round = rounds_.emplace(kind, std::move(made)).first;
    }
    KVSTORE_ASSIGN_OR_RETURN(const double calls, round->second(time));
    return Figures{calls * static_cast<double>(load.count), last_p50_us_};
  }

  const std::unique_ptr<Client> client_;
  Walk walk_;
  std::map<std::tuple<bool, uint64_t, uint64_t, uint64_t>, Round> rounds_;
  double last_p50_us_ = 0;
  uint64_t filled_ = 0;
  uint64_t next_ = 0;
};

int Fail(const Status& status) {
  std::cerr << "kvbench: " << status << std::endl;
  return 1;
}

}  // namespace

int WorkInRounds(const RoundsWork& work) {
  ClientOptions options;
  options.master = work.master;
  options.lend_bytes = work.lend_bytes;
  if (work.forgetful) options.remember_locations = 0;
  Result<std::vector<transfer::Way>> ways = text::ParseWays(work.ways);
  if (!ways.ok()) return Fail(ways.status());
  options.ways = *std::move(ways);
  Result<std::unique_ptr<Client>> client = Client::Connect(options);
  if (!client.ok()) return Fail(client.status());
  Result<Walk> walk = Walk::Private(kBuffers);
  if (!walk.ok()) return Fail(walk.status());
  RoundsWorker worker(*std::move(client), *std::move(walk));
  std::cout << "waits for orders" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const Result<Figures> figures = worker.Obey(line);
    if (figures.ok()) {
      std::cout << "done " << figures->keys_per_second << ' ' << figures->p50_us << std::endl;
    } else {
      std::cout << "failed: " << figures.status() << std::endl;
    }
  }
  return 0;
}

}  // namespace kvstore::bench
