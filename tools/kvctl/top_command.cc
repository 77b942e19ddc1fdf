#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <limits>
#include <utility>

#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/interrupt.h"
#include "tools/kvctl/top_view.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

Result<Sample> TakeSample(AdminStub* admin) {
  Sample sample;
  KVSTORE_ASSIGN_OR_RETURN(sample.status, admin->GetStatus());
  KVSTORE_ASSIGN_OR_RETURN(sample.nodes, admin->ListNodes());
  sample.when = BootClock::now();
  return sample;
}

void Show(const Invocation& invocation, const Sample& before, const Sample& now) {
  if (invocation.json) {
    std::cout << TopJson(before, now);
  } else if (isatty(STDOUT_FILENO) != 0) {
    // Over the old picture, so that nothing flickers; what is left of it is cleared.
    std::string text = TopText(before, now);
    for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 4) {
      text.insert(at, "\x1b[K");
    }
    std::cout << "\x1b[H" << text << "\x1b[J";
  } else {
    std::cout << TopText(before, now) << '\n';
  }
  std::cout.flush();
}

ExitCode Top(const Invocation& invocation) {
  const text::CommandLine& line = invocation.line;
  const Result<Duration> interval = text::ParseDuration(line.Get("interval", "2s"));
  if (!interval.ok()) return FailUsage("--interval: " + interval.status().message());
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  const Result<uint64_t> count = text::ParseNumber(line.Get("count", "0"), 0, kMost);
  if (!count.ok()) return FailUsage("--count: " + count.status().message());

  const Interrupt interrupt;
  AdminStub admin(invocation.master, invocation.timeout);
  Result<Sample> before = TakeSample(&admin);
  if (!before.ok()) return Fail(before.status());
  const bool redraws = !invocation.json && isatty(STDOUT_FILENO) != 0;
  if (redraws) std::cout << "\x1b[2J";
  for (uint64_t shown = 0; *count == 0 || shown < *count; ++shown) {
    if (interrupt.WaitUntil(before->when + *interval) == Interrupt::Why::kSignal) break;
    Result<Sample> now = TakeSample(&admin);
    if (!now.ok()) return Fail(now.status());
    Show(invocation, *before, *now);
    if (!std::cout) return kFailed;
    before = std::move(now);
  }
  return kDone;
}

constexpr text::Option kOptions[] = {
    {"interval", "", "TIME", "between two pictures (default 2s)"},
    {"count", "", "N", "so many pictures, then end; 0: until an interrupt (default 0)"},
};

constexpr Command kCommands[] = {
    {.name = "top",
     .synopsis = "[--interval TIME] [--count N] [OPTIONS]",
     .summary = "the pool and its nodes, live",
     .description =
         "  Rates are those of the last interval; HITS and MISSES are of what a node asked\n"
         "  the master for, RATIO is since it joined; GETS and PUTS are bytes, as the node\n"
         "  tells them about once a second. On a terminal the picture is drawn anew in\n"
         "  place, elsewhere block by block; with --output json an object a line. It ends\n"
         "  with an interrupt (exit status 0).\n",
     .options = kOptions,
     .run = Top},
};

}  // namespace

std::span<const Command> TopCommands() { return kCommands; }

}  // namespace kvstore::kvctl
