#ifndef KVSTORE_PYTHON_NATIVE_LOG_H_
#define KVSTORE_PYTHON_NATIVE_LOG_H_

namespace kvstore::python {

// What the library logs goes to standard error. Of that a program that imports a package wants
// warnings and worse, unless its environment (GLOG_minloglevel) says otherwise.
void LogWarningsOnly();

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_LOG_H_
