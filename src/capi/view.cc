#include "capi/in_place.h"
#include "capi/option_handles.h"

struct kvclient_view : kvstore::capi::InPlace<kvstore::ObjectView, kvclient_const_piece> {
  using InPlace::InPlace;
};

using kvstore::Client;
using kvstore::ObjectView;
using kvstore::Result;
using kvstore::Status;
using kvstore::capi::FromMilliseconds;

kvclient_code kvclient_open_views(kvclient* client, const kvclient_key* keys, uint64_t count,
                                  int64_t timeout_ms, kvclient_view** views,
                                  kvclient_results** results) {
  return kvstore::capi::OpenMany(client, keys, count, views, results,
                                 [&](Client& member, std::vector<std::string_view>* read)
                                     -> Result<std::vector<Result<std::unique_ptr<ObjectView>>>> {
                                   return member.View(*read, FromMilliseconds(timeout_ms));
                                 });
}

const kvclient_const_piece* kvclient_view_pieces(const kvclient_view* view, uint64_t* piece_count) {
  return kvstore::capi::PiecesOf(view, piece_count);
}

uint64_t kvclient_view_size(const kvclient_view* view) {
  return view == nullptr ? 0 : view->object->size();
}

uint64_t kvclient_view_checksum(const kvclient_view* view) {
  return view == nullptr ? 0 : view->object->checksum();
}

kvclient_code kvclient_view_verify(const kvclient_view* view) {
  return kvstore::capi::Guarded([&]() -> Status {
    KVSTORE_RETURN_IF_ERROR(kvstore::capi::CheckDependent(view, "view"));
    return view->object->Verify();
  });
}

void kvclient_view_free(kvclient_view* view) { kvstore::capi::FreeDependent(view); }
