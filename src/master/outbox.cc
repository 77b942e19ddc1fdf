#include "master/outbox.h"

#include <algorithm>
#include <type_traits>

namespace kvstore::master {
namespace {

void SortOnce(std::vector<Incarnation>* holders) {
  std::sort(holders->begin(), holders->end());
  holders->erase(std::unique(holders->begin(), holders->end()), holders->end());
}

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
  SortOnce(&holders);
  return holders;
}

std::vector<Incarnation> HoldersIn(const Orders& orders) {
  std::vector<Incarnation> holders;
  for (const Order& order : orders.orders) {
    if (const auto* copy = std::get_if<CopyOrder>(&order)) {
      holders.push_back(copy->from.segment.holder);
    }
  }
  SortOnce(&holders);
  return holders;
}

// Puts down how each holder that the message names is reached.
template <typename Message>
void AddPeers(const NodeTable& nodes, Message* message) {
  for (const Incarnation& holder : HoldersIn(*message)) {
    if (const Node* node = nodes.Find(holder)) message->peers.push_back(node->peer);
  }
}

}  // namespace

void Outbox::Add(Incarnation node, Order order, bool can_wait) {
  const auto [it, added] = orders_index_.emplace(node, effects_.orders.size());
  if (added) effects_.orders.push_back({node, Orders{term_, {}}, true});
  Effects::OrdersTo& to = effects_.orders[it->second];
  to.orders.orders.push_back(std::move(order));
  to.can_wait = to.can_wait && can_wait;
}

Effects Outbox::Take(const NodeTable& nodes) {
  for (Effects::Reply& reply : effects_.replies) AddPeers(nodes, &reply.reply);
  for (Effects::OrdersTo& to : effects_.orders) AddPeers(nodes, &to.orders);
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
