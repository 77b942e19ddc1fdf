#include "client/read_notes.h"

namespace kvstore::client {

void ReadNotes::Add(const PutId& put) {
  MutexLock lock(mu_);
  if (puts_.size() == kMostKept) return;
  const bool is_new = puts_.insert(put).second;
  if (is_new && puts_.size() == 1) changed_.NotifyAll();
}

NoteReads ReadNotes::Take() {
  NoteReads notes;
  MutexLock lock(mu_);
  notes.puts.assign(puts_.begin(), puts_.end());
  puts_.clear();
  return notes;
}

bool ReadNotes::AwaitSome() {
  MutexLock lock(mu_);
  while (!closed_ && puts_.empty()) changed_.Wait(mu_);
  return !closed_;
}

bool ReadNotes::Gather(TimePoint until) {
  MutexLock lock(mu_);
  while (!closed_ && BootClock::now() < until) changed_.WaitUntil(mu_, until);
  return !closed_;
}

void ReadNotes::Close() {
  MutexLock lock(mu_);
  closed_ = true;
  changed_.NotifyAll();
}

}  // namespace kvstore::client
