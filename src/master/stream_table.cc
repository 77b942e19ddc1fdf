#include "master/stream_table.h"

#include <string>

namespace kvstore::master {

Status StreamTable::Add(TimePoint now, const std::shared_ptr<Endable>& stream) {
  MutexLock lock(mu_);
  if (!closed_.ok()) return closed_;
  if (streams_.size() >= bounds_.streams) {
    return ResourceExhaustedError("the master has " + std::to_string(streams_.size()) +
                                  " streams open, as many as it allows; close some, or try later");
  }
  streams_.emplace(stream.get(), stream);
  hellos_due_.emplace_back(now + bounds_.hello_within, stream);
  return Status::Ok();
}

void StreamTable::Remove(const Endable* stream) {
  std::shared_ptr<Endable> last;  // destroyed after the lock is released
  MutexLock lock(mu_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  last = std::move(found->second);
  streams_.erase(found);
  if (streams_.empty()) emptied_.NotifyAll();
}

size_t StreamTable::size() const {
  MutexLock lock(mu_);
  return streams_.size();
}

void StreamTable::EndSilent(TimePoint now) {
  std::vector<std::shared_ptr<Endable>> silent;
  {
    MutexLock lock(mu_);
    for (; !hellos_due_.empty() && hellos_due_.front().first <= now; hellos_due_.pop_front()) {
      std::shared_ptr<Endable> stream = hellos_due_.front().second.lock();
      if (stream != nullptr && !stream->greeted()) silent.push_back(std::move(stream));
    }
  }
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(bounds_.hello_within).count();
  for (const auto& stream : silent) {
    stream->End(DeadlineExceededError("no hello within " + std::to_string(ms) +
                                      " ms; the first message of a stream must be one"));
  }
}

void StreamTable::Close(const Status& why, TimePoint sent_by) {
  {
    MutexLock lock(mu_);
    closed_ = why;
  }
  for (const auto& stream : All()) stream->EndWhenSent(why);
  {
    MutexLock lock(mu_);
    while (!streams_.empty() && BootClock::now() < sent_by) emptied_.WaitUntil(mu_, sent_by);
  }
  for (const auto& stream : All()) stream->End(why);
}

std::vector<std::shared_ptr<Endable>> StreamTable::All() const {
  std::vector<std::shared_ptr<Endable>> all;
  MutexLock lock(mu_);
  all.reserve(streams_.size());
  for (const auto& [key, stream] : streams_) all.push_back(stream);
  return all;
}

}  // namespace kvstore::master
