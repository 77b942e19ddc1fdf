#ifndef KVSTORE_TESTS_RDMA_STOPPING_MEMORY_H_
#define KVSTORE_TESTS_RDMA_STOPPING_MEMORY_H_

// What a writer writes from, to be stopped in the midst of a write: after the holder has said that
// it may write, before any byte is on its way.

#include <cstddef>

namespace kvstore::rdma_tests {

// Memory full of bytes 2, whose last page nobody may touch. Who does all the same, such as a lane
// that fills its staging buffer, says "stopping" on the standard output, and goes on when a line
// has come on the standard input. Null: there is none. Once in a process.
std::byte* StoppingMemory(size_t size);

// For how long somebody has waited for that line by now, in nanoseconds.
long StoppedFor();

}  // namespace kvstore::rdma_tests

#endif  // KVSTORE_TESTS_RDMA_STOPPING_MEMORY_H_
