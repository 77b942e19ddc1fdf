#include "simulation/calling.h"

#include <algorithm>

#include "simulation/value.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
constexpr Duration kSlack = milliseconds(60);  // by which a call may outlive its timeout
}  // namespace

Calling::Calling(World* world, SimNode* node, size_t thread)
    : world_(*world),
      random_(world->scheduler.random()),
      node_(*node),
      name_(node->plan().name + "." + std::to_string(thread)) {}

uint64_t Calling::AnySize() {
  if (random_.Chance(0.06)) return 0;
  return random_.Between(kCellBytes, std::max(kCellBytes, world_.plan.largest_value));
}

Duration Calling::AnyTimeout() {
  const uint64_t kind = random_.Below(10);
  if (kind < 3) return random_.Between(milliseconds(3), milliseconds(100));
  if (kind < 8) return random_.Between(milliseconds(200), milliseconds(2000));
  return random_.Between(seconds(2), seconds(4));
}

Asked Calling::AnyWishes(PutOptions* options) {
  options->replace = random_.Chance(0.6);
  options->durable = random_.Chance(0.4);
  if (world_.plan.wishes) {
    options->hard_pin = random_.Chance(0.05);
    if (random_.Chance(0.1)) options->soft_pin = random_.Between(milliseconds(50), seconds(1));
    if (random_.Chance(0.1)) options->ttl = random_.Between(milliseconds(100), seconds(2));
    if (random_.Chance(0.1)) options->group = "g" + std::to_string(random_.Below(2));
  }
  return {options->replace, options->durable, options->hard_pin, options->ttl};
}

bool Calling::End(const Call& call, const char* what) {
  if (!node_.alive()) return false;
  // A paused process could not return in time; it does so at once when it goes on.
  const Process& process = *node_.process();
  const Duration late = process.Now() - call.deadline();
  const Duration running = world_.scheduler.now() - process.paused_until();
  if (late > kSlack && running > kSlack) {
    world_.checker.Fail("I8: " + std::string(what) + " by " + name_ + " outlived its timeout by " +
                        std::to_string(late.count() / 1'000'000) + " ms");
  }
  return true;
}

void Calling::EndPut(uint64_t number, const Status& status) {
  world_.checker.EndPut(number, status);
  switch (status.code()) {
    case StatusCode::kOk:
      if (world_.checker.WasDurable(number)) Count(Event::kDurableOk);
      return Count(Event::kPutsOk);
    case StatusCode::kAlreadyExists:
      return Count(Event::kPutsRefused);
    case StatusCode::kResourceExhausted:
      return Count(Event::kPutsFull);
    case StatusCode::kDeadlineExceeded:
      return Count(Event::kPutsUnknown);
    case StatusCode::kInternal:
      return world_.checker.Fail("a Put ended " + status.ToString());
    default:
      return Count(Event::kPutsAborted);
  }
}

}  // namespace kvstore::simulation
