#ifndef KVSTORE_TESTS_MODEL_HAPPENING_H_
#define KVSTORE_TESTS_MODEL_HAPPENING_H_

#include <functional>
#include <string>

namespace kvstore::model {

// One thing that may happen: the state after it, what it was, and what is wrong with it, if
// anything.
template <typename State>
struct Happening {
  const State& next;
  const std::string& text;
  const std::string& violation;
};

template <typename State>
using Visit = std::function<void(const Happening<State>&)>;

}  // namespace kvstore::model

#endif  // KVSTORE_TESTS_MODEL_HAPPENING_H_
