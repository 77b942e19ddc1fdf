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
  std::string operator()(const CommitPut& v) const {
    std::string text = "commit" + Numbers(v.sequences);
    for (const GrantPiece& piece : v.pieces) {
      text += " in " + std::to_string(piece.grant) + "[" + std::to_string(piece.offset) + "+" +
              std::to_string(piece.length) + "]";
    }
    return text;
  }
  std::string operator()(const GrantAhead& v) const {
    return "grant-ahead " + std::to_string(v.sequence) + " " + std::to_string(v.bytes) + "B";
  }
  std::string operator()(const AbortPut& v) const { return "abort" + Numbers(v.sequences); }
  std::string operator()(const Locate& v) const { return "locate" + KeysOf(v.keys); }
  std::string operator()(const Exists& v) const { return "exists" + KeysOf(v.keys); }
  std::string operator()(const WaitExists& v) const { return "wait-exists" + KeysOf(v.keys); }
  std::string operator()(const Remove& v) const { return "remove" + KeysOf(v.keys); }
  std::string operator()(const StatObject& v) const { return "stat" + KeysOf(v.keys); }
  std::string operator()(const NoteReads& v) const {
    return "note " + std::to_string(v.puts.size()) + " reads";
  }
  std::string operator()(const Pin& v) const {
    const bool pins = v.hard || v.soft > Duration::zero();
    return (pins ? "pin" : "unpin") + KeysOf(v.keys);
  }
  std::string operator()(const RemoveMatching& v) const { return "remove " + v.prefix + "*"; }
  std::string operator()(const ReportFailures& v) const {
    return "report " + std::to_string(v.segments.size()) + " failures";
  }

  static std::string Numbers(const std::vector<uint64_t>& numbers) {
    std::string text;
    for (const uint64_t number : numbers) text += " " + std::to_string(number);
    return text;
  }
};

// " <what> writer/7 s3[0+4096]b9".
template <typename Grant>
std::string GrantText(const char* what, const Grant& v) {
  return what + ToText(v.put) + " s" + std::to_string(v.segment) + "[" + ToText(v.ranges) + "]b" +
         std::to_string(v.birth);
}

struct OrderText {
  std::string operator()(const RetireOrder& v) const { return GrantText(" retire ", v); }
  std::string operator()(const PrepareOrder& v) const {
    return " prepare s" + std::to_string(v.segment) + " to " + std::to_string(v.limit);
  }
  std::string operator()(const NoteOrder& v) const { return GrantText(" note ", v) + " " + v.key; }
  std::string operator()(const CopyOrder& v) const {
    return GrantText(" copy ", v) + " from" + ToText(std::vector<Replica>{v.from});
  }
  std::string operator()(const ReleaseOrder& v) const {
    return " release s" + std::to_string(v.segment) + " from " + std::to_string(v.limit);
  }
  std::string operator()(const LeaveOrder&) const { return " leave"; }
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
    text += std::visit(OrderText(), order);
  }
  return text;
}

std::string ToText(const Acks& acks) {
  std::string text = "counter " + std::to_string(acks.counter);
  for (const RetireAck& ack : acks.retired) {
    text += (ack.stage == RetireStage::kWithdrawn ? " withdrawn " : " free ") + ToText(ack.put) +
            " b" + std::to_string(ack.birth);
  }
  for (const ReadyAck& ack : acks.ready) {
    text += " ready s" + std::to_string(ack.segment) + " to " + std::to_string(ack.limit);
  }
  for (const NoteAck& ack : acks.noted) {
    text +=
        (ack.kept ? " noted " : " not noted ") + ToText(ack.put) + " b" + std::to_string(ack.birth);
  }
  for (const CopyAck& ack : acks.copied) {
    text += (ack.status.ok() ? " copied " : " not copied ") + ToText(ack.put) + " b" +
            std::to_string(ack.birth);
  }
  for (const ReleaseAck& ack : acks.released) {
    text += " released s" + std::to_string(ack.segment) + " from " + std::to_string(ack.limit);
  }
  return text;
}

std::string ToText(const std::vector<LentSegment>& segments) {
  std::string text;
  for (const LentSegment& segment : segments) {
    text += " s" + std::to_string(segment.index) + " " + std::to_string(segment.size) + " B, " +
            std::to_string(segment.ready) + " ready";
  }
  return text;
}

std::string ToText(const Report& report) {
  std::string text = "term " + std::to_string(report.term);
  for (const NoteOrder& note : report.notes) text += GrantText(" note ", note) + " " + note.key;
  for (const HeldMemory& held : report.held) {
    text += " held s" + std::to_string(held.segment) + "[" + ToText(held.ranges) + "]";
  }
  return text + (report.last ? " last" : " more");
}

}  // namespace kvstore::simulation
