#ifndef KVSTORE_TESTS_CLUSTER_PROXY_H_
#define KVSTORE_TESTS_CLUSTER_PROXY_H_

#include <cstdint>
#include <list>
#include <string>
#include <thread>

#include "thread_annotations.h"

namespace kvstore::cluster {

// A port of loopback whose connections lead to another one, until the test cuts them: a network
// that fails, for processes of one machine. Thread-safe.
class Proxy {
 public:
  enum class Mode : uint8_t {
    kOpen,
    kSilent,    // nothing comes through, and nobody is told: what is sent waits, as in a partition
    kRefusing,  // connections are reset, new ones too
  };

  // Leads to `target`, a port of loopback.
  explicit Proxy(uint16_t target);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // In force when it returns.
  void SetMode(Mode mode) EXCLUDES(mu_);

 private:
  class Link;

  void Run() EXCLUDES(mu_);
  // False: it is to end.
  bool TakeMode(Mode* mode) EXCLUDES(mu_);
  void Accept(Mode mode);
  void AwaitAndForward(Mode mode);

  const uint16_t target_;
  uint16_t port_ = 0;
  int wake_fd_ = -1;
  int listen_fd_ = -1;

  mutable Mutex mu_;
  CondVar changed_;
  Mode wanted_ GUARDED_BY(mu_) = Mode::kOpen;
  Mode mode_ GUARDED_BY(mu_) = Mode::kOpen;  // as the thread has it
  bool closing_ GUARDED_BY(mu_) = false;

  std::list<Link> links_;  // confined to thread_
  std::thread thread_;
};

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_CLUSTER_PROXY_H_
