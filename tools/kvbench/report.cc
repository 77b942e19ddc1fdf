#include "tools/kvbench/report.h"

#include <cmath>
#include <cstdio>

#include "text/json.h"

namespace kvstore::bench {
namespace {

constexpr int kJsonDigits = 4;

// Three digits that matter; rates of keys in thousands.
std::string Format(double value, const std::string& unit) {
  const bool thousands = unit == "keys/s";
  const double shown = thousands ? value / 1000 : value;
  const int digits = shown >= 100 ? 0 : shown >= 10 ? 1 : shown >= 1 ? 2 : 3;
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f %s%s", digits, shown, thousands ? "K " : "",
                unit.c_str());
  return text;
}

std::string Line(const std::string& row, const std::string& value, const std::string& limit,
                 const std::string& against, const std::string& ratio, const std::string& target) {
  char text[256];
  std::snprintf(text, sizeof(text), "%-27s %14s %14s  %-14s %-19s %s", row.c_str(), value.c_str(),
                limit.c_str(), against.c_str(), ratio.c_str(), target.c_str());
  return text;
}

std::string Verdict(const Row& row, const Outcome& outcome) {
  if (!row.target) return "";
  char text[64];
  std::snprintf(text, sizeof(text), "%.2f %s", *row.target,
                outcome.ratio.median >= *row.target ? "met" : "missed");
  return text;
}

}  // namespace

std::string TableHead() {
  return Line("row", "value", "limit", "which is", "ratio (spread)", "target");
}

std::string TableLine(const Row& row, const Outcome& outcome) {
  char ratio[64];
  std::snprintf(ratio, sizeof(ratio), "%.2f (%.2f-%.2f)", outcome.ratio.median, outcome.ratio.least,
                outcome.ratio.most);
  return Line(row.name, Format(outcome.value, row.unit), Format(outcome.limit, row.unit),
              row.against, ratio, Verdict(row, outcome));
}

std::string ToJson(const std::vector<std::pair<Row, Outcome>>& done) {
  text::JsonWriter json;
  json.BeginArray();
  for (const auto& [row, outcome] : done) {
    json.BeginObject();
    json.Member("row", row.name);
    json.Name("value"), json.Decimal(outcome.value, kJsonDigits);
    json.Member("unit", row.unit);
    json.Name("limit"), json.Decimal(outcome.limit, kJsonDigits);
    json.Name("ratio"), json.Decimal(outcome.ratio.median, kJsonDigits);
    json.Name("target");
    if (row.target) {
      json.Decimal(*row.target, kJsonDigits);
    } else {
      json.Null();
    }
    json.EndObject();
  }
  json.EndArray();
  return json.Take();
}

}  // namespace kvstore::bench
