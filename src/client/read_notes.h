#ifndef KVSTORE_SRC_CLIENT_READ_NOTES_H_
#define KVSTORE_SRC_CLIENT_READ_NOTES_H_

#include <cstddef>
#include <unordered_set>

#include "proto/verbs.h"
#include "thread_annotations.h"

namespace kvstore::client {

// Puts whose objects were read at remembered locations, each once, until somebody takes them along
// to the master. Bounded: what finds no room is not noted. Thread-safe.
class ReadNotes {
 public:
  static constexpr size_t kMostKept = 65'536;

  void Add(const PutId& put) EXCLUDES(mu_);
  // All that is there, perhaps nothing.
  NoteReads Take() EXCLUDES(mu_);

  // For the one who takes them. Waits until there is something, or Close: then false.
  bool AwaitSome() EXCLUDES(mu_);
  // Lets them gather until then; false: closed.
  bool Gather(TimePoint until) EXCLUDES(mu_);
  void Close() EXCLUDES(mu_);

 private:
  Mutex mu_;
  CondVar changed_;  // nothing became something, or closed
  std::unordered_set<PutId> puts_ GUARDED_BY(mu_);
  bool closed_ GUARDED_BY(mu_) = false;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_READ_NOTES_H_
