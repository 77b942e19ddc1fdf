#ifndef KVSTORE_TESTS_SIMULATION_CONNECTION_H_
#define KVSTORE_TESTS_SIMULATION_CONNECTION_H_

#include <deque>
#include <memory>
#include <vector>

#include "simulation/sim_batch.h"

namespace kvstore::simulation {

// A data connection from one engine to another: requests one way, answers the other. The holder
// carries the requests out one after the other. When it breaks, requests that had reached the
// holder's kernel are still carried out if the guard lets them; their answers go nowhere.
// Lives as long as the run.
class Connection {
 public:
  struct End {
    SimEngine* engine;
    Process* process;
    Place place;
  };
  Connection(Fabric* fabric, const End& client, const End& holder);

  // The batch knows that it was sent.
  void Send(std::shared_ptr<Request> request);
  void Break();
  // The holder serves nothing of it any more, from now on.
  void CloseAtHolder();

  bool broken() const { return broken_; }

 private:
  void Arrived(std::shared_ptr<Request> request, bool late);
  void ServeNext();
  void TellClient();

  Fabric* const fabric_;
  const End client_;
  const End holder_;
  Pipe there_;
  Pipe back_;
  bool broken_ = false;
  bool closed_at_holder_ = false;
  std::vector<std::shared_ptr<Request>> unanswered_;  // the client's view
  struct Waiting {
    std::shared_ptr<Request> request;
    bool late;
  };
  std::deque<Waiting> arrived_;  // the holder's view; the first is being served
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_CONNECTION_H_
