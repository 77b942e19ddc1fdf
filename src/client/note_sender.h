#ifndef KVSTORE_SRC_CLIENT_NOTE_SENDER_H_
#define KVSTORE_SRC_CLIENT_NOTE_SENDER_H_

#include <functional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "client/gathered.h"
#include "kvstore/clock.h"

namespace kvstore::client {

// Tells the master what was gathered, at most once per `every`, and nothing when there is nothing.
template <typename Item>
class NoteSender {
 public:
  using Tell = std::function<void(std::vector<Item>)>;

  // `notes` outlives it; `tell` is called on a thread of its own, and should not take long.
  NoteSender(Gathered<Item>& notes, std::type_identity_t<Tell> tell, Duration every)
      : notes_(notes), tell_(std::move(tell)), every_(every), thread_([this] { Run(); }) {}
  // At once; what was not told yet is not told.
  ~NoteSender() {
    notes_.Close();
    thread_.join();
  }
  NoteSender(const NoteSender&) = delete;
  NoteSender& operator=(const NoteSender&) = delete;

 private:
  void Run() {
    while (notes_.AwaitSome() && notes_.Gather(BootClock::now() + every_)) tell_(notes_.Take());
  }

  Gathered<Item>& notes_;
  const Tell tell_;
  const Duration every_;
  std::thread thread_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_NOTE_SENDER_H_
