// The master's state file. What has the right checksum may still be anything: the fuzzer's bytes
// are tried as they are, and framed.

#include "fuzz/target.h"
#include "master/reign_text.h"

namespace kvstore::fuzz {
namespace {

using namespace master;

constexpr std::string_view kFirstLine = "kvstore master state 1\n";

void TakeText(const std::string& text) {
  const Result<Reign> reign = ParseReign(text);
  if (!reign.ok()) return;
  Expect(!reign->pool.IsNone() && reign->term > 0, "a reign has a pool and a term");
  Expect(reign->longest_lease >= Duration::zero(), "no lease is negative");
  const Result<Reign> again = ParseReign(ToText(*reign));
  Expect(again.ok() && ToText(*again) == ToText(*reign), "a reign is read as it is written");
}

// As ToText frames it.
std::string Framed(std::string_view lines) {
  std::string text = std::string(kFirstLine) + std::string(lines);
  if (text.back() != '\n') text += '\n';
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return text + "checksum " + Incarnation{0, hash}.ToString().substr(16) + "\n";
}

}  // namespace

void Take(std::string_view bytes) {
  TakeText(std::string(bytes));
  TakeText(Framed(bytes));
}

std::vector<std::string> Seeds() {
  const std::string text =
      ToText({{1, 2}, 3, std::chrono::seconds(5), {{{4, 5}, "a node"}, {{6, 7}, "b"}}});
  const size_t lines = kFirstLine.size();
  return {text, text.substr(lines, text.rfind("checksum") - lines)};
}

}  // namespace kvstore::fuzz
