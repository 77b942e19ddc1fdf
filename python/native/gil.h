#ifndef KVSTORE_PYTHON_NATIVE_GIL_H_
#define KVSTORE_PYTHON_NATIVE_GIL_H_

// The native half of the Python package, over the public C++ headers, a file per topic:
//   gil              waits without the interpreter's lock
//   errors           a Status as an exception
//   keys, memory     what Python objects name: keys, and memory to be read or written
//   numbers          whole numbers, and lists of them
//   options          durations, and how puts are to be done
//   span             memory handed out to Python
//   log              what the library says on standard error
//   handle           the client as Python holds it: open, closed, shared with what it handed out
//   verbs, reads, in_place, pool, upkeep   its calls
//   module           what Python sees
//
// The typed half, with what callers may rely on, is python/kvstore/*.py.

#include <pybind11/pybind11.h>

namespace kvstore::python {

// Takes the interpreter's lock back. A thread that comes too late, when the interpreter is ending,
// stops here for good: unwinding it would end the process through frames that must not throw.
void TakeGil(PyThreadState* state);

// To be called by the thread that ends the interpreter, before it does.
void EndingHere();

// Runs `call` while other threads of the interpreter run.
template <typename Call>
auto WithoutGil(const Call& call) {
  PyThreadState* const state = PyEval_SaveThread();
  try {
    auto result = call();
    TakeGil(state);
    return result;
  } catch (...) {
    TakeGil(state);
    throw;
  }
}

// Destroys things whose destruction may wait, called with or without the lock.
struct DeleteWithoutGil {
  template <typename Thing>
  void operator()(Thing* thing) const {
    if (PyGILState_Check() == 0) {
      delete thing;
      return;
    }
    WithoutGil([thing] {
      delete thing;
      return true;
    });
  }
};

}  // namespace kvstore::python

#endif  // KVSTORE_PYTHON_NATIVE_GIL_H_
