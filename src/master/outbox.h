#ifndef KVSTORE_SRC_MASTER_OUTBOX_H_
#define KVSTORE_SRC_MASTER_OUTBOX_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "master/catalog.h"
#include "master/node_table.h"
#include "master/waiting.h"
#include "proto/verbs.h"

namespace kvstore::master {

// What one event has produced so far: answers gathered per request, orders per node. Lives for one
// event. Thread-compatible.
class Outbox {
 public:
  explicit Outbox(uint64_t term) : term_(term) {}

  template <typename Answer>
  void Add(const RequestName& request, Answer answer) {
    VerbReply& reply = ReplyTo(request);
    if (!std::holds_alternative<std::vector<Answer>>(reply.answers)) {
      reply.answers.emplace<std::vector<Answer>>();
    }
    std::get<std::vector<Answer>>(reply.answers).push_back(std::move(answer));
  }

  // `can_wait`: see Effects::OrdersTo; as the most urgent one says.
  void Add(Incarnation node, Order order, bool can_wait = false);
  void Add(NodeEvent event) { effects_.node_events.push_back(std::move(event)); }
  void Add(ObjectEvent event) { effects_.object_events.push_back(std::move(event)); }
  void AddContradicted(std::string key) { effects_.contradicted.push_back(std::move(key)); }
  void AddGone(Incarnation node) { effects_.gone.push_back(node); }
  void AddStrike(Incarnation node) { effects_.strike.push_back(node); }

  // Everything, with the peers that the answers and orders name; members of `nodes` only. The
  // outbox is empty then.
  Effects Take(const NodeTable& nodes);

 private:
  VerbReply& ReplyTo(const RequestName& request);

  const uint64_t term_;
  Effects effects_;
  std::map<RequestName, size_t> reply_index_;
  std::map<Incarnation, size_t> orders_index_;
  RequestName last_request_;  // whose reply is `last_reply_`
  size_t last_reply_ = SIZE_MAX;
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_OUTBOX_H_
