#include "native/handle.h"

#include <utility>

#include "native/errors.h"
#include "native/gil.h"

namespace kvstore::python {

Handle::Handle(std::unique_ptr<Client> client) : client_(client.release(), DeleteWithoutGil()) {}

std::shared_ptr<Client> Handle::client() const {
  if (client_ == nullptr) Raise(FailedPreconditionError("the client is closed; make another one"));
  return client_;
}

}  // namespace kvstore::python
