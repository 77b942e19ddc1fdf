#include "native/log.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstdlib>

namespace kvstore::python {

void LogWarningsOnly() {
  if (std::getenv("GLOG_minloglevel") != nullptr) return;
  FLAGS_minloglevel = std::max<int>(FLAGS_minloglevel, google::GLOG_WARNING);
}

}  // namespace kvstore::python
