#ifndef KVSTORE_SRC_CAPI_GUARD_H_
#define KVSTORE_SRC_CAPI_GUARD_H_

// The C interface (kvstore/kvclient.h) over the public C++ headers, a file per topic:
//   guard         the border: no exception crosses it, and a Status becomes a code
//   handles       what the opaque handles of a client and its dependents hold
//   items         C's items as C++'s, with the checks that C++'s types make needless
//   results       one answer per item
//   options, put_options, client, verbs, session, view, new_object, counters, version

#include <exception>
#include <new>

#include "kvstore/kvclient.h"
#include "kvstore/status.h"

namespace kvstore::capi {

// Keeps the message for this thread's kvclient_last_error and returns the code.
kvclient_code Answer(const Status& status) noexcept;
// The same for messages that need no memory.
kvclient_code Answer(StatusCode code, const char* message) noexcept;

// What a function of the C interface consists of: `body` returns a Status and may throw.
template <typename Body>
kvclient_code Guarded(const Body& body) noexcept {
  try {
    return Answer(body());
  } catch (const std::bad_alloc&) {
    return Answer(StatusCode::kResourceExhausted, "out of memory in this process");
  } catch (const std::exception& problem) {
    return Answer(StatusCode::kInternal, problem.what());
  } catch (...) {
    return Answer(StatusCode::kInternal, "an unknown exception was thrown");
  }
}

// invalid_argument that names the argument, when it is null.
Status CheckGiven(const void* argument, const char* name);

}  // namespace kvstore::capi

#endif  // KVSTORE_SRC_CAPI_GUARD_H_
