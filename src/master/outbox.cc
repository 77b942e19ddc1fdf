#include "master/outbox.h"

#include <algorithm>
#include <type_traits>

namespace kvstore::master {
namespace {

// Every holder named, sorted, once.
std::vector<Incarnation> HoldersIn(const VerbReply& reply) {
  std::vector<Incarnation> holders;
  std::visit(
      [&holders](const auto& answers) {
        using Answer = typename std::decay_t<decltype(answers)>::value_type;
        if constexpr (requires(const Answer& answer) { answer.replicas; }) {
          for (const Answer& answer : answers) {
            for (const Replica& replica : answer.replicas) {
              const Incarnation& holder = replica.segment.holder;
              if (holders.empty() || holders.back() != holder) holders.push_back(holder);
            }
          }
        }
      },
      reply.answers);
  std::sort(holders.begin(), holders.end());
  holders.erase(std::unique(holders.begin(), holders.end()), holders.end());
  return holders;
}

}  // namespace

void Outbox::Add(Incarnation node, Order order) {
  const auto [it, added] = orders_index_.emplace(node, effects_.orders.size());
  if (added) effects_.orders.push_back({node, Orders{term_, {}}});
  effects_.orders[it->second].orders.orders.push_back(std::move(order));
}

Effects Outbox::Take(const NodeTable& nodes) {
  for (Effects::Reply& reply : effects_.replies) {
    for (const Incarnation& holder : HoldersIn(reply.reply)) {
      if (const Node* node = nodes.Find(holder)) reply.reply.peers.push_back(node->peer);
    }
  }
  reply_index_.clear();
  orders_index_.clear();
  last_reply_ = SIZE_MAX;
  return std::exchange(effects_, {});
}

VerbReply& Outbox::ReplyTo(const RequestName& request) {
  if (last_reply_ == SIZE_MAX || request != last_request_) {
    const auto [it, added] = reply_index_.emplace(request, effects_.replies.size());
    if (added) {
      effects_.replies.push_back({request.caller, {}});
      effects_.replies.back().reply.id = request.id;
    }
    last_request_ = request;
    last_reply_ = it->second;
  }
  return effects_.replies[last_reply_].reply;
}

}  // namespace kvstore::master
