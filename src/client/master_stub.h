#ifndef KVSTORE_SRC_CLIENT_MASTER_STUB_H_
#define KVSTORE_SRC_CLIENT_MASTER_STUB_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "client/exchange.h"
#include "client/master.h"
#include "client/reply_router.h"
#include "client/verb_channel.h"

namespace kvstore::client {

// The master as seen over a channel of messages that may be lost, repeated or late. Thread-safe.
//
// An item that got no answer by the deadline is deadline_exceeded (its message says whether the
// operation may have taken effect), or unavailable where the master was never reached and nothing
// can have happened; so always of a verb that changes something and was never sent. Puts whose
// answer was still to come when the node joined as another incarnation are aborted.
class MasterStub final : public Master {
 public:
  // `channel` outlives it; it is the channel's only receiver of replies.
  explicit MasterStub(VerbChannel& channel);

  uint64_t NewSequences(size_t count) override;
  // Sends one message at a time, the next once the answers of the one before have been handed out,
  // so that a batch larger than the pool can be committed, and evicted, on the way.
  std::unique_ptr<StartedPuts> Start(StartPut request, TimePoint deadline) override;
  std::unique_ptr<Asked<StartPutAnswer>> BeginAhead(GrantAhead request,
                                                    TimePoint deadline) override;
  std::unique_ptr<Asked<ItemAnswer>> BeginCommit(CommitPut request, TimePoint deadline) override;
  // Tells the master once even when the deadline has passed, and waits for its answer only until
  // then.
  std::vector<ItemAnswer> Abort(AbortPut request, TimePoint deadline) override;
  std::vector<LocateAnswer> Find(Locate request, TimePoint deadline) override;
  std::vector<ItemAnswer> Ask(Exists request, TimePoint deadline) override;
  std::vector<ItemAnswer> Await(WaitExists request, TimePoint deadline) override;
  std::vector<ItemAnswer> Drop(Remove request, TimePoint deadline) override;
  std::vector<StatAnswer> Describe(StatObject request, TimePoint deadline) override;
  std::vector<ItemAnswer> Keep(Pin request, TimePoint deadline) override;
  CountAnswer Sweep(RemoveMatching request, TimePoint deadline) override;
  void Note(NoteReads request) override;
  void Complain(ReportFailures request) override;
  void Pause(TimePoint until) override;
  std::optional<Peer> FindPeer(Incarnation holder) const override;

  // Messages that went out so far, each sending of one counted.
  uint64_t messages_sent() const { return sent_; }

 private:
  // Sends what is never answered.
  void Tell(Verb batch);
  std::unique_ptr<Exchange> Begin(Verb batch, const ExchangeRules& rules, TimePoint deadline);
  template <typename Answer>
  std::vector<Answer> AskAll(Verb batch, const ExchangeRules& rules, TimePoint deadline);

  VerbChannel& channel_;
  const std::shared_ptr<ReplyRouter> router_;  // replies may still come when the stub is gone
  std::atomic<uint64_t> next_request_{1};
  std::atomic<uint64_t> next_sequence_{1};
  std::atomic<uint64_t> sent_{0};
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_MASTER_STUB_H_
