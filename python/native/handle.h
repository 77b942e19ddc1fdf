#ifndef KVSTORE_PYTHON_NATIVE_HANDLE_H_
#define KVSTORE_PYTHON_NATIVE_HANDLE_H_

#include <memory>

#include "kvstore/client.h"

namespace kvstore::python {

// A client as Python holds it. Calls under way, views, new objects and read sessions hold the
// client too: it leaves the pool when this is closed and the last of them is gone, so that no order
// in which Python lets go of things can do harm. Confined to threads that hold the interpreter's
// lock.
class Handle {
 public:
  explicit Handle(std::unique_ptr<Client> client);

  // Raises FailedPrecondition once it is closed.
  std::shared_ptr<Client> client() const;
  bool closed() const { return client_ == nullptr; }
  void Close() { client_.reset(); }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_HANDLE_H_
