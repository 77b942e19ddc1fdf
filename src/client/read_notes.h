#ifndef KVSTORE_SRC_CLIENT_READ_NOTES_H_
#define KVSTORE_SRC_CLIENT_READ_NOTES_H_

#include "client/gathered.h"
#include "proto/verbs.h"

namespace kvstore::client {

// Puts whose objects were read at remembered locations.
class ReadNotes final : public Gathered<PutId> {};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_READ_NOTES_H_
