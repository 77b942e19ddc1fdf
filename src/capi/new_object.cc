#include "capi/in_place.h"
#include "capi/option_handles.h"

struct kvclient_new_object : kvstore::capi::InPlace<kvstore::NewObject, kvclient_piece> {
  using InPlace::InPlace;
};

using kvstore::Client;
using kvstore::CreateItem;
using kvstore::NewObject;
using kvstore::Result;
using kvstore::Status;
using kvstore::capi::FromMilliseconds;

kvclient_code kvclient_create_objects(kvclient* client, const kvclient_create_item* items,
                                      uint64_t count, const kvclient_put_options* options,
                                      kvclient_new_object** objects, kvclient_results** results) {
  return kvstore::capi::OpenMany(client, items, count, objects, results,
                                 [&](Client& member, std::vector<CreateItem>* read)
                                     -> Result<std::vector<Result<std::unique_ptr<NewObject>>>> {
                                   KVSTORE_ASSIGN_OR_RETURN(const kvstore::PutOptions asked,
                                                            kvstore::capi::Apply(options, read));
                                   return member.Create(*read, asked);
                                 });
}

const kvclient_piece* kvclient_new_object_pieces(const kvclient_new_object* object,
                                                 uint64_t* piece_count) {
  return kvstore::capi::PiecesOf(object, piece_count);
}

uint64_t kvclient_new_object_size(const kvclient_new_object* object) {
  return object == nullptr ? 0 : object->object->size();
}

int64_t kvclient_new_object_deadline_ns(const kvclient_new_object* object) {
  return object == nullptr ? 0 : object->object->deadline().time_since_epoch().count();
}

kvclient_code kvclient_new_object_seal(kvclient_new_object* object, int64_t timeout_ms) {
  return kvstore::capi::Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckDependent(object, "object"));
    Status sealed = object->object->Seal(FromMilliseconds(timeout_ms));
    // Their memory has gone, unless the call changed nothing.
    if (object->object->pieces().empty()) object->pieces.clear();
    return sealed;
  });
}

void kvclient_new_object_free(kvclient_new_object* object) { kvstore::capi::FreeDependent(object); }
