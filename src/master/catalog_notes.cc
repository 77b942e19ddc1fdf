// What holders keep for the next master.

#include "master/catalog_state.h"

namespace kvstore::master {}  // namespace kvstore::master
