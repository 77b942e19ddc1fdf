#include "simulation/describe.h"

#include <sstream>
#include <type_traits>
#include <variant>

namespace kvstore::simulation {

namespace {

std::string ToText(const Range& range) {
  return std::to_string(range.offset) + "+" + std::to_string(range.length);
}

std::string ToText(const std::vector<Range>& ranges) {
  std::string text;
  for (const Range& range : ranges) text += (text.empty() ? "" : ",") + ToText(range);
  return text;
}

std::string ToText(const PutId& put) {
  return Short(put.writer) + "/" + std::to_string(put.sequence);
}

std::string ToText(const std::vector<Replica>& replicas) {
  std::string text;
  for (const Replica& replica : replicas) {
    text += " @" + Short(replica.segment.holder) + ":" + std::to_string(replica.segment.index) +
            "[" + ToText(replica.ranges) + "]b" + std::to_string(replica.birth);
  }
  return text;
}

std::string KeysOf(const KeyBatch& keys) {
  std::string text;
  for (size_t i = 0; i < keys.size(); ++i) text += " " + std::string(keys[i]);
  return text;
}

struct VerbText {
  std::string operator()(const StartPut& v) const {
    std::string text = v.replace ? "start-put replace" : "start-put";
    if (v.replicas > 1) text += " x" + std::to_string(v.replicas);
    for (size_t i = 0; i < v.keys.size(); ++i) {
      text += " " + std::string(v.keys[i]) + "/" + std::to_string(v.sequences[i]) + "/" +
              std::to_string(v.sizes[i]) + "B";
    }
    return text;
  }
  std::string operator()(const CommitPut& v) const { return "commit" + Numbers(v.sequences); }
  std::string operator()(const AbortPut& v) const { return "abort" + Numbers(v.sequences); }
  std::string operator()(const Locate& v) const { return "locate" + KeysOf(v.keys); }
  std::string operator()(const Exists& v) const { return "exists" + KeysOf(v.keys); }
  std::string operator()(const WaitExists& v) const { return "wait-exists" + KeysOf(v.keys); }
  std::string operator()(const Remove& v) const { return "remove" + KeysOf(v.keys); }
  std::string operator()(const StatObject& v) const { return "stat" + KeysOf(v.keys); }
  std::string operator()(const NoteReads& v) const {
    return "note " + std::to_string(v.puts.size()) + " reads";
  }

  static std::string Numbers(const std::vector<uint64_t>& numbers) {
    std::string text;
    for (const uint64_t number : numbers) text += " " + std::to_string(number);
    return text;
  }
};

}  // namespace

std::string Short(const Incarnation& incarnation) { return incarnation.ToString().substr(0, 4); }

std::string ToText(const VerbRequest& request) {
  return "r" + std::to_string(request.id) + " " + std::visit(VerbText(), request.verb);
}

std::string ToText(const VerbReply& reply) {
  std::ostringstream text;
  text << "r" << reply.id;
  std::visit(
      [&](const auto& answers) {
        for (const auto& answer : answers) {
          text << " [" << answer.index << " " << answer.status;
          if constexpr (requires { answer.replicas; }) text << ToText(answer.replicas);
          if constexpr (requires { answer.put; }) {
            if (answer.status.ok()) text << " of " << ToText(answer.put);
          }
          text << "]";
        }
      },
      reply.answers);
  return text.str();
}

std::string ToText(const Orders& orders) {
  std::string text;
  for (const Order& order : orders.orders) {
    if (const auto* retire = std::get_if<RetireOrder>(&order)) {
      text += " retire " + ToText(retire->put) + " s" + std::to_string(retire->segment) + "[" +
              ToText(retire->ranges) + "]b" + std::to_string(retire->birth);
    } else {
      const auto& prepare = std::get<PrepareOrder>(order);
      text +=
          " prepare s" + std::to_string(prepare.segment) + " to " + std::to_string(prepare.limit);
    }
  }
  return text;
}

std::string ToText(const Acks& acks) {
  std::string text = "counter " + std::to_string(acks.counter);
  for (const RetireAck& ack : acks.retired) {
    text += (ack.stage == RetireStage::kWithdrawn ? " withdrawn " : " free ") + ToText(ack.put) +
            " b" + std::to_string(ack.birth);
  }
  for (const ReadyAck& ack : acks.ready) text += " ready to " + std::to_string(ack.limit);
  return text;
}

}  // namespace kvstore::simulation
