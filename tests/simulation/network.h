#ifndef KVSTORE_TESTS_SIMULATION_NETWORK_H_
#define KVSTORE_TESTS_SIMULATION_NETWORK_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <vector>

#include "simulation/scheduler.h"

namespace kvstore::simulation {

// A place where a process can live: 0 is the master's, 1 and up are the nodes'.
using Place = size_t;
inline constexpr Place kMasterPlace = 0;

struct NetworkOptions {
  double loss = 0.0;         // of single messages
  double duplication = 0.0;  // of single messages, and of what a broken stream had in flight
  double slow = 0.02;        // of messages that take up to `slowest`
  Duration fastest = std::chrono::microseconds(100);
  Duration usual = std::chrono::milliseconds(2);
  Duration slowest = std::chrono::milliseconds(300);
};

// Which places reach each other, and how long a message takes. Links are cut one way at a time.
class Network {
 public:
  Network(Scheduler* scheduler, size_t places, const NetworkOptions& options);

  // A message on its own: lost, repeated, late, overtaken. It arrives in the life of `receiver`.
  void Send(Place from, Place to, Process* receiver, const std::function<void()>& arrive);

  void Cut(Place from, Place to) { cut_[from][to] = true; }
  void Mend(Place from, Place to) { cut_[from][to] = false; }
  void MendAll();
  // No loss, no repetition, nothing slow from now on.
  void Calm() { options_.loss = options_.duplication = options_.slow = 0.0; }
  bool IsCut(Place from, Place to) const { return cut_[from][to]; }

  Duration Latency();
  Scheduler* scheduler() const { return scheduler_; }
  const NetworkOptions& options() const { return options_; }

 private:
  Scheduler* const scheduler_;
  NetworkOptions options_;
  std::vector<std::vector<bool>> cut_;
};

// One direction of a connection: in order, nothing lost or repeated, waiting while the link is cut,
// until it breaks. Then some first part of what is under way still arrives, late: it was in the
// receiver's kernel already. It lives as long as the run.
class Pipe {
 public:
  // Arrivals happen in the life of `receiver`.
  Pipe(Network* network, Place from, Place to, Process* receiver);
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  // Dropped once it is broken.
  void Send(std::function<void()> arrive);
  void Break();
  bool broken() const { return broken_; }

 private:
  void Arrive();

  Network* const network_;
  const Place from_;
  const Place to_;
  Process* const receiver_;
  bool broken_ = false;
  bool arriving_ = false;  // a step for the head of the queue is scheduled
  std::deque<std::function<void()>> under_way_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_NETWORK_H_
