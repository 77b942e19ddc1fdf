#include "tools/text/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

namespace kvstore::text {
namespace {

// The number that `text` begins with, and what follows it.
struct Quantity {
  double number = 0;
  std::string_view unit;
};

Result<Quantity> Split(std::string_view text) {
  Quantity quantity;
  const char* const end = text.data() + text.size();
  const auto [rest, error] =
      std::from_chars(text.data(), end, quantity.number, std::chars_format::fixed);
  if (error != std::errc() || !(quantity.number >= 0)) {
    return InvalidArgumentError("'" + std::string(text) + "' does not begin with a number");
  }
  quantity.unit = std::string_view(rest, static_cast<size_t>(end - rest));
  return quantity;
}

// What one of a unit of memory is: "", "B", "K", "KiB", "KB" and so on, the first letter in either
// case.
std::optional<double> UnitBytes(std::string_view unit) {
  if (unit.empty() || unit == "B") return 1;
  constexpr std::string_view kLetters = "KMGT";
  const size_t power = kLetters.find(static_cast<char>(unit[0] & ~0x20));
  const std::string_view rest = unit.substr(1);
  if (power == std::string_view::npos) return std::nullopt;
  if (rest.empty() || rest == "iB") return std::pow(1024.0, power + 1);
  if (rest == "B") return std::pow(1000.0, power + 1);
  return std::nullopt;
}

std::string Format(const char* format, double number, const char* unit) {
  std::array<char, 48> out{};
  std::snprintf(out.data(), out.size(), format, number, unit);
  return out.data();
}

std::string FormatTwo(int64_t large, const char* large_unit, int64_t small,
                      const char* small_unit) {
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "%lld %s %02lld %s", static_cast<long long>(large),
                large_unit, static_cast<long long>(small), small_unit);
  return out.data();
}

}  // namespace

Result<uint64_t> ParseBytes(std::string_view text) {
  KVSTORE_ASSIGN_OR_RETURN(const Quantity quantity, Split(text));
  const std::optional<double> unit = UnitBytes(quantity.unit);
  if (!unit) {
    return InvalidArgumentError("'" + std::string(text) +
                                "' is no size: write it like 4096, 64KiB, 512MiB or 1GiB");
  }
  const double bytes = quantity.number * *unit;
  if (bytes > 9e18) return InvalidArgumentError("'" + std::string(text) + "' is too large a size");
  return static_cast<uint64_t>(bytes);
}

Result<Duration> ParseDuration(std::string_view text) {
  KVSTORE_ASSIGN_OR_RETURN(const Quantity quantity, Split(text));
  double seconds = quantity.number;
  if (quantity.unit == "ms") {
    seconds /= 1000;
  } else if (quantity.unit == "m") {
    seconds *= 60;
  } else if (quantity.unit == "h") {
    seconds *= 3600;
  } else if (!quantity.unit.empty() && quantity.unit != "s") {
    return InvalidArgumentError("'" + std::string(text) +
                                "' is no time: write it like 500ms, 5s, 2m or 1h");
  }
  if (seconds * 1e9 < 1 || seconds > 86'400) {
    return InvalidArgumentError("'" + std::string(text) +
                                "' is out of bounds: more than 0, at most 24h");
  }
  return Duration(static_cast<int64_t>(seconds * 1e9));
}

Result<uint64_t> ParseNumber(std::string_view text, uint64_t least, uint64_t most) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < least || number > most) {
    return InvalidArgumentError("'" + std::string(text) + "' is not a whole number from " +
                                std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double number = static_cast<double>(bytes);
  size_t unit = 0;
  constexpr std::array<const char*, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  while (number >= 1023.95 && unit + 1 < kUnits.size()) {
    number /= 1024;
    ++unit;
  }
  return Format("%.1f %s", number, kUnits[unit]);
}

std::string FormatDuration(Duration duration) {
  const int64_t nanoseconds = duration.count();
  const double seconds = static_cast<double>(nanoseconds) / 1e9;
  if (nanoseconds <= 0) return "0 s";
  if (seconds < 1e-3) return Format("%.0f %s", seconds * 1e6, "us");
  if (seconds < 1) return Format("%.1f %s", seconds * 1e3, "ms");
  if (seconds < 60) return Format("%.1f %s", seconds, "s");
  const int64_t whole = nanoseconds / 1'000'000'000;
  if (whole < 3600) return FormatTwo(whole / 60, "m", whole % 60, "s");
  if (whole < 86'400) return FormatTwo(whole / 3600, "h", whole % 3600 / 60, "m");
  return FormatTwo(whole / 86'400, "d", whole % 86'400 / 3600, "h");
}

}  // namespace kvstore::text
