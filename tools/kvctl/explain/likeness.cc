#include "tools/kvctl/explain/likeness.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace kvstore::kvctl {
namespace {

constexpr size_t kValuesKept = 4;  // of one part

std::string FrameOf(const Anatomy& anatomy) {
  std::string frame(anatomy.maker);
  for (const KeyPart& part : anatomy.parts) {
    frame += '@';
    if (part.part != Part::kHash) frame += part.text;
  }
  return frame;
}

std::string Joined(const std::set<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

void Insert(const std::string& text, std::set<std::string>* texts) {
  if (texts->size() < kValuesKept) texts->insert(text);
}

}  // namespace

std::string_view RemedyFor(const Finding& finding) {
  switch (finding.part) {
    case Part::kHash:
      return "if the same prompts were served before, readers and writers compute other hashes of "
             "them: PYTHONHASHSEED must be the same for all (or pre_caching_hash_algorithm: "
             "sha256_cbor_64bit), and so must the chunk or block size";
    case Part::kModel:
      return "name the model alike everywhere: the same path or the same served name";
    case Part::kWorldSize:
      return "keys of one parallel size are of no use to another: start both sides with the same";
    case Part::kRank:
      return "each rank puts and gets its own part: start both sides with the same parallel sizes, "
             "and see that every rank of the writer puts";
    case Part::kDtype:
      return "give both sides the same KV cache dtype";
    case Part::kNamespace:
      return "give both sides the same cache prefix";
    case Part::kTag:
      return "the request's tags or its cache salt differ, and with them the keys, on purpose";
    case Part::kGroup:
    case Part::kLayer:
      return "one side stores layer by layer, or groups layers otherwise: configure both alike";
    case Part::kHalf:
      return "one side stores keys and values apart, or another pool: configure both alike";
  }
  return "";
}

Likeness::Likeness(std::span<const std::string> missing) {
  for (const std::string& key : missing) {
    std::optional<Anatomy> anatomy = Dissect(key);
    if (!anatomy) continue;
    by_hash_[anatomy->parts[anatomy->hash()].text].push_back(missing_.size());
    by_frame_[FrameOf(*anatomy)].push_back(missing_.size());
    missing_.push_back({key, *std::move(anatomy)});
  }
}

void Likeness::Add(std::string_view existing) {
  const std::optional<Anatomy> anatomy = Dissect(existing);
  if (!anatomy) return;
  ++compared_;
  for (size_t i = 0; i < anatomy->parts.size(); ++i) {
    Insert(anatomy->parts[i].text, &there_[{anatomy->maker, i}]);
  }
  const auto same_hash = by_hash_.find(anatomy->parts[anatomy->hash()].text);
  if (same_hash != by_hash_.end()) {
    for (const size_t missing : same_hash->second) Compare(missing, existing, *anatomy);
  }
  const auto same_frame = by_frame_.find(FrameOf(*anatomy));
  if (same_frame == by_frame_.end()) return;
  if (other_hash_.keys.empty()) {
    const Missing& missing = missing_[same_frame->second.front()];
    other_hash_.example = {Finding::What::kOtherHash,
                           Part::kHash,
                           missing.anatomy.parts[missing.anatomy.hash()].text,
                           anatomy->parts[anatomy->hash()].text,
                           missing.key,
                           std::string(existing),
                           0};
  }
  other_hash_.keys.insert(same_frame->second.begin(), same_frame->second.end());
  by_frame_.erase(same_frame);
}

void Likeness::Compare(size_t missing, std::string_view existing, const Anatomy& anatomy) {
  const Missing& asked = missing_[missing];
  if (asked.anatomy.maker != anatomy.maker) return;
  if (asked.anatomy.parts.size() != anatomy.parts.size()) return;
  std::vector<size_t> differ;
  for (size_t i = 0; i < anatomy.parts.size(); ++i) {
    if (!(asked.anatomy.parts[i] == anatomy.parts[i])) differ.push_back(i);
  }
  if (differ.empty()) return;
  const Part part = asked.anatomy.parts[differ[0]].part;
  Pair& pair = other_parts_[{part, differ.size() > 1}];
  if (pair.keys.empty()) {
    pair.example = {differ.size() > 1 ? Finding::What::kOtherParts : Finding::What::kOtherPart,
                    part,
                    asked.anatomy.parts[differ[0]].text,
                    anatomy.parts[differ[0]].text,
                    asked.key,
                    std::string(existing),
                    0};
  }
  pair.keys.insert(missing);
}

std::vector<Finding> Likeness::Take() const {
  std::vector<Finding> findings;
  const auto add = [&findings](const Pair& pair) {
    findings.push_back(pair.example);
    findings.back().keys = pair.keys.size();
  };
  for (const bool several : {false, true}) {
    for (const auto& [how, pair] : other_parts_) {
      if (how.second == several) add(pair);
    }
    if (!findings.empty()) return findings;
  }
  if (!other_hash_.keys.empty()) {
    add(other_hash_);
    return findings;
  }
  // Parts that differ between all that was asked for and all that is there.
  std::map<std::pair<std::string_view, size_t>, std::pair<Part, std::set<std::string>>> asked;
  for (const Missing& missing : missing_) {
    for (size_t i = 0; i < missing.anatomy.parts.size(); ++i) {
      auto& [part, texts] = asked[{missing.anatomy.maker, i}];
      part = missing.anatomy.parts[i].part;
      Insert(missing.anatomy.parts[i].text, &texts);
    }
  }
  for (const auto& [place, what] : asked) {
    const auto& [part, texts] = what;
    const auto there = there_.find(place);
    if (part == Part::kHash || there == there_.end()) continue;
    const bool common = std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
      return there->second.contains(text);
    });
    if (common) continue;
    findings.push_back({Finding::What::kOtherKind, part, Joined(texts), Joined(there->second), "",
                        "", missing_.size()});
  }
  return findings;
}

}  // namespace kvstore::kvctl
