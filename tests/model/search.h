#ifndef KVSTORE_TESTS_MODEL_SEARCH_H_
#define KVSTORE_TESTS_MODEL_SEARCH_H_

#include <cstddef>
#include <string>
#include <vector>

#include "model/rules.h"

namespace kvstore::model {

struct Finding {
  std::string violation;           // empty: none
  std::vector<std::string> steps;  // a shortest way to it
  size_t states = 0;               // that were reached
  bool exhausted = false;          // every reachable state was looked at
};

// Walks the states breadth first until a violation, or up to `most_states`.
Finding Search(const Rules& rules, size_t most_states);

}  // namespace kvstore::model

#endif  // KVSTORE_TESTS_MODEL_SEARCH_H_
