#include "client/replicator.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "client/checksum.h"
#include "client/segment_host.h"
#include "transfer/descriptor.h"

namespace kvstore::client {
namespace {

using std::chrono::seconds;
using transfer::Access;

constexpr uint64_t kMiB = 1u << 20;
constexpr uint64_t kSize = 2 * kMiB + 12'345;  // of the object
constexpr PutId kPut{{1, 2}, 3};

TimePoint Soon() { return BootClock::now() + seconds(20); }

// A node that lends memory which is all ready.
struct Lender {
  Lender() {
    host->EnterTerm(1);
    host->StartAcks();
    segment = host->Segments().front().index;
    host->Execute({1, {PrepareOrder{segment, 8 * kMiB}}});
    AwaitAcks([](const Acks& acks) {
      return !acks.ready.empty() && acks.ready.back().limit == 8 * kMiB;
    });
  }

  template <typename Condition>
  Acks AwaitAcks(Condition condition) {
    while (BootClock::now() < Soon()) {
      const std::optional<Acks> acks = host->NextAcks(Soon());
      if (!acks || condition(*acks)) return acks.value_or(Acks{});
    }
    return {};
  }

  std::unique_ptr<transfer::Mapping> Map(Access access, const Range& range, uint64_t birth) {
    auto mapping = engine->Map({.access = access,
                                .peer = *engine->Open(engine->Descriptor()),
                                .region = segment,
                                .offset = range.offset,
                                .length = range.length,
                                .guard = transfer::Guard{range.offset, birth}},
                               Soon());
    return mapping.ok() ? *std::move(mapping) : nullptr;
  }
  void Retire(const std::vector<Range>& ranges, uint64_t birth) {
    host->Execute({1, {RetireOrder{kPut, segment, birth, ranges}}});
  }
  Peer peer() const { return {engine->incarnation(), "node", "host", engine->Descriptor()}; }

  const std::unique_ptr<transfer::Engine> engine = *transfer::Engine::Create({});
  const std::unique_ptr<SegmentHost> host = *SegmentHost::Create(*engine, 8 * kMiB);
  uint32_t segment = 0;
};

// A port where connections are taken and nobody ever says a word.
class MutePort {
 public:
  MutePort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  ~MutePort() { close(fd_); }

  Peer peer(const Incarnation& incarnation) const {
    return {incarnation, "mute", "elsewhere",
            transfer::EncodeDescriptor({.incarnation = incarnation,
                                        .host = "elsewhere",
                                        .endpoints = {"127.0.0.1:" + std::to_string(port_)},
                                        .shm_socket = ""})};
  }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint16_t port_ = 0;
};

class ReplicatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    value_.resize(kSize);
    for (size_t i = 0; i < kSize; ++i) value_[i] = static_cast<char>(i * 31 + i / 4096);
    const ConstPiece all{value_.data(), value_.size()};
    order_.put = kPut;
    order_.size = kSize;
    order_.checksum = Checksum({&all, 1});
    order_.from = {{source_.engine->incarnation(), source_.segment},
                   source_.host->counter(),
                   {{4096, kMiB}, {3 * kMiB, 2 * kMiB}}};
    order_.segment = node_.segment;
    order_.birth = node_.host->counter();
    order_.ranges = {{0, 2 * kMiB}, {4 * kMiB, kMiB}};
    uint64_t done = 0;
    for (const Range& range : order_.from.ranges) {
      const auto mapping = source_.Map(Access::kWrite, range, order_.from.birth);
      const uint64_t part = std::min(range.length, kSize - done);
      std::copy_n(value_.data() + done, part, reinterpret_cast<char*>(mapping->data()));
      done += part;
    }
    node_.host->OnCopies([this](const Orders& orders) { replicator_->Take(orders); });
  }

  void Order(const CopyOrder& order, uint64_t term = 1) {
    node_.host->Execute({term, {order}, peers_});
  }
  CopyAck AwaitAck() {
    const Acks acks = node_.AwaitAcks([](const Acks& a) { return !a.copied.empty(); });
    EXPECT_FALSE(acks.copied.empty());
    return acks.copied.empty() ? CopyAck{} : acks.copied.front();
  }
  Status Copy(const CopyOrder& order) {
    Order(order);
    const CopyAck ack = AwaitAck();
    EXPECT_EQ(ack.put, order.put);
    EXPECT_EQ(ack.segment, order.segment);
    EXPECT_EQ(ack.birth, order.birth);
    return ack.status;
  }
  // What lies in the ranges of the copy.
  std::string Copied() {
    std::string copied;
    for (const Range& range : order_.ranges) {
      const auto mapping = node_.Map(Access::kRead, range, node_.host->counter());
      copied.append(reinterpret_cast<const char*>(mapping->data()), range.length);
    }
    return copied.substr(0, kSize);
  }

  Lender source_;
  Lender node_;
  std::vector<Peer> peers_{source_.peer()};
  std::unique_ptr<Replicator> replicator_ = std::make_unique<Replicator>(
      *node_.engine, [this](CopyAck ack) { node_.host->SayCopied(std::move(ack)); });
  std::string value_;
  CopyOrder order_;
};

TEST_F(ReplicatorTest, TheRangesHoldTheObjectWhenItIsSaid) {
  EXPECT_EQ(Copy(order_), Status::Ok());
  EXPECT_TRUE(Copied() == value_);
}

TEST_F(ReplicatorTest, AnEmptyObjectIsAReplicaLikeAnyOther) {
  const ConstPiece nothing{};
  order_.size = 0;
  order_.checksum = Checksum({&nothing, 1});
  order_.ranges = {{0, 4096}};
  EXPECT_EQ(Copy(order_), Status::Ok());
}

