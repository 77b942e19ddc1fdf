#include "capi/option_handles.h"

namespace {

using kvstore::ClientOptions;
using kvstore::Status;
using kvstore::capi::Change;
using kvstore::capi::FromMilliseconds;
using kvstore::capi::Set;
using kvstore::capi::SetText;
using kvstore::transfer::Way;

static_assert(KVCLIENT_WAY_LOCAL == static_cast<int>(Way::kLocal));
static_assert(KVCLIENT_WAY_SHM == static_cast<int>(Way::kShm));
static_assert(KVCLIENT_WAY_TCP == static_cast<int>(Way::kTcp));
static_assert(KVCLIENT_WAY_RDMA == static_cast<int>(Way::kRdma));

}  // namespace

kvclient_code kvclient_options_create(kvclient_options** options) {
  return kvstore::capi::Create(options);
}

void kvclient_options_free(kvclient_options* options) { delete options; }

kvclient_code kvclient_options_set_master(kvclient_options* options, const char* host_port) {
  return SetText(options, &ClientOptions::master, host_port);
}

kvclient_code kvclient_options_set_name(kvclient_options* options, const char* name) {
  return SetText(options, &ClientOptions::name, name);
}

kvclient_code kvclient_options_set_lend_bytes(kvclient_options* options, uint64_t bytes) {
  return Set(options, &ClientOptions::lend_bytes, bytes);
}

kvclient_code kvclient_options_set_listen(kvclient_options* options, const char* address_port) {
  return SetText(options, &ClientOptions::listen, address_port);
}

kvclient_code kvclient_options_set_advertise(kvclient_options* options, const char* address) {
  return SetText(options, &ClientOptions::advertise, address);
}

kvclient_code kvclient_options_set_allow_remote(kvclient_options* options, int allow) {
  return Set(options, &ClientOptions::allow_remote, allow != 0);
}

kvclient_code kvclient_options_add_way(kvclient_options* options, int way) {
  return Change(options, [&](ClientOptions& values) -> Status {
    if (way < KVCLIENT_WAY_LOCAL || way > KVCLIENT_WAY_RDMA) {
      return kvstore::InvalidArgumentError("the way is " + std::to_string(way) +
                                           "; it must be one of KVCLIENT_WAY_*");
    }
    values.ways.push_back(static_cast<Way>(way));
    return Status::Ok();
  });
}

kvclient_code kvclient_options_add_rdma_device(kvclient_options* options, const char* name) {
  return Change(options, [&](ClientOptions& values) -> Status {
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckGiven(name, "name"));
    values.rdma_devices.emplace_back(name);
    return Status::Ok();
  });
}

kvclient_code kvclient_options_set_rdma_gid_index(kvclient_options* options, int index) {
  return Set(options, &ClientOptions::rdma_gid_index, index);
}

kvclient_code kvclient_options_set_connect_timeout_ms(kvclient_options* options,
                                                      int64_t timeout_ms) {
  return Set(options, &ClientOptions::connect_timeout, FromMilliseconds(timeout_ms));
}

kvclient_code kvclient_options_set_master_patience_ms(kvclient_options* options,
                                                      int64_t patience_ms) {
  return Set(options, &ClientOptions::master_patience, FromMilliseconds(patience_ms));
}

kvclient_code kvclient_options_set_verify_checksums(kvclient_options* options, int verify) {
  return Set(options, &ClientOptions::verify_checksums, verify != 0);
}

kvclient_code kvclient_options_set_remember_locations(kvclient_options* options, uint32_t count) {
  return Set(options, &ClientOptions::remember_locations, count);
}
