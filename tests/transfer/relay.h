#ifndef KVSTORE_TESTS_TRANSFER_RELAY_H_
#define KVSTORE_TESTS_TRANSFER_RELAY_H_

#include <list>
#include <memory>
#include <string>
#include <thread>

#include "thread_annotations.h"
#include "transfer/raw_socket.h"

namespace kvstore::transfer {

// Stands between a client and a holder and lets a test do to their connections what networks do.
// Thread-safe.
class Relay {
 public:
  explicit Relay(std::string target);
  ~Relay();

  const std::string& endpoint() const { return listener_.endpoint(); }

  // Holds back what clients send from the `bytes`-th byte of a connection on, for the first
  // connection that gets there: it "hangs".
  void HangAfter(uint64_t bytes);
  // The same of what the holder sends.
  void HangAnswersAfter(uint64_t bytes);
  // Waits for either.
  bool WaitUntilHanging();
  // Breaks the hanging connection at the client's end; the holder's end stays open, and what was
  // held back is still on its way.
  void BreakClientEnd();
  // Holds back everything of connections that come from now on: the holder is paused.
  void SwallowNewConnections();
  // Sends the holder what was held back of its clients' and holds back no more.
  void DeliverLate();

 private:
  struct Link {
    RawSocket client;
    RawSocket holder;
    bool swallowed = false;
    std::string held_back;
    bool hanging = false;
    bool client_gone = false;
    std::thread pump;
  };

  void AcceptAll();
  void Pump(Link* link);
  // Moves what is there; false: that end has closed.
  bool PumpToHolder(Link* link, uint64_t* passed) REQUIRES(mu_);
  bool PumpToClient(Link* link, uint64_t* passed) REQUIRES(mu_);

  const std::string target_;
  RawListener listener_;
  Mutex mu_;
  CondVar changed_;
  bool ending_ GUARDED_BY(mu_) = false;
  bool swallow_ GUARDED_BY(mu_) = false;
  uint64_t hang_after_ GUARDED_BY(mu_) = UINT64_MAX;
  uint64_t hang_answers_after_ GUARDED_BY(mu_) = UINT64_MAX;
  Link* hanging_ GUARDED_BY(mu_) = nullptr;
  std::list<std::unique_ptr<Link>> links_ GUARDED_BY(mu_);
  std::thread acceptor_;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_RELAY_H_
