#ifndef KVSTORE_TESTS_CLIENT_SCRIPTED_MASTER_H_
#define KVSTORE_TESTS_CLIENT_SCRIPTED_MASTER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "proto/verbs.h"

namespace kvstore::client {

// A master that does what a test says, on a real gRPC port of loopback: for what a real one does
// only when something has gone wrong. Thread-safe.
class ScriptedMaster {
 public:
  ScriptedMaster();
  // Ends all streams.
  ~ScriptedMaster();

  const std::string& address() const;

  // Unless told otherwise every hello is welcomed into the same pool, in term 1, with a beat every
  // 10 ms.
  void OnHello(std::function<Result<Welcome>(const Hello&)> answer);
  static Welcome Greeting();
  // Unless told otherwise every node is known.
  void AnswerBeats(bool unknown);
  // Unless told otherwise requests get no answer.
  void OnRequest(std::function<std::optional<VerbReply>(const VerbRequest&)> answer);
  // From now on new streams of verbs are not read at all.
  void StopReadingVerbs();

  // From now on sessions don't end with the goodbye, but when the node ends them.
  void HangOnGoodbye();

  // To the newest session.
  void Send(const Orders& orders);
  void EndSessions();
  void EndVerbs();

  // All so far, once there are `count` of them; fails the test after 30 s.
  std::vector<Hello> WaitForHellos(size_t count);
  std::vector<RetireAck> WaitForRetireAcks(size_t count);
  std::vector<ReadyAck> WaitForReadyAcks(size_t count);
  std::vector<NoteAck> WaitForNoteAcks(size_t count);
  std::vector<Report> WaitForReports(size_t count);  // parts
  std::vector<Incarnation> WaitForVerbHellos(size_t count);
  std::vector<Incarnation> WaitForBeats(size_t count);
  std::vector<VerbRequest> WaitForRequests(size_t count);
  bool WaitForGoodbye();
  uint64_t last_counter();  // of the newest acks

 private:
  class Service;
  struct Server;
  std::unique_ptr<Server> server_;
};

}  // namespace kvstore::client

#endif  // KVSTORE_TESTS_CLIENT_SCRIPTED_MASTER_H_
