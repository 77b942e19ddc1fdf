#ifndef KVSTORE_SRC_CAPI_RESULTS_H_
#define KVSTORE_SRC_CAPI_RESULTS_H_

#include <memory>
#include <vector>

#include "capi/guard.h"
#include "kvstore/client.h"
#include "kvstore/kvclient.h"

// One answer per item of one call. Fields that its verb has nothing for are empty.
struct kvclient_results {
  std::vector<kvstore::Status> statuses;  // one per item
  std::vector<uint64_t> sizes;
  std::vector<bool> found;
  std::vector<kvstore::ObjectStat> stats;
};

namespace kvstore::capi {

// The answers of a call under way. Made before the verb does anything, so that memory for what it
// did can't be short afterwards but for the answers of the verb itself.
class Results {
 public:
  // `wanted` is the caller's, null when nobody wants the answers; set to null until HandOver.
  explicit Results(kvclient_results** wanted) : wanted_(wanted) {
    if (wanted_ != nullptr) *wanted_ = nullptr;
  }

  kvclient_results* operator->() { return made_.get(); }

  // Gives them to the caller if wanted, and returns the first that isn't OK.
  Status HandOver();

 private:
  kvclient_results** const wanted_;
  std::unique_ptr<kvclient_results> made_ = std::make_unique<kvclient_results>();
};

// The verbs' kinds of answers, as statuses and sizes.
void Take(std::vector<GetResult> got, Results* results);

}  // namespace kvstore::capi

#endif  // KVSTORE_SRC_CAPI_RESULTS_H_
