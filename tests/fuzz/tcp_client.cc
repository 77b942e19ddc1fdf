// A client's end of a TCP connection, and whoever answers it: each copy ends once, reads touch only
// their own pieces, and a read is done only when all of its bytes have come.

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fuzz/socket_pair.h"
#include "fuzz/target.h"
#include "transfer/tcp/connection.h"

namespace kvstore::fuzz {
namespace {

using namespace transfer;

constexpr Incarnation kHolder{1, 2};

class Endless : public Patience {
 public:
  Status Ended() override { return Status::Ok(); }
  void Heard(uint64_t) override {}
};

// Two reads, the first into two pieces, a write, and a read of nothing. Each piece is memory of its
// own, so that a byte beyond it is seen.
class Copies {
 public:
  Copies() {
    for (const size_t size : {30, 70, 9, 20})
      pieces_.push_back({memory_.emplace_back(size).data(), size});
    const std::span<const Piece> all(pieces_);
    const std::shared_ptr<WayTotals> totals = std::make_shared<WayTotals>();
    const std::vector<Copy> copies = {
        {.region = 1, .pieces = all.first(2)},
        {.region = 1, .pieces = all.subspan(2, 1)},
        {.access = Access::kWrite, .region = 1, .pieces = all.subspan(3, 1)},
        {.region = 1, .pieces = {}}};
    batch_ = std::make_shared<BatchState>(copies, CopyLimits(TimePoint::max()), totals);
    for (size_t i = 0; i < copies.size(); ++i) {
      uint64_t size = 0;
      for (const Piece& piece : copies[i].pieces) size += piece.size;
      batch_->SetSize(i, size);
    }
  }

  const std::shared_ptr<BatchState>& batch() const { return batch_; }
  bool IsDone(size_t index) const { return batch_->completions()[index].outcome == Outcome::kDone; }

 private:
  std::deque<std::vector<char>> memory_;
  std::vector<Piece> pieces_;
  std::shared_ptr<BatchState> batch_;
};

template <typename Frame>
std::string Text(const Frame& frame) {
  const auto encoded = Encode(frame);
  return {reinterpret_cast<const char*>(encoded.data()), encoded.size()};
}

}  // namespace

void Take(std::string_view bytes) {
  Endless patience;
  Copies copies;
  SocketPair pair(SOCK_STREAM);
  pair.Say(bytes);
  constexpr Duration kLong = std::chrono::minutes(1);
  auto connection = Connection::Greet(Socket(pair.Release()), kHolder, {kLong, kLong}, patience);
  if (!connection.ok()) return;
  Job job({{}, copies.batch(), {0, 1, 2, 3}}, Way::kTcp);
  std::vector<Connection::Stranded> stranded;
  const Status status = (*connection)->Carry(job, patience, &stranded);
  Expect(stranded.empty() || !status.ok(), "what a good connection took it has finished");
  for (const auto& left : stranded) {
    job.Finish(left.slice, left.may_land ? Outcome::kInDoubt : Outcome::kFailed,
               UnavailableError("broken"));
  }
  job.FailRest(UnavailableError("broken"));
  Expect(copies.batch()->Wait(BootClock::now()), "each copy has ended");
  const size_t needed = (copies.IsDone(0) ? 100 : 0) + (copies.IsDone(1) ? 9 : 0);
  Expect(bytes.size() >= needed, "a read that is done got its bytes");
}

std::vector<std::string> Seeds() {
  const std::string hello = Text(HelloReply{});
  const auto data = [](uint32_t sequence, uint32_t length) {
    return Text(Reply{.kind = ReplyKind::kData, .sequence = sequence, .length = length}) +
           std::string(length, 'x') + Text(Reply{.sequence = sequence});
  };
  const std::string refused =
      Text(Reply{.sequence = 1, .code = StatusCode::kAborted, .length = 4}) + "gone";
  const std::string written = Text(Reply{.sequence = 2}), nothing = Text(Reply{.sequence = 3});
  return {Text(HelloReply{.code = StatusCode::kNotFound, .message_bytes = 2}) + "no",
          hello + data(0, 100) + data(1, 9) + written + nothing,
          hello + data(0, 100) + refused + written + nothing,
          hello + data(0, 100) + data(1, 8) + written,
          hello + data(0, 100) + data(1, 9) + written + nothing + nothing};
}

}  // namespace kvstore::fuzz
