#ifndef KVSTORE_TESTS_SYSTEM_TOLD_VALUE_H_
#define KVSTORE_TESTS_SYSTEM_TOLD_VALUE_H_

#include "tools/kvbench/told_value.h"

namespace kvstore::cluster {

using bench::kCellBytes;
using bench::ToldValue;
using bench::VersionTold;

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_TOLD_VALUE_H_
