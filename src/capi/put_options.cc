#include "capi/option_handles.h"

namespace {

using kvstore::Placement;
using kvstore::PutOptions;
using kvstore::Status;
using kvstore::capi::Change;
using kvstore::capi::CheckGiven;
using kvstore::capi::FromMilliseconds;
using kvstore::capi::Set;

static_assert(KVCLIENT_LOCAL_FIRST == static_cast<int>(Placement::kLocalFirst));
static_assert(KVCLIENT_SPREAD == static_cast<int>(Placement::kSpread));
static_assert(KVCLIENT_THIS_HOST == static_cast<int>(Placement::kThisHost));

}  // namespace

kvclient_code kvclient_put_options_create(kvclient_put_options** options) {
  return kvstore::capi::Create(options);
}

void kvclient_put_options_free(kvclient_put_options* options) { delete options; }

kvclient_code kvclient_put_options_set_timeout_ms(kvclient_put_options* options,
                                                  int64_t timeout_ms) {
  return Set(options, &PutOptions::timeout, FromMilliseconds(timeout_ms));
}

kvclient_code kvclient_put_options_set_replace(kvclient_put_options* options, int replace) {
  return Set(options, &PutOptions::replace, replace != 0);
}

kvclient_code kvclient_put_options_set_replicas(kvclient_put_options* options, uint32_t replicas) {
  return Set(options, &PutOptions::replicas, replicas);
}

kvclient_code kvclient_put_options_set_placement(kvclient_put_options* options, int placement) {
  return Change(options, [&](PutOptions& values) -> Status {
    if (placement < KVCLIENT_LOCAL_FIRST || placement > KVCLIENT_THIS_HOST) {
      return kvstore::InvalidArgumentError(
          "the placement is " + std::to_string(placement) +
          "; it must be KVCLIENT_LOCAL_FIRST, KVCLIENT_SPREAD or KVCLIENT_THIS_HOST");
    }
    values.placement = static_cast<Placement>(placement);
    return Status::Ok();
  });
}

kvclient_code kvclient_put_options_add_preferred_node(kvclient_put_options* options,
                                                      const char* name) {
  return Change(options, [&](PutOptions& values) -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckGiven(name, "name"));
    values.preferred_nodes.emplace_back(name);
    return Status::Ok();
  });
}
