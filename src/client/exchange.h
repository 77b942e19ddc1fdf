#ifndef KVSTORE_SRC_CLIENT_EXCHANGE_H_
#define KVSTORE_SRC_CLIENT_EXCHANGE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "client/batch_cutter.h"
#include "client/reply_router.h"
#include "client/verb_channel.h"
#include "guard_switch.h"
#include "kvstore/status.h"
#include "proto/verbs.h"

namespace kvstore::client {

// Guards of the rules that an exchange keeps: see guard_switch.h.
struct ExchangeGuards {
  KVSTORE_GUARD(patience_ends_first);  // rule 9: the master's, before the caller's deadline
};

// How one kind of verb is exchanged.
struct ExchangeRules {
  // Messages that may be unanswered at a time; the next is sent when one is answered whole and its
  // answers have been received.
  size_t in_flight = 4;
  // The verb speaks of puts of one incarnation: when the node takes another, it is not sent on.
  bool of_one_incarnation = false;
  // The first message goes out even when the deadline has passed: no answer is needed.
  bool tell_even_late = false;
  // not_found is OK for a message that went to masters of several terms: an earlier one may have
  // done it, and what it remembered of that has ended with it.
  bool gone_is_done_over_terms = false;
  // What a message without an answer may have done, for its status; empty: nothing.
  std::string_view effect{};
};

// One call's messages to the master and what comes back for them. Sends a message again, under the
// same id, while it has items without an answer: after 1 s, 2 s, 4 s, and whenever earlier sendings
// may have been lost. Confined to one thread at a time, which it blocks only in the inbox.
class Exchange {
 public:
  // `channel` and `sent`, which counts what goes out, outlive it. The messages' ids follow one
  // another. Sends nothing yet.
  Exchange(VerbChannel& channel, std::shared_ptr<ReplyRouter> router, std::vector<Message> messages,
           const ExchangeRules& rules, TimePoint deadline, std::atomic<uint64_t>* sent);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Sends what goes first, unless the deadline has passed, and waits for nothing. Nothing is sent
  // again before somebody waits in Receive.
  void Begin();

  // Waits for answers and returns new ones: each item of the batch once, indices as in the batch,
  // `parked` as from the making of this exchange. Empty: no more will come, for all items have been
  // answered, or for the reason that Unanswered() gives.
  std::vector<VerbReply> Receive();

  // So, and waits for nothing and sends nothing. Empty: none has come since.
  std::vector<VerbReply> ReceiveReady();

  // After Receive returned nothing: the items that got no answer, and why.
  std::vector<ItemAnswer> Unanswered() const;

 private:
  struct Sending {
    Message message;
    std::vector<bool> answered;  // per item
    uint32_t missing = 0;        // items not answered
    uint32_t times = 0;          // it was sent
    bool reached = false;        // at least one sending may have arrived
    TimePoint asked_at{};        // of the first that may have arrived in `term`, or earlier
    uint64_t term = 0;           // the last in which one may have arrived
    bool over_terms = false;     // and one in another before
    TimePoint again_at{};
    uint64_t epoch = 0;  // of the channel at the last sending
  };
  enum class End : uint8_t { kNone, kDeadline, kGivenUp, kRejoined };

  std::vector<VerbReply> TakeNew();
  // Keeps what is new in `reply`; false when nothing is.
  bool KeepNew(VerbReply* reply);
  void SendDue();
  void Send(Sending* sending);
  // Whether nobody is to wait any longer for a master that can't be reached.
  bool IsGivenUp() const;
  // When the next message is due again.
  TimePoint NextSending() const;
  Duration Patience(TimePoint now) const;
  Status WhyUnanswered(const Sending& sending) const;

  VerbChannel& channel_;
  const std::shared_ptr<ReplyRouter> router_;
  const std::shared_ptr<Inbox> inbox_;
  const ExchangeRules rules_;
  const TimePoint started_at_;
  const TimePoint deadline_;
  const Incarnation incarnation_;
  uint64_t term_ = 0;  // replies that have not been taken yet are of this one or a later
  std::atomic<uint64_t>& sent_;
  std::vector<Sending> sendings_;
  End end_ = End::kNone;
};

}  // namespace kvstore::client

#endif  // KVSTORE_SRC_CLIENT_EXCHANGE_H_
