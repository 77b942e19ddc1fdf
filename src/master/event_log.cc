#include "master/event_log.h"

#include <glog/logging.h>

#include <cstdio>

#include "master/bytes_text.h"
#include "master/event_names.h"
#include "master/json_log.h"

namespace kvstore::master {
namespace {

constexpr uint64_t kLinesPerSecond = 50;  // of each kind

// Kinds of lines: those of nodes, then those of objects.
size_t KindOf(const NodeEvent& event) { return static_cast<size_t>(event.what); }
size_t KindOf(const ObjectEvent& event) { return kNodeEvents + static_cast<size_t>(event.what); }

std::string_view NameOfKind(size_t kind) {
  return kind < kNodeEvents ? EventName(static_cast<NodeEvent::What>(kind))
                            : EventName(static_cast<ObjectEvent::What>(kind - kNodeEvents));
}

std::string SecondsText(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(duration).count());
  return text;
}

std::string LossText(const NodeEvent& event) {
  if (event.objects_lost == 0) return event.lends ? "; no object is lost with it" : "";
  return "; " + std::to_string(event.objects_lost) +
         (event.objects_lost == 1 ? " object, " : " objects, ") + BytesText(event.bytes_lost) +
         (event.objects_lost == 1 ? ", is lost with it" : ", are lost with it");
}

bool IsForOperators(const NodeEvent& event) {
  return event.lends || event.what != NodeEvent::What::kLeft;
}

bool IsWarning(const NodeEvent& event) {
  return event.lends &&
         (event.what == NodeEvent::What::kSuspected || event.what == NodeEvent::What::kGone ||
          event.what == NodeEvent::What::kSick);
}

bool IsWarning(const ObjectEvent& event) {
  return event.what == ObjectEvent::What::kLost || event.what == ObjectEvent::What::kReplicaLost;
}

}  // namespace

std::string Describe(const NodeEvent& event) {
  const std::string node = "node '" + event.name + "' (" + event.node.ToString() + ")";
  const std::string silence = "silent for " + SecondsText(event.lasted);
  const std::string loss = "its session stream is lost";
  switch (event.what) {
    case NodeEvent::What::kSuspected:
      return node + " is suspected: " + (event.has_session ? silence : loss);
    case NodeEvent::What::kTrusted:
      return node + " is trusted again after " + SecondsText(event.lasted);
    case NodeEvent::What::kLeft:
      return node + " has left" + LossText(event);
    case NodeEvent::What::kGone:
      if (!event.why.empty()) return node + " is gone: " + event.why + LossText(event);
      return node + " is gone: " + (event.has_session ? "" : loss + ", ") + silence +
             LossText(event);
    case NodeEvent::What::kReported:
      return node + " has reported what its memory holds";
    case NodeEvent::What::kSick:
      return node + " is out of placement: its peers can't reach it";
    case NodeEvent::What::kWell:
      return node + " is in placement again after " + SecondsText(event.lasted);
    case NodeEvent::What::kDraining:
      return node + " is being drained";
    case NodeEvent::What::kDrained:
      return node + " is drained, and told to leave";
  }
  return node;
}

EventLog::EventLog(uint64_t term, const Options& options)
    : term_(term), options_(options), limiter_(kNodeEvents + kObjectEvents, kLinesPerSecond) {}

void EventLog::Write(TimePoint now, const std::vector<NodeEvent>& nodes,
                     const std::vector<ObjectEvent>& objects) {
  for (const NodeEvent& event : nodes) {
    if (!IsForOperators(event)) VLOG(1) << Describe(event);
  }
  for (const Line& line : Compose(now, nodes, objects)) {
    const google::LogSeverity severity = line.warning ? google::GLOG_WARNING : google::GLOG_INFO;
    if (options_.format == LogFormat::kJson) {
      JsonLog::Write(severity, line.text);
    } else {
      google::LogMessage(__FILE__, __LINE__, severity).stream() << line.text;
    }
  }
}

std::vector<EventLog::Line> EventLog::Compose(TimePoint now, const std::vector<NodeEvent>& nodes,
                                              const std::vector<ObjectEvent>& objects) {
  std::vector<Line> lines;
  MutexLock lock(mu_);
  for (const auto& [kind, count] : limiter_.TakeLeftOut(now)) {
    EventLine line(options_.format, "left_out", term_);
    line.Add("of", NameOfKind(kind));
    line.Add("lines", count);
    line.Add("msg", "more lines of this kind were left out; the metrics count all");
    lines.push_back({kind < kNodeEvents, line.Take()});
  }
  for (const NodeEvent& event : nodes) {
    if (!IsForOperators(event) || !limiter_.Admit(now, KindOf(event))) continue;
    lines.push_back({IsWarning(event), TextOf(event)});
  }
  if (!options_.objects) return lines;
  for (const ObjectEvent& event : objects) {
    if (!limiter_.Admit(now, KindOf(event))) continue;
    lines.push_back({IsWarning(event), TextOf(event)});
  }
  return lines;
}

std::string EventLog::TextOf(const NodeEvent& event) const {
  EventLine line(options_.format, EventName(event.what), term_);
  line.Add("node", event.name);
  line.Add("incarnation", event.node);
  if (event.lasted > Duration::zero()) line.AddSeconds("lasted_s", event.lasted);
  if (event.what == NodeEvent::What::kLeft || event.what == NodeEvent::What::kGone) {
    line.Add("objects_lost", event.objects_lost);
    line.Add("bytes_lost", event.bytes_lost);
  }
  line.Add("msg", Describe(event));
  return line.Take();
}

std::string EventLog::TextOf(const ObjectEvent& event) const {
  EventLine line(options_.format, EventName(event.what), term_);
  line.AddKey(event.key);
  line.AddPut(event.put);
  line.Add("size", event.size);
  if (!event.node.empty()) line.Add("node", event.node);
  return line.Take();
}

}  // namespace kvstore::master
