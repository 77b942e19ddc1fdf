#include "master/reign_text.h"

#include <charconv>
#include <chrono>
#include <optional>

namespace kvstore::master {
namespace {

constexpr std::string_view kFormat = "kvstore master state ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kChecksum = "checksum ";
constexpr size_t kIncarnationDigits = 32;
// Far more than any setting allows, and times can still be added up.
constexpr uint64_t kLongestLeaseUs = uint64_t{3650} * 24 * 3600 * 1'000'000;

std::string Hex(uint64_t number) {
  return Incarnation{0, number}.ToString().substr(kIncarnationDigits / 2);
}

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::optional<uint64_t> ParseNumber(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Incarnation> ParseIncarnation(std::string_view text) {
  if (text.size() != kIncarnationDigits) return std::nullopt;
  const auto high = ParseNumber(text.substr(0, kIncarnationDigits / 2), 16);
  const auto low = ParseNumber(text.substr(kIncarnationDigits / 2), 16);
  if (!high || !low || (*high == 0 && *low == 0)) return std::nullopt;
  return Incarnation{*high, *low};
}

// Takes the first line off, without its end. Only whole lines are left when this is used.
std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end + 1);
  return line;
}

// What follows `name` and a space; nothing: the line does not begin so.
std::optional<std::string_view> ValueOf(std::string_view line, std::string_view name) {
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') {
    return std::nullopt;
  }
  return line.substr(name.size() + 1);
}

Status Odd(std::string_view line) {
  return DataLossError("it has the line '" + std::string(line.substr(0, 80)) + "'");
}

// Checks the frame, and leaves of the text what stands between format and checksum.
Status Unframe(std::string_view* text) {
  const std::string_view whole = *text;
  if (!whole.starts_with(kFormat.substr(0, whole.size()))) {
    return FailedPreconditionError("it was not written by a kvstore_master");
  }
  if (whole.empty() || whole.back() != '\n') return DataLossError("it is cut off");
  const std::string_view version = TakeLine(text).substr(kFormat.size());
  if (version != kVersion) {
    return FailedPreconditionError("its format is version '" + std::string(version.substr(0, 20)) +
                                   "', this master knows version " + std::string(kVersion));
  }
  const size_t last = whole.substr(0, whole.size() - 1).rfind('\n') + 1;
  const std::string_view checksum = whole.substr(last, whole.size() - last - 1);
  if (last == 0 || !checksum.starts_with(kChecksum)) return DataLossError("it is cut off");
  if (checksum.substr(kChecksum.size()) != Hex(Fnv1a(whole.substr(0, last)))) {
    return DataLossError("its checksum does not match");
  }
  text->remove_suffix(checksum.size() + 1);
  return Status::Ok();
}

}  // namespace

std::string ToText(const Reign& reign) {
  using std::chrono::microseconds;
  const auto lease = std::chrono::duration_cast<microseconds>(reign.longest_lease).count();
  std::string text;
  text.append(kFormat).append(kVersion).append("\n");
  text += "pool " + reign.pool.ToString() + "\n";
  text += "term " + std::to_string(reign.term) + "\n";
  text += "longest_lease_us " + std::to_string(lease) + "\n";
  for (const Reign::Member& member : reign.members) {
    text += "member " + member.incarnation.ToString() + " " + member.name + "\n";
  }
  const std::string checksum = Hex(Fnv1a(text));
  return text.append(kChecksum).append(checksum).append("\n");
}

Result<Reign> ParseReign(std::string_view text) {
  KVSTORE_RETURN_IF_ERROR(Unframe(&text));
  Reign reign;
  reign.term = 0;
  while (!text.empty()) {
    const std::string_view line = TakeLine(&text);
    if (const auto member = ValueOf(line, "member")) {
      const auto incarnation = ParseIncarnation(member->substr(0, kIncarnationDigits));
      if (!incarnation || member->size() <= kIncarnationDigits) return Odd(line);
      reign.members.push_back({*incarnation, std::string(member->substr(kIncarnationDigits + 1))});
    } else if (const auto pool = ValueOf(line, "pool")) {
      const auto incarnation = ParseIncarnation(*pool);
      if (!incarnation) return Odd(line);
      reign.pool = *incarnation;
    } else if (const auto term = ValueOf(line, "term")) {
      const auto number = ParseNumber(*term, 10);
      if (!number) return Odd(line);
      reign.term = *number;
    } else if (const auto lease = ValueOf(line, "longest_lease_us")) {
      const auto number = ParseNumber(*lease, 10);
      if (!number || *number > kLongestLeaseUs) return Odd(line);
      reign.longest_lease = std::chrono::microseconds(*number);
    } else {
      return Odd(line);
    }
  }
  if (reign.pool.IsNone() || reign.term == 0) return DataLossError("it names no pool and term");
  return reign;
}

}  // namespace kvstore::master