TEST_F(ReplicatorTest, AnOrderThatIsRepeatedMovesNoByteAndIsAnsweredAsBefore) {
  ASSERT_EQ(Copy(order_), Status::Ok());
  source_.Retire(order_.from.ranges, order_.from.birth);
  const auto first = node_.Map(Access::kWrite, {0, 4096}, order_.birth);
  first->data()[0] ^= std::byte{1};
  EXPECT_EQ(Copy(order_), Status::Ok());
  first->data()[0] ^= std::byte{1};
  EXPECT_TRUE(Copied() == value_);
}

TEST_F(ReplicatorTest, BytesThatDoNotMatchAreNoReplica) {
  order_.checksum ^= 1;
  EXPECT_EQ(Copy(order_).code(), StatusCode::kDataLoss);
}

TEST_F(ReplicatorTest, ASourceThatHoldsTheObjectNoMoreIsSaid) {
  source_.Retire(order_.from.ranges, order_.from.birth);
  EXPECT_EQ(Copy(order_).code(), StatusCode::kUnavailable);
}

TEST_F(ReplicatorTest, ASourceThatNobodyCanReachIsSaid) {
  peers_.clear();
  EXPECT_EQ(Copy(order_).code(), StatusCode::kUnavailable);
}

TEST_F(ReplicatorTest, MemoryThatWasRetiredMeanwhileIsNotWrittenTo) {
  node_.Retire(order_.ranges, order_.birth);
  const std::string before = Copied();
  EXPECT_EQ(Copy(order_).code(), StatusCode::kAborted);
  EXPECT_TRUE(Copied() == before);
}

TEST_F(ReplicatorTest, ASegmentThatIsNotLentIsRefused) {
  order_.segment += 7;
  EXPECT_EQ(Copy(order_).code(), StatusCode::kAborted);
}

TEST_F(ReplicatorTest, RangesThatAreTooShortAreRefused) {
  order_.ranges.pop_back();
  EXPECT_EQ(Copy(order_).code(), StatusCode::kInternal);
}

TEST_F(ReplicatorTest, OrdersOfADeposedMasterAreNotExecuted) {
  node_.host->EnterTerm(2);
  CopyOrder next = order_;
  next.put.sequence += 1;
  Order(order_, 1);
  Order(next, 2);
  EXPECT_EQ(AwaitAck().put, next.put);
}

TEST_F(ReplicatorTest, RetiredMemoryIsFreeWhenItsCopyHasEnded) {
  const MutePort mute;
  peers_ = {mute.peer(order_.from.segment.holder)};
  Order(order_);
  while (node_.host->touched().inside == 0 && BootClock::now() < Soon()) std::this_thread::yield();
  node_.Retire(order_.ranges, order_.birth);
  const Acks withdrawn = node_.AwaitAcks([](const Acks& acks) { return !acks.retired.empty(); });
  EXPECT_EQ(withdrawn.retired.size(), 1u) << "it may still be written to";
  const Acks free = node_.AwaitAcks([](const Acks& acks) { return !acks.retired.empty(); });
  ASSERT_EQ(free.retired.size(), 1u);
  EXPECT_EQ(free.retired[0].stage, RetireStage::kFree);
  const CopyAck ack = free.copied.empty() ? AwaitAck() : free.copied.front();
  EXPECT_EQ(ack.status.code(), StatusCode::kAborted) << ack.status;
}

TEST_F(ReplicatorTest, ASourceThatHangsIsGivenUpInTime) {
  const MutePort mute;
  peers_ = {mute.peer(order_.from.segment.holder)};
  replicator_ = std::make_unique<Replicator>(
      *node_.engine, [this](CopyAck ack) { node_.host->SayCopied(std::move(ack)); },
      Replicator::Limits{.patience = std::chrono::milliseconds(100)});
  EXPECT_EQ(Copy(order_).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(node_.host->touched().inside, 0u);
}

TEST_F(ReplicatorTest, ANewTermCallsOffWhatCameBefore) {
  const MutePort mute;
  peers_ = {mute.peer(order_.from.segment.holder)};
  replicator_ = std::make_unique<Replicator>(
      *node_.engine, [this](CopyAck ack) { node_.host->SayCopied(std::move(ack)); },
      Replicator::Limits{.threads = 1, .patience = seconds(60)});
  Order(order_);
  CopyOrder waits = order_;
  waits.put.sequence += 1;
  Order(waits);
  node_.host->EnterTerm(2);
  peers_ = {source_.peer()};
  CopyOrder next = order_;
  next.put.sequence += 2;
  Order(next, 2);
  const CopyAck ack = AwaitAck();
  EXPECT_EQ(ack.put, next.put);
  EXPECT_EQ(ack.status, Status::Ok());
}

TEST_F(ReplicatorTest, MoreThanItQueuesIsRefused) {
  const MutePort mute;
  peers_ = {mute.peer(order_.from.segment.holder)};
  replicator_ = std::make_unique<Replicator>(
      *node_.engine, [this](CopyAck ack) { node_.host->SayCopied(std::move(ack)); },
      Replicator::Limits{.threads = 1, .queued = 2, .patience = seconds(60)});
  std::vector<CopyOrder> orders(4, order_);
  for (size_t i = 0; i < orders.size(); ++i) orders[i].put.sequence += i;
  for (const CopyOrder& order : orders) Order(order);
  // One may run already, and two wait: of four at least one finds no place.
  EXPECT_EQ(AwaitAck().status.code(), StatusCode::kResourceExhausted);
  replicator_.reset();  // in time, though its source hangs
}

}  // namespace
}  // namespace kvstore::client
