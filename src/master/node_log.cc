#include "master/node_log.h"

#include <glog/logging.h>

#include <cstdio>
#include <utility>

#include "master/bytes_text.h"

namespace kvstore::master {
namespace {

constexpr uint64_t kLinesPerSecond = 50;

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

void NodeLog::Write(TimePoint now, const std::vector<NodeEvent>& events) {
  for (const NodeEvent& event : events) {
    if (!IsForOperators(event)) VLOG(1) << Describe(event);
  }
  for (const Line& line : Compose(now, events)) {
    if (line.warning) {
      LOG(WARNING) << line.text;
    } else {
      LOG(INFO) << line.text;
    }
  }
}

std::vector<NodeLog::Line> NodeLog::Compose(TimePoint now, const std::vector<NodeEvent>& events) {
  std::vector<Line> lines;
  MutexLock lock(mu_);
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    written_ = 0;
    if (const uint64_t left_out = std::exchange(left_out_, 0); left_out > 0) {
      lines.push_back({true, std::to_string(left_out) +
                                 " more lines about nodes were left out; the metrics count all"});
    }
  }
  for (const NodeEvent& event : events) {
    if (!IsForOperators(event)) continue;
    if (written_ < kLinesPerSecond) {
      ++written_;
      lines.push_back({IsWarning(event), Describe(event)});
    } else {
      ++left_out_;
    }
  }
  return lines;
}

}  // namespace kvstore::master
