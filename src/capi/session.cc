#include <memory>
#include <utility>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/items.h"
#include "capi/option_handles.h"
#include "capi/results.h"

struct kvclient_session {
  explicit kvclient_session(kvclient& client) : dependent(client) {}

  kvstore::capi::Dependent dependent;
  std::unique_ptr<kvstore::ReadSession> session;
};

using kvstore::Result;
using kvstore::Status;
using kvstore::capi::CheckClient;
using kvstore::capi::CheckDependent;
using kvstore::capi::CheckGiven;
using kvstore::capi::FromMilliseconds;
using kvstore::capi::Guarded;
using kvstore::capi::Results;

kvclient_code kvclient_open_session(kvclient* client, const kvclient_key* keys, uint64_t count,
                                    int64_t timeout_ms, kvclient_session** session,
                                    kvclient_results** results) {
  return Guarded([&]() -> Status {
    Results answers(results);
    KVSTORE_RETURN_IF_ERROR(CheckGiven(session, "session"));
    *session = nullptr;
    KVSTORE_RETURN_IF_ERROR(CheckClient(client));
    KVSTORE_ASSIGN_OR_RETURN(const auto read, kvstore::capi::Read(keys, count));
    auto handle = std::make_unique<kvclient_session>(*client);
    KVSTORE_ASSIGN_OR_RETURN(handle->session,
                             client->client->OpenReadSession(read, FromMilliseconds(timeout_ms)));
    for (const Result<uint64_t>& size : handle->session->sizes()) {
      answers->statuses.push_back(size.status());
      answers->sizes.push_back(size.ok() ? *size : 0);
    }
    (void)answers.HandOver();  // some may be missing: the session is open all the same
    *session = handle.release();
    return Status::Ok();
  });
}

kvclient_code kvclient_session_read(kvclient_session* session, const kvclient_part_item* items,
                                    uint64_t count, int64_t timeout_ms,
                                    kvclient_results** results) {
  return Guarded([&]() -> Status {
    Results answers(results);
    KVSTORE_RETURN_IF_ERROR(CheckDependent(session, "session"));
    KVSTORE_ASSIGN_OR_RETURN(const auto read, kvstore::capi::Read(items, count));
    Take(session->session->Read(read.items, FromMilliseconds(timeout_ms)), &answers);
    return answers.HandOver();
  });
}

void kvclient_session_free(kvclient_session* session) { kvstore::capi::FreeDependent(session); }
