#include <string>

#include "capi/items.h"
#include "capi/option_handles.h"

namespace {

using kvstore::Placement;
using kvstore::PutOptions;
using kvstore::Status;
using kvstore::capi::Change;
using kvstore::capi::CheckArray;
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

kvclient_code kvclient_put_options_set_durable(kvclient_put_options* options, int durable) {
  return Set(options, &PutOptions::durable, durable != 0);
}

kvclient_code kvclient_put_options_set_hard_pin(kvclient_put_options* options, int pin) {
  return Set(options, &PutOptions::hard_pin, pin != 0);
}

kvclient_code kvclient_put_options_set_soft_pin_ms(kvclient_put_options* options, int64_t pin_ms) {
  return Set(options, &PutOptions::soft_pin, FromMilliseconds(pin_ms));
}

kvclient_code kvclient_put_options_set_ttl_ms(kvclient_put_options* options, int64_t ttl_ms) {
  return Set(options, &PutOptions::ttl, FromMilliseconds(ttl_ms));
}

kvclient_code kvclient_put_options_set_group(kvclient_put_options* options, const void* group,
                                             uint64_t size) {
  return Change(options, [&](PutOptions& values) -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckArray(group, size, "group"));
    values.group = size == 0 ? "" : std::string(static_cast<const char*>(group), size);
    return Status::Ok();
  });
}

kvclient_code kvclient_put_options_set_check_source(kvclient_put_options* options, int check) {
  return Set(options, &PutOptions::check_source, check != 0);
}

kvclient_code kvclient_put_options_set_positions(kvclient_put_options* options,
                                                 const uint32_t* positions, uint64_t count) {
  return Change(options, [&](PutOptions&) -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckArray(positions, count, "positions"));
    options->positions.assign(positions, positions + count);
    return Status::Ok();
  });
}
