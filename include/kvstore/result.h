#ifndef KVSTORE_RESULT_H_
#define KVSTORE_RESULT_H_

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "kvstore/status.h"

namespace kvstore {

// A value, or the Status that says why there is none. Reading the value of a failed result ends the
// process with its message: it is a bug of the reader. Thread-compatible.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : value_(std::move(value)) {}  // NOLINT: implicit, so that `return value;` reads well
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit, as above
    if (status_.ok()) Die("a Result was made from an OK status without a value");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    CheckOk();
    return *value_;
  }
  const T& value() const& {
    CheckOk();
    return *value_;
  }
  T&& value() && {
    CheckOk();
    return *std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void CheckOk() const {
    if (!ok()) Die(status_.ToString().c_str());
  }
  [[noreturn]] static void Die(const char* why) {
    std::fprintf(stderr, "kvstore: Result without a value was read: %s\n", why);
    std::abort();
  }

  Status status_;
  std::optional<T> value_;
};

}  // namespace kvstore

#define KVSTORE_CONCAT_INNER_(a, b) a##b
#define KVSTORE_CONCAT_(a, b) KVSTORE_CONCAT_INNER_(a, b)

// Returns from the enclosing function when `expr`, a Status, is not OK.
#define KVSTORE_RETURN_IF_ERROR(expr)                        \
  do {                                                       \
    if (::kvstore::Status status_ = (expr); !status_.ok()) { \
      return status_;                                        \
    }                                                        \
  } while (false)

// `lhs` becomes the value of `expr`, a Result; returns its status from the enclosing function if
// none.
#define KVSTORE_ASSIGN_OR_RETURN(lhs, expr) \
  KVSTORE_ASSIGN_OR_RETURN_(KVSTORE_CONCAT_(result_, __LINE__), lhs, expr)
#define KVSTORE_ASSIGN_OR_RETURN_(result, lhs, expr) \
  auto result = (expr);                              \
  if (!result.ok()) return result.status();          \
  lhs = *std::move(result)

#endif  // KVSTORE_RESULT_H_
