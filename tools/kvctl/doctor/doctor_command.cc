#include <algorithm>
#include <iostream>

#include "text/json.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/doctor/checks.h"
#include "tools/kvctl/doctor/machine.h"
#include "tools/kvctl/doctor/pool.h"

namespace kvstore::kvctl {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::Level;

std::string_view NameOf(Level level) {
  switch (level) {
    case Level::kWell:
      return "ok";
    case Level::kNote:
      return "note";
    case Level::kWrong:
      return "WRONG";
  }
  return "";
}

void Print(const Findings& findings, int64_t wrong) {
  for (const Finding& finding : findings) {
    std::string level(NameOf(finding.level)), check(finding.check);
    level.resize(7, ' ');
    check.resize(13, ' ');
    std::cout << level << check << finding.what << '\n';
    if (!finding.remedy.empty())
      std::cout << std::string(20, ' ') << "-> " << finding.remedy << '\n';
  }
  std::cout << '\n'
            << (wrong == 0
                    ? std::string("nothing is wrong")
                    : std::to_string(wrong) + (wrong == 1 ? " thing is" : " things are") + " wrong")
            << '\n';
}

void Write(const Findings& findings, bool well) {
  text::JsonWriter json;
  json.BeginObject();
  json.Member("well", well);
  json.Name("findings");
  json.BeginArray();
  for (const Finding& finding : findings) {
    json.BeginObject();
    json.Member("check", finding.check);
    json.Member("level", finding.level == Level::kWrong ? "wrong" : NameOf(finding.level));
    json.Member("what", finding.what);
    json.Member("remedy", finding.remedy);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
}

ExitCode Examine(const Invocation& invocation) {
  const Findings findings =
      CheckAll(doctor::LookAtMachine(), doctor::LookAtPool(invocation.master, invocation.timeout));
  const auto wrong = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.level == Level::kWrong;
  });
  invocation.json ? Write(findings, wrong == 0) : Print(findings, wrong);
  return wrong == 0 ? kDone : kFailed;
}

constexpr Command kCommands[] = {
    {.name = "doctor",
     .synopsis = "[OPTIONS]",
     .summary = "what is wrong with this machine or the pool, and what to do",
     .description =
         "  Looks at this machine (kernel, memory, huge pages, limits, RDMA devices), goes to\n"
         "  the master, and from here to the data port of every node that lends memory. Says\n"
         "  of each thing whether it is well, and else its cause and remedy. Changes nothing.\n"
         "  The exit status is 0 where nothing is wrong (there may be notes), else 1.\n",
     .run = Examine},
};

}  // namespace

std::span<const Command> DoctorCommands() { return kCommands; }

}  // namespace kvstore::kvctl
