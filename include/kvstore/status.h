#ifndef KVSTORE_STATUS_H_
#define KVSTORE_STATUS_H_

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace kvstore {

// What a caller should do differently. Numbers are gRPC's, so that mapping is a cast.
enum class StatusCode : int {
  kOk = 0,
  // The caller asked for it; the operation may or may not have taken effect.
  kCancelled = 1,
  // The request can never succeed as it is; nothing happened.
  kInvalidArgument = 3,
  // Time ran out; unless the message says otherwise the operation may have taken effect, or may
  // yet.
  kDeadlineExceeded = 4,
  // No such object (or node, segment) now; nothing happened.
  kNotFound = 5,
  // The key is taken by a committed object, or pending by a live writer; nothing happened.
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  // No room, and nothing may be evicted, or a limit is reached; nothing happened. Try later or add
  // nodes.
  kResourceExhausted = 8,
  // The system is not in the state that the call needs; nothing happened. Retrying alone won't
  // help.
  kFailedPrecondition = 9,
  // The put lost its grant (deadline, dead session, retired memory); begin it again.
  kAborted = 10,
  kUnimplemented = 12,
  // A bug of ours: report it.
  kInternal = 13,
  // The peer or the master can't be reached; retry. Says in its message if it may have taken
  // effect.
  kUnavailable = 14,
  // The holder still vouches for the object, but its bytes don't match their checksum.
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "not_found", "resource_exhausted", ...; "unknown" for a number that is none of ours.
constexpr std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kInvalidArgument:
      return "invalid_argument";
    case StatusCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case StatusCode::kNotFound:
      return "not_found";
    case StatusCode::kAlreadyExists:
      return "already_exists";
    case StatusCode::kPermissionDenied:
      return "permission_denied";
    case StatusCode::kResourceExhausted:
      return "resource_exhausted";
    case StatusCode::kFailedPrecondition:
      return "failed_precondition";
    case StatusCode::kAborted:
      return "aborted";
    case StatusCode::kUnimplemented:
      return "unimplemented";
    case StatusCode::kInternal:
      return "internal";
    case StatusCode::kUnavailable:
      return "unavailable";
    case StatusCode::kDataLoss:
      return "data_loss";
    case StatusCode::kUnauthenticated:
      return "unauthenticated";
  }
  return "unknown";
}

// The outcome of an operation: OK, or a code and a message that names cause, number and remedy.
// Copyable value; allocates nothing when OK. Thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return Status(); }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // "ok", or "not_found: no object under this key".
  std::string ToString() const {
    std::string text(StatusCodeName(code_));
    if (!message_.empty()) text += ": " + message_;
    return text;
  }

  friend bool operator==(const Status&, const Status&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Status& s) {
    return out << s.ToString();
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status CancelledError(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
inline Status InvalidArgumentError(std::string m) {
  return {StatusCode::kInvalidArgument, std::move(m)};
}
inline Status DeadlineExceededError(std::string m) {
  return {StatusCode::kDeadlineExceeded, std::move(m)};
}
inline Status NotFoundError(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status AlreadyExistsError(std::string m) {
  return {StatusCode::kAlreadyExists, std::move(m)};
}
inline Status ResourceExhaustedError(std::string m) {
  return {StatusCode::kResourceExhausted, std::move(m)};
}
inline Status FailedPreconditionError(std::string m) {
  return {StatusCode::kFailedPrecondition, std::move(m)};
}
inline Status AbortedError(std::string m) { return {StatusCode::kAborted, std::move(m)}; }
inline Status UnimplementedError(std::string m) {
  return {StatusCode::kUnimplemented, std::move(m)};
}
inline Status InternalError(std::string m) { return {StatusCode::kInternal, std::move(m)}; }
inline Status UnavailableError(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
inline Status DataLossError(std::string m) { return {StatusCode::kDataLoss, std::move(m)}; }

}  // namespace kvstore

#endif  // KVSTORE_STATUS_H_
