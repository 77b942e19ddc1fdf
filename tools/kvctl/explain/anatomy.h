#ifndef KVSTORE_TOOLS_KVCTL_EXPLAIN_ANATOMY_H_
#define KVSTORE_TOOLS_KVCTL_EXPLAIN_ANATOMY_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvstore::kvctl {

// What a part of a key stands for.
enum class Part : unsigned char {
  kNamespace,  // set by the operator
  kModel,
  kWorldSize,
  kRank,   // of the worker, also where several ranks make one
  kGroup,  // of layers
  kHash,   // of the tokens and all before them
  kDtype,
  kLayer,
  kTag,   // name and value, by the request
  kHalf,  // keys or values
};

// "model", "worker's rank".
std::string_view PartName(Part part);

struct KeyPart {
  Part part = Part::kHash;
  std::string text;
  bool operator==(const KeyPart&) const = default;
};

// A key as the engine made it that it looks like. Exactly one part is the hash.
struct Anatomy {
  std::string_view maker;  // "LMCache", "vLLM", "SGLang"
  std::vector<KeyPart> parts;

  size_t hash() const;  // its place in parts
};

// The parts of a key that an engine has made:
//
//   LMCache   [vllm@]MODEL@WORLD@RANK@HASH@DTYPE[@TAG%VALUE...][@LAYER]
//   its server  MODEL@RANKS@GROUP@HASH[@SALT], where RANKS are 8 hex digits
//   vLLM      [PREFIX@]MODEL@tp_rank:N@pcpN@dcpN@pp_rank:N@group:N@HASH
//   SGLang    [TAG_][MODEL_]HASH_RANK[_RANK][_k|_v...], where HASH is 64 hex digits
//
// Nothing: it looks like none of these.
std::optional<Anatomy> Dissect(std::string_view key);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_EXPLAIN_ANATOMY_H_
