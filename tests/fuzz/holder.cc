// A node's memory under any sequence of a master's orders and of peers' accesses: words never go
// back, and what an access enters is memory of its own birth.

#include "client/holder.h"

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "fuzz/target.h"

namespace kvstore::fuzz {
namespace {

using namespace client;
using transfer::Access;

constexpr uint64_t kGranule = 4096;
constexpr size_t kGranules = 8;
constexpr uint64_t kSize = kGranule * kGranules;
constexpr Incarnation kSelf{1, 1};

class World {
 public:
  explicit World(std::string_view bytes) : in_(bytes) {
    holder_.AddSegment(0, kSize, kGranule, {words_.get(), kGranules}, 2 * kGranule);
    holder_.EnterTerm(1);
  }

  void Run() {
    while (!in_.empty()) {
      Step();
      for (size_t i = 0; i < kGranules; ++i) {
        Expect(words_[i] >= before_[i], "words never go back");
        Expect(words_[i] <= holder_.counter(), "no word is beyond the counter");
        before_[i] = words_[i];
      }
      Expect(holder_.idle() == open_.empty(), "it knows what is going on");
      Expect(holder_.touched().inside <= kSize, "there is no more memory than there is");
    }
  }

 private:
  struct Opened {
    Access access;
    uint64_t first, offset, length, birth;
  };

  void Step() {
    std::vector<RetireAck> acks;
    std::vector<NoteAck> noted;
    const Orders orders{in_.Below(4) > 0 ? holder_.term() : in_.Number(), {}};
    switch (in_.Below(9)) {
      case 0:
      case 1: {
        const RetireOrder order{AnyPut(), in_.Below(2), AnyBirth(), AnyRanges()};
        holder_.Retire({orders.term, {order}}, &acks);
        for (const RetireAck& ack : acks) Expect(ack.segment == 0, "acks are of what is lent");
        return;
      }
      case 2:
        return holder_.Note({orders.term, {AnyNote()}}, now_, &noted);
      case 3:
      case 4:
        return Enter();
      case 5:
        return Leave();
      case 6:
        now_ += std::chrono::seconds(in_.Below(10));
        return holder_.RaiseGranted(0, in_.Number() * kGranule);
      case 7: {
        const uint64_t ready = in_.Below(kGranules + 1) * kGranule;
        auto report = holder_.EnterReign(kSelf, in_.Number(), now_, {{0, kSize, kGranule, ready}});
        if (report) CheckReport(std::move(*report).Whole());
        return;
      }
      default:
        if (in_.Below(4) == 0) return holder_.Empty();
        return holder_.OthersLeft(in_.Below(2), &acks);
    }
  }

  void CheckReport(const Report& report) {
    Expect(report.counter == holder_.counter(), "a report tells the counter");
    for (const NoteOrder& note : report.notes) {
      for (const Range& range : note.ranges) {
        Expect(words_[range.offset / kGranule] <= note.birth, "what is noted stands");
      }
    }
  }

  void Enter() {
    const Opened open{in_.Below(2) ? Access::kRead : Access::kWrite, AnyOffset(), AnyOffset(),
                      AnyOffset(), AnyBirth()};
    if (!holder_.Enter(in_.Below(2), open.access, open.first, open.offset, open.length,
                       open.birth)) {
      return;
    }
    Expect(open.length <= kSize && open.offset <= kSize - open.length, "nothing beyond the memory");
    Expect(words_[open.first / kGranule] <= open.birth, "nothing under an older birth");
    Expect(holder_.Stands(0, open.first, open.birth), "what is entered stands");
    open_.push_back(open);
  }

  void Leave() {
    if (open_.empty()) return;
    const size_t at = in_.Byte() % open_.size();
    const Opened open = open_[at];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
    std::vector<RetireAck> acks;
    holder_.Leave(0, open.access, open.first, open.offset, open.length, open.birth, &acks);
    for (const RetireAck& ack : acks)
      Expect(ack.stage == RetireStage::kFree, "what is left is free");
  }

  PutId AnyPut() { return {{in_.Below(3) + 1, 1}, in_.Number()}; }
  uint64_t AnyBirth() {
    const uint32_t back = in_.Byte();
    return back == 255 ? in_.Number() : holder_.counter() - std::min<uint64_t>(back, 5);
  }
  uint64_t AnyOffset() { return in_.Number() * (in_.Below(4) > 0 ? kGranule : 1); }
  std::vector<Range> AnyRanges() {
    std::vector<Range> ranges;
    for (uint32_t i = in_.Below(3) + 1; i > 0; --i) ranges.push_back({AnyOffset(), AnyOffset()});
    return ranges;
  }
  NoteOrder AnyNote() {
    NoteOrder note{AnyPut(), in_.Below(2), AnyBirth(),   AnyRanges(), "key", 100, 0,
                   1,        {},           in_.Number(), {}};
    note.retention.ttl = std::chrono::seconds(in_.Below(10));
    return note;
  }

  Input in_;
  TimePoint now_{};
  const std::unique_ptr<Word[]> words_ = std::make_unique<Word[]>(kGranules);
  std::array<uint64_t, kGranules> before_{};
  Holder holder_;
  std::vector<Opened> open_;
};

}  // namespace

void Take(std::string_view bytes) { World(bytes).Run(); }

std::vector<std::string> Seeds() {
  // Noted, entered, taken back, left; then another reign.
  const std::string note("\x01\x02\x00\x01\x00\x00\x00\x00\x01\x01\x01\x01\x00", 13);
  const std::string enter("\x01\x03\x00\x00\x01\x00\x01\x01\x01\x00\x00", 11);
  const std::string retire("\x01\x00\x00\x01\x00\x00\x00\x00\x01\x01\x01", 11);
  const std::string leave("\x01\x05\x00", 3), reign("\x01\x07\x04\x02", 4);
  return {note + enter + retire + leave + reign, enter + reign + leave, note + reign + retire};
}

}  // namespace kvstore::fuzz
