#ifndef KVSTORE_SRC_CLIENT_NOTE_SENDER_H_
#define KVSTORE_SRC_CLIENT_NOTE_SENDER_H_

#include <functional>
#include <thread>

#include "client/read_notes.h"
#include "kvstore/clock.h"

namespace kvstore::client {

// Tells the master what was noted, at most once per `every`, and nothing when there is nothing.
class NoteSender {
 public:
  // `notes` outlives it; `tell` is called on a thread of its own, and should not take long.
  NoteSender(ReadNotes& notes, std::function<void(NoteReads)> tell,
             Duration every = std::chrono::milliseconds(500));
  // At once; what was not told yet is not told.
  ~NoteSender();
  NoteSender(const NoteSender&) = delete;
  NoteSender& operator=(const NoteSender&) = delete;

 private:
  void Run();

  ReadNotes& notes_;
  const std::function<void(NoteReads)> tell_;
  const Duration every_;
  std::thread thread_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_NOTE_SENDER_H_
