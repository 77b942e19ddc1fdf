#ifndef KVSTORE_TESTS_SIMULATION_CALLING_H_
#define KVSTORE_TESTS_SIMULATION_CALLING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kvstore/client.h"
#include "simulation/world.h"

namespace kvstore::simulation {

// What all calls of one thread of a node have in common: keys, sizes and timeouts at random, and
// ends in time. Confined to that thread.
class Calling {
 public:
  Calling(World* world, SimNode* node, size_t thread);

 protected:
  struct Call {
    Duration timeout{};
    TimePoint began;
    TimePoint deadline() const { return began + timeout; }
  };

  std::string AnyKey() { return world_.KeyName(random_.Below(world_.plan.keys)); }
  uint64_t AnySize();
  Duration AnyTimeout();
  void WaitFor(Duration time) { world_.scheduler.WaitUntil(world_.scheduler.now() + time); }

  Call Begin() { return {AnyTimeout(), node_.process()->Now()}; }
  // False: the process has died, so that nobody has heard the answer.
  bool End(const Call& call, const char* what);
  // What a put asks for beyond its bytes; also into the options.
  Asked AnyWishes(PutOptions* options);
  // Tells the checker of a put's end, and counts it.
  void EndPut(uint64_t number, const Status& status);

  template <typename... Parts>
  void Say(const Parts&... parts) {
    world_.transcript.Say(name_, parts...);
  }
  void Count(Event event, uint64_t times = 1) { world_.counts.Add(event, times); }

  World& world_;
  Random& random_;
  SimNode& node_;
  const std::string name_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_CALLING_H_
