#include "client/item_checks.h"

#include <limits>
#include <string>

namespace kvstore::client {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxPreferredNodes = 64;
constexpr uint64_t kMaxObjectBytes = uint64_t{1} << 44;  // 16 TiB, as the protocol has it

// Of both kinds of pieces.
template <typename P>
Status CheckPieces(std::span<const P> pieces, uint64_t limit) {
  uint64_t total = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].data == nullptr && pieces[i].size > 0) {
      return InvalidArgumentError("piece " + std::to_string(i) + " has " +
                                  std::to_string(pieces[i].size) + " bytes at a null pointer");
    }
    if (pieces[i].size > limit - total) {
      return InvalidArgumentError("the pieces together have more than " + std::to_string(limit) +
                                  " bytes");
    }
    total += pieces[i].size;
  }
  return Status::Ok();
}

// A duration for which an object is kept.
Status CheckKept(const char* name, Duration duration) {
  if (duration >= Duration::zero()) return Status::Ok();
  return InvalidArgumentError(std::string(name) + " is " + std::to_string(duration.count()) +
                              " ns; it may not be less than 0");
}

}  // namespace

Status CheckItem(std::string_view key) {
  if (!key.empty() && key.size() <= kMaxKeyBytes) return Status::Ok();
  return InvalidArgumentError("the key has " + std::to_string(key.size()) +
                              " bytes; it may have 1 to " + std::to_string(kMaxKeyBytes));
}

Status CheckItem(const PutItem& item) {
  KVSTORE_RETURN_IF_ERROR(CheckItem(item.key));
  return CheckPieces(item.pieces, kMaxObjectBytes);
}

Status CheckItem(const GetItem& item) {
  KVSTORE_RETURN_IF_ERROR(CheckItem(item.key));
  return CheckPieces(item.pieces, std::numeric_limits<uint64_t>::max());
}

Status CheckItem(const CreateItem& item) {
  KVSTORE_RETURN_IF_ERROR(CheckItem(item.key));
  if (item.size <= kMaxObjectBytes) return Status::Ok();
  return InvalidArgumentError("the size is " + std::to_string(item.size) + " bytes; at most " +
                              std::to_string(kMaxObjectBytes) + " are allowed");
}

Status CheckTimeout(Duration timeout) {
  if (timeout > Duration::zero()) return Status::Ok();
  return InvalidArgumentError("the timeout is " + std::to_string(timeout.count()) +
                              " ns; it must be greater than 0");
}

Status CheckPutOptions(const PutOptions& options) {
  KVSTORE_RETURN_IF_ERROR(CheckTimeout(options.timeout));
  if (options.replicas < 1 || options.replicas > kMaxReplicas) {
    return InvalidArgumentError("replicas is " + std::to_string(options.replicas) +
                                "; it may be 1 to " + std::to_string(kMaxReplicas));
  }
  if (options.preferred_nodes.size() > kMaxPreferredNodes) {
    return InvalidArgumentError(
        "preferred_nodes has " + std::to_string(options.preferred_nodes.size()) +
        " names; at most " + std::to_string(kMaxPreferredNodes) + " are allowed");
  }
  for (const std::string& name : options.preferred_nodes) {
    if (name.size() <= kMaxNameBytes) continue;
    return InvalidArgumentError("a name in preferred_nodes has " + std::to_string(name.size()) +
                                " bytes; at most " + std::to_string(kMaxNameBytes) +
                                " are allowed");
  }
  if (options.group.size() > kMaxGroupBytes) {
    return InvalidArgumentError("group has " + std::to_string(options.group.size()) +
                                " bytes; at most " + std::to_string(kMaxGroupBytes) +
                                " are allowed");
  }
  KVSTORE_RETURN_IF_ERROR(CheckKept("ttl", options.ttl));
  return CheckKept("soft_pin", options.soft_pin);
}

Status CheckPinOptions(const PinOptions& options) { return CheckKept("soft", options.soft); }

Status CheckPrefix(std::string_view prefix) {
  if (prefix.size() <= kMaxKeyBytes) return Status::Ok();
  return InvalidArgumentError("the prefix has " + std::to_string(prefix.size()) +
                              " bytes; at most " + std::to_string(kMaxKeyBytes) + " are allowed");
}

Status CheckKeyBytes(uint64_t bytes) {
  if (bytes <= std::numeric_limits<uint32_t>::max()) return Status::Ok();
  return InvalidArgumentError("the keys of this call together have " + std::to_string(bytes) +
                              " bytes; at most 4 GiB are allowed: make several calls");
}

}  // namespace kvstore::client
