#include "tools/kvbench/measure.h"

#include <algorithm>
#include <cmath>

namespace kvstore::bench {
namespace {

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double RatioOf(Better better, double value, double limit) {
  return better == Better::kMore ? value / limit : limit / value;
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {.median = values[values.size() / 2], .least = values.front(), .most = values.back()};
}

Result<Outcome> Alternate(Better better, Duration time, const Round& store, const Round& limit,
                          size_t rounds) {
  const Duration each = time / (2 * (rounds + 1));
  std::vector<double> values, limits, ratios;
  for (size_t round = 0; round <= rounds; ++round) {
    KVSTORE_ASSIGN_OR_RETURN(const double most, limit(each));
    KVSTORE_ASSIGN_OR_RETURN(const double value, store(each));
    if (round == 0) continue;
    values.push_back(value);
    limits.push_back(most);
    ratios.push_back(RatioOf(better, value, most));
  }
  return Outcome{.value = SpreadOf(values).median,
                 .limit = SpreadOf(limits).median,
                 .ratio = SpreadOf(ratios)};
}

Outcome Demand(Better better, double value, double demanded) {
  const double ratio = RatioOf(better, value, demanded);
  return {.value = value, .limit = demanded, .ratio = {ratio, ratio, ratio}};
}

double Times::PerSecond(double amount_per_step) const {
  return amount_per_step * static_cast<double>(each_.size()) / Seconds(sum_);
}

double Times::PercentileUs(double share) const {
  std::vector<Duration> each = each_;
  const auto at =
      each.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(each.size() - 1));
  std::nth_element(each.begin(), at, each.end());
  return Seconds(*at) * 1e6;
}

Result<Times> Repeat(Duration time, const Step& step) {
  Times times;
  const TimePoint until = BootClock::now() + 2 * time;
  do {
    KVSTORE_ASSIGN_OR_RETURN(const Duration took, step());
    times.Add(took);
  } while (times.sum() < time && BootClock::now() < until);
  return times;
}

}  // namespace kvstore::bench
