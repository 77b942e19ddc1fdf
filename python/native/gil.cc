#include "native/gil.h"

#include <unistd.h>

#include <atomic>

namespace kvstore::python {
namespace {

std::atomic<unsigned long> ending_thread{PYTHREAD_INVALID_THREAD_ID};

bool Ending() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

}  // namespace

void TakeGil(PyThreadState* state) {
  if (Ending() && PyThread_get_thread_ident() != ending_thread) {
    for (;;) pause();
  }
  PyEval_RestoreThread(state);
}

void EndingHere() { ending_thread = PyThread_get_thread_ident(); }

}  // namespace kvstore::python
