#ifndef KVSTORE_TESTS_FAKES_FAKE_NODE_H_
#define KVSTORE_TESTS_FAKES_FAKE_NODE_H_

#include <memory>
#include <string>
#include <vector>

#include "client/holder.h"
#include "proto/verbs.h"

namespace kvstore::testing {

// A node that lends one small segment, guarded by the product's own holder. Confined to one thread.
class FakeNode {
 public:
  static constexpr uint64_t kGranule = 4096;
  static constexpr uint64_t kGranules = 1536;
  static constexpr uint32_t kSegment = 1;

  FakeNode(uint64_t number, std::string host)
      : peer_{{number, number},
              "node-" + std::to_string(number),
              std::move(host),
              "fake:" + std::to_string(number)},
        memory_(kGranule * kGranules),
        words_(std::make_unique<client::Word[]>(kGranules)) {
    holder_.AddSegment(kSegment, memory_.size(), kGranule, {words_.get(), kGranules});
    holder_.EnterTerm(1);
  }

  const Peer& peer() const { return peer_; }
  client::Holder& holder() { return holder_; }
  char* memory() { return memory_.data(); }

  // Fresh memory for an object, in ranges of at most `most_granules`.
  Replica Grant(uint64_t bytes, uint64_t most_granules) {
    Replica replica{{peer_.incarnation, kSegment}, holder_.counter(), {}};
    uint64_t granules = std::max<uint64_t>((bytes + kGranule - 1) / kGranule, 1);
    while (granules > 0) {
      const uint64_t part = std::min(granules, most_granules);
      replica.ranges.push_back({next_free_ * kGranule, part * kGranule});
      next_free_ += part + 1;  // never side by side, so that an overrun shows
      granules -= part;
    }
    return replica;
  }

  void Retire(const Replica& replica) {
    std::vector<RetireAck> acks;
    holder_.Retire({1, {RetireOrder{{}, replica.segment.index, replica.birth, replica.ranges}}},
                   &acks);
  }

 private:
  const Peer peer_;
  std::vector<char> memory_;
  const std::unique_ptr<client::Word[]> words_;
  client::Holder holder_;
  uint64_t next_free_ = 1;  // granules from here on were never granted
};

}  // namespace kvstore::testing

#endif  // KVSTORE_TESTS_FAKES_FAKE_NODE_H_
