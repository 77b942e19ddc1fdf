#include "capi/guard.h"

#include <string>

namespace kvstore::capi {
namespace {

// Of the thread's latest call. A message that there was no memory to copy is pointed at instead.
thread_local std::string last_message;
thread_local const char* last_error = "";

}  // namespace

kvclient_code Answer(StatusCode code, const char* message) noexcept {
  last_error = "";
  try {
    last_message = message;
    last_error = last_message.c_str();
  } catch (...) {
    last_error = "out of memory in this process; the message is lost";
  }
  return static_cast<kvclient_code>(code);
}

kvclient_code Answer(const Status& status) noexcept {
  return Answer(status.code(), status.message().c_str());
}

Status CheckGiven(const void* argument, const char* name) {
  if (argument != nullptr) return Status::Ok();
  return InvalidArgumentError(std::string(name) + " is null");
}

}  // namespace kvstore::capi

const char* kvclient_last_error(void) { return kvstore::capi::last_error; }

const char* kvclient_code_name(kvclient_code code) {
  return kvstore::StatusCodeName(static_cast<kvstore::StatusCode>(code)).data();
}
