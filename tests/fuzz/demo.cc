// What the demo reads: traces, and the lines of its workers.

#include "fuzz/target.h"
#include "tools/demo/report.h"
#include "tools/demo/trace.h"

namespace kvstore::fuzz {

using namespace demo;

void Take(std::string_view bytes) {
  const auto trace = ReadTrace(FileOf(bytes), 10);
  if (trace.ok()) Expect(!trace->empty() && trace->size() <= 10, "a trace has requests");
  const std::optional<Report> report = Report::FromLine(bytes);
  if (!report) return;
  const std::optional<Report> again = Report::FromLine(report->ToLine());
  Expect(again && again->ToLine() == report->ToLine(), "a report is read as it is written");
}

std::vector<std::string> Seeds() {
  return {"{\"timestamp\": 1, \"hash_ids\": [1, 2, 18446744073709551615]}\n{\"hash_ids\":[]}\n",
          "{\"hash_ids\" : [ 3 ,4 ]}", "request id=17 blocks=14 put_us=812 | unavailable: why",
          "ready"};
}

}  // namespace kvstore::fuzz
