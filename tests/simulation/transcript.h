#ifndef KVSTORE_TESTS_SIMULATION_TRANSCRIPT_H_
#define KVSTORE_TESTS_SIMULATION_TRANSCRIPT_H_

#include <cstdio>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "simulation/scheduler.h"

namespace kvstore::simulation {

// What happened in a run, line by line, for people and for comparing two runs of a seed. No address
// and no real time may stand in it. Costs nothing while it is off. Confined to the baton.
class Transcript {
 public:
  Transcript(const Scheduler& scheduler, bool on) : scheduler_(scheduler), on_(on) {}

  template <typename... Parts>
  void Say(const std::string& who, const Parts&... parts) {
    if (!on_) return;
    char head[64];
    std::snprintf(head, sizeof head, "%12.6f %-8s ",
                  static_cast<double>(scheduler_.now().count()) * 1e-9, who.c_str());
    std::ostringstream line;
    line << head;
    (line << ... << parts);
    lines_.push_back(line.str());
  }

  bool on() const { return on_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const Scheduler& scheduler_;
  const bool on_;
  std::vector<std::string> lines_;
};

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_TRANSCRIPT_H_
