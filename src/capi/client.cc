#include <memory>
#include <string>
#include <utility>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/option_handles.h"

namespace {

using kvstore::Client;
using kvstore::MemoryKind;
using kvstore::Status;
using kvstore::capi::CheckClient;
using kvstore::capi::CheckGiven;
using kvstore::capi::Guarded;

static_assert(KVCLIENT_MEMORY_HOST == static_cast<int>(MemoryKind::kHost));
static_assert(KVCLIENT_MEMORY_CUDA == static_cast<int>(MemoryKind::kCuda));

// The C++ destructor ends the process in this case, which is no answer for C.
Status CheckNothingDepends(const kvclient& client) {
  const uint64_t dependents = client.dependents;
  if (dependents == 0) return Status::Ok();
  return kvstore::FailedPreconditionError(
      std::to_string(dependents) +
      " sessions, views and new objects of this client are not freed yet; free them first");
}

}  // namespace

kvclient_code kvclient_connect(const kvclient_options* options, kvclient** client) {
  return Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckGiven(client, "client"));
    *client = nullptr;
    KVSTORE_ASSIGN_OR_RETURN(
        std::unique_ptr<Client> made,
        Client::Connect(options == nullptr ? kvstore::ClientOptions{} : options->values));
    *client = new kvclient(std::move(made));
    return Status::Ok();
  });
}

kvclient_code kvclient_close(kvclient* client) {
  return Guarded([&]() -> Status {
    if (client == nullptr) return Status::Ok();
    KVSTORE_RETURN_IF_ERROR(client->CheckProcess());
    KVSTORE_RETURN_IF_ERROR(CheckNothingDepends(*client));
    delete client;
    return Status::Ok();
  });
}

const char* kvclient_name(const kvclient* client) {
  return client == nullptr ? "" : client->client->name().c_str();
}

kvclient_code kvclient_incarnation(const kvclient* client, uint64_t* high, uint64_t* low) {
  return Guarded([&]() -> Status {
    if (high != nullptr) *high = 0;
    if (low != nullptr) *low = 0;
    KVSTORE_RETURN_IF_ERROR(CheckClient(client));
    KVSTORE_RETURN_IF_ERROR(CheckGiven(high, "high"));
    KVSTORE_RETURN_IF_ERROR(CheckGiven(low, "low"));
    const kvstore::Incarnation incarnation = client->client->incarnation();
    *high = incarnation.high;
    *low = incarnation.low;
    return Status::Ok();
  });
}

kvclient_code kvclient_register_memory(kvclient* client, void* base, uint64_t size, int kind,
                                       int device) {
  return Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckClient(client));
    if (kind != KVCLIENT_MEMORY_HOST && kind != KVCLIENT_MEMORY_CUDA) {
      return kvstore::InvalidArgumentError("the kind of memory is " + std::to_string(kind) +
                                           "; it must be one of KVCLIENT_MEMORY_*");
    }
    return client->client->RegisterMemory(base, size, static_cast<MemoryKind>(kind), device);
  });
}

kvclient_code kvclient_unregister_memory(kvclient* client, void* base) {
  return Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckClient(client));
    return client->client->UnregisterMemory(base);
  });
}

kvclient_code kvclient_lend(kvclient* client, uint64_t bytes) {
  return Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(CheckClient(client));
    return client->client->Lend(bytes);
  });
}
