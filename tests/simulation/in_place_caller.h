#ifndef KVSTORE_TESTS_SIMULATION_IN_PLACE_CALLER_H_
#define KVSTORE_TESTS_SIMULATION_IN_PLACE_CALLER_H_

#include <memory>
#include <vector>

#include "kvstore/client.h"
#include "simulation/calling.h"

namespace kvstore::simulation {

// One thread's calls that work on objects where they lie: views, held for a while, and new objects,
// filled in place. Confined to that thread.
class InPlaceCaller : private Calling {
 public:
  using Calling::Calling;

  void View();
  void Create();
  // Every view that is held must still show the bytes of its put, whatever has become of it; lets
  // go of those that were held long enough.
  void LookAtViews();
  void LetGoOfAll() { held_.clear(); }

 private:
  struct Held {
    std::string key;
    uint64_t number = 0;  // of its value
    std::unique_ptr<ObjectView> view;
    Instant until{};
    bool outlived = false;  // its object, which nobody can find any more
  };

  void EndView(const std::string& key, Checker::Mark begun,
               Result<std::unique_ptr<ObjectView>> viewed);
  void LookAt(Held* held);
  // False: the process has died.
  bool Fill(NewObject* object, uint64_t number);

  std::vector<Held> held_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_IN_PLACE_CALLER_H_
