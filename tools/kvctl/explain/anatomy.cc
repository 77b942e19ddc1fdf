#include "tools/kvctl/explain/anatomy.h"

#include <algorithm>
#include <cstdint>

namespace kvstore::kvctl {
namespace {

using Words = std::vector<std::string_view>;

Words Split(std::string_view text, char at) {
  Words words;
  for (;;) {
    const size_t end = text.find(at);
    words.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end + 1);
  }
}

bool IsAll(std::string_view text, bool (*fits)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsWordLetter(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '_'; }
bool IsNumber(std::string_view text) { return IsAll(text, IsDigit); }
bool IsHex(std::string_view text) { return IsAll(text, IsHexDigit); }

// Older versions write hashes as signed numbers.
bool IsHash(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() >= 6 && IsHex(text);
}

bool IsDtype(std::string_view text) {
  return IsAll(text, IsWordLetter) && text.front() >= 'a' && text.front() <= 'z';
}

void Add(Part part, std::string_view text, Anatomy* anatomy) {
  anatomy->parts.push_back({part, std::string(text)});
}

std::optional<Anatomy> AsLmcache(Words words) {
  Anatomy anatomy{"LMCache", {}};
  if (words.front() == "vllm") words.erase(words.begin());
  const bool fits = words.size() >= 5 && !words[0].empty() && IsNumber(words[1]) &&
                    IsNumber(words[2]) && IsHash(words[3]) && IsDtype(words[4]);
  if (!fits) return std::nullopt;
  Add(Part::kModel, words[0], &anatomy);
  Add(Part::kWorldSize, words[1], &anatomy);
  Add(Part::kRank, words[2], &anatomy);
  Add(Part::kHash, words[3], &anatomy);
  Add(Part::kDtype, words[4], &anatomy);
  for (size_t i = 5; i < words.size(); ++i) {
    Add(IsNumber(words[i]) ? Part::kLayer : Part::kTag, words[i], &anatomy);
  }
  return anatomy;
}

std::optional<Anatomy> AsLmcacheServer(const Words& words) {
  const bool fits = (words.size() == 4 || words.size() == 5) && !words[0].empty() &&
                    words[1].size() == 8 && IsHex(words[1]) && IsHex(words[2]) && IsHash(words[3]);
  if (!fits) return std::nullopt;
  Anatomy anatomy{"LMCache", {}};
  Add(Part::kModel, words[0], &anatomy);
  Add(Part::kRank, words[1], &anatomy);
  Add(Part::kGroup, words[2], &anatomy);
  Add(Part::kHash, words[3], &anatomy);
  if (words.size() == 5) Add(Part::kTag, words[4], &anatomy);
  return anatomy;
}

std::optional<Anatomy> AsVllm(const Words& words) {
  const auto rank = std::find_if(words.begin(), words.end(), [](std::string_view word) {
    return word.starts_with("tp_rank:");
  });
  if (rank == words.begin() || words.end() - rank < 2 || !IsHash(words.back())) return std::nullopt;
  Anatomy anatomy{"vLLM", {}};
  for (auto word = words.begin(); word != rank - 1; ++word) {
    Add(Part::kNamespace, *word, &anatomy);
  }
  Add(Part::kModel, *(rank - 1), &anatomy);
  for (auto word = rank; word != words.end() - 1; ++word) {
    Add(word->starts_with("group:") ? Part::kGroup : Part::kRank, *word, &anatomy);
  }
  Add(Part::kHash, words.back(), &anatomy);
  return anatomy;
}

std::optional<Anatomy> AsSglang(std::string_view key) {
  constexpr size_t kDigits = 64;
  const Words words = Split(key, '_');
  const auto hash = std::find_if(words.begin(), words.end(), [](std::string_view word) {
    return word.size() == kDigits && IsHex(word);
  });
  if (words.end() - hash < 2) return std::nullopt;
  Anatomy anatomy{"SGLang", {}};
  // Names have underscores of their own: tag and model stay together.
  if (hash != words.begin()) {
    Add(Part::kModel, key.substr(0, static_cast<size_t>(hash->data() - key.data()) - 1), &anatomy);
  }
  Add(Part::kHash, *hash, &anatomy);
  for (auto word = hash + 1; word != words.end(); ++word) {
    Add(word->empty() || IsNumber(*word) ? Part::kRank : Part::kHalf, *word, &anatomy);
  }
  return anatomy;
}

}  // namespace

std::string_view PartName(Part part) {
  switch (part) {
    case Part::kNamespace:
      return "namespace";
    case Part::kModel:
      return "model";
    case Part::kWorldSize:
      return "world size";
    case Part::kRank:
      return "rank";
    case Part::kGroup:
      return "group of layers";
    case Part::kHash:
      return "hash of the tokens";
    case Part::kDtype:
      return "dtype";
    case Part::kLayer:
      return "layer";
    case Part::kTag:
      return "tag";
    case Part::kHalf:
      return "keys or values";
  }
  return "part";
}

size_t Anatomy::hash() const {
  const auto found = std::find_if(parts.begin(), parts.end(),
                                  [](const KeyPart& part) { return part.part == Part::kHash; });
  return static_cast<size_t>(found - parts.begin());
}

std::optional<Anatomy> Dissect(std::string_view key) {
  const Words words = Split(key, '@');
  if (words.size() == 1) return AsSglang(key);
  if (auto anatomy = AsVllm(words)) return anatomy;
  if (auto anatomy = AsLmcacheServer(words)) return anatomy;
  return AsLmcache(words);
}

}  // namespace kvstore::kvctl
