#include "tools/kvbench/run.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <utility>

#include "tools/kvbench/report.h"
#include "tools/kvbench/row.h"
#include "tools/text/table.h"

namespace kvstore::bench {
namespace {

bool Fits(const std::string& pattern, const Row& row) {
  return pattern == "all" || fnmatch(pattern.c_str(), row.name.c_str(), 0) == 0;
}

// What the figures are worth depends on it.
std::string OtherLoad() {
  std::ifstream file("/proc/loadavg");
  std::string minute;
  file >> minute;
  return minute;
}

bool WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path);
  file << bytes;
  return file.flush().good();
}

}  // namespace

int ListRows() {
  text::Table table({{.title = "row"}, {.title = "unit"}, {.title = "against"}, {.title = "what"}});
  for (const Row& row : AllRows()) table.AddRow({row.name, row.unit, row.against, row.about});
  table.Print(std::cout);
  return 0;
}

int RunRows(const RunOptions& options) {
  const std::vector<Row> all = AllRows();
  for (const std::string& pattern : options.rows) {
    if (std::any_of(all.begin(), all.end(), [&](const Row& row) { return Fits(pattern, row); })) {
      continue;
    }
    std::cerr << "kvbench: no row is called '" << pattern << "'; see kvbench list\n";
    return 2;
  }
  std::cout << "load average before: " << OtherLoad() << "\n" << TableHead() << std::endl;
  Bench bench(options.bench);
  std::vector<std::pair<Row, Outcome>> done;
  bool failed = false;
  for (const Row& row : all) {
    if (std::none_of(options.rows.begin(), options.rows.end(),
                     [&](const std::string& pattern) { return Fits(pattern, row); })) {
      continue;
    }
    const Result<Outcome> outcome = row.run(bench);
    if (outcome.ok()) {
      std::cout << TableLine(row, *outcome) << std::endl;
      done.emplace_back(row, *outcome);
    } else {
      std::cout << row.name << ": FAILED: " << outcome.status().message() << std::endl;
      failed = true;
    }
  }
  if (!options.json.empty() && !WriteFile(options.json, ToJson(done))) {
    std::cerr << "kvbench: can't write " << options.json << '\n';
    failed = true;
  }
  return failed ? 1 : 0;
}

}  // namespace kvstore::bench
