#ifndef KVSTORE_TESTS_FAKES_FAKE_POOL_H_
#define KVSTORE_TESTS_FAKES_FAKE_POOL_H_

#include <memory>
#include <string>
#include <vector>

#include "client/parts.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_engine.h"
#include "fakes/fake_master.h"
#include "fakes/fake_node.h"

namespace kvstore::testing {

// Three nodes on hosts a, b and c, a master, and what a Put or a Get on a node that lends nothing
// works with.
struct FakePool {
  FakePool() {
    for (uint64_t i = 0; i < 3; ++i) {
      nodes.push_back(
          std::make_unique<FakeNode>(i + 1, std::string(1, static_cast<char>('a' + i))));
    }
    master.pause = [this](TimePoint until) { clock.AdvanceTo(until); };
  }

  std::vector<std::unique_ptr<FakeNode>> nodes;
  FakeMaster master{nodes};
  FakeEngine engine{nodes};
  FakeClock clock;
  client::Parts parts{master, engine, clock, {}};
};

inline transfer::Completion Failed(Status status) {
  return {transfer::Outcome::kFailed, std::move(status), transfer::Way::kTcp};
}
inline transfer::Completion InDoubt(Status status) {
  return {transfer::Outcome::kInDoubt, std::move(status), transfer::Way::kTcp};
}

}  // namespace kvstore::testing

#endif  // KVSTORE_TESTS_FAKES_FAKE_POOL_H_
