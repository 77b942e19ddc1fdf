// Orders reach a session in the order in which the catalog made them, whichever threads bring them.

#include "master/order_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "fakes/strike.h"
#include "master/switchboard.h"

namespace kvstore::master {
namespace {

using std::chrono::seconds;

constexpr uint64_t kTerm = 3;

// Somebody passes it only when the test says so.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mu_);
    ++waiting_;
    changed_.notify_all();
    EXPECT_TRUE(changed_.wait_for(lock, seconds(60), [this] { return open_; }));
  }
  void AwaitWaiting() {
    std::unique_lock lock(mu_);
    EXPECT_TRUE(changed_.wait_for(lock, seconds(60), [this] { return waiting_ > 0; }));
  }
  void Open() {
    const std::lock_guard lock(mu_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

class GatedVerbs final : public VerbPort {
 public:
  void Send(VerbReply /*reply*/) override {
    if (gate != nullptr) gate->Pass();
  }
  void EndVerbs(const Status& /*why*/) override {}
  Gate* gate = nullptr;
};

// Keeps who is to be retired, and which notes came.
class Holder final : public SessionPort {
 public:
  void Send(Orders orders) override {
    EXPECT_FALSE(inside_.exchange(true)) << "two threads at once";
    if (gate != nullptr) gate->Pass();
    ++messages;
    for (const Order& order : orders.orders) {
      if (const auto* retire = std::get_if<RetireOrder>(&order)) {
        retired.push_back(retire->put.writer.low);
      }
      if (const auto* note = std::get_if<NoteOrder>(&order)) versions.push_back(note->version);
    }
    std::this_thread::yield();
    inside_ = false;
  }
  void EndSession(const Status& /*why*/) override {}

  Gate* gate = nullptr;
  std::vector<uint64_t> retired;  // whose puts
  std::vector<uint64_t> versions;
  int messages = 0;

 private:
  std::atomic<bool> inside_{false};
};

class OrdersOfManyThreads : public testing::Test {
 protected:
  // No note is confirmed here, however long it takes.
  static Limits Unhurried() {
    Limits limits;
    limits.note_patience = std::chrono::hours(1);
    return limits;
  }

  explicit OrdersOfManyThreads(Duration gather = Duration::zero())
      : board_(Unhurried(), Reign{{7, 7}, kTerm, {}, {}}, Clock::Boot(), members_, {}, gather) {
    Hello hello;
    hello.self = {{100, 100}, "holder", "host", "descriptor"};
    hello.counter = 1;
    hello.segments.push_back({0, 64 << 20, 4096, 64 << 20});
    board_.Join(hello, holder_, [](const Result<Welcome>& w) { EXPECT_TRUE(w.ok()); });
    EXPECT_TRUE(board_.HandleReport({100, 100}, holder_.get(), WholeReport(kTerm, 1)).ok());
  }

  std::shared_ptr<GatedVerbs> JoinWriter(uint64_t number) {
    Hello hello;
    hello.self = {{number, number}, "writer", "host", "descriptor"};
    board_.Join(hello, std::make_shared<Holder>(),
                [](const Result<Welcome>& w) { EXPECT_TRUE(w.ok()); });
    auto verbs = std::make_shared<GatedVerbs>();
    EXPECT_TRUE(board_.OpenVerbs({number, number}, kTerm, verbs).ok());
    return verbs;
  }

  void Start(uint64_t writer, uint64_t sequence) {
    KeyBatch keys;
    keys.Add(std::to_string(writer) + "/" + std::to_string(sequence));
    Ask(writer, StartPut{keys, {sequence}, {100}, 1, false, {}, {}});
  }

  template <typename Verb>
  void Ask(uint64_t writer, Verb verb) {
    board_.Handle({writer, writer}, {++requests_, seconds(60), std::move(verb)});
  }

  UnkeptMembers members_;
  const std::shared_ptr<Holder> holder_ = std::make_shared<Holder>();
  Switchboard board_;
  std::atomic<uint64_t> requests_{0};
};

// A thread has taken its effects out of the catalog, and has not sent its order yet.
TEST_F(OrdersOfManyThreads, WhoComesLaterSendsWhatWasOrderedBefore) {
  const auto first = JoinWriter(1);
  JoinWriter(2);
  Start(1, 1);
  Start(2, 1);
  Gate gate;
  first->gate = &gate;  // answers are sent before orders
  std::thread slow([this] { Ask(1, AbortPut{{1}}); });
  gate.AwaitWaiting();
  Ask(2, AbortPut{{1}});
  EXPECT_EQ(holder_->retired, (std::vector<uint64_t>{1, 2}));
  gate.Open();
  slow.join();
  EXPECT_EQ(holder_->retired, (std::vector<uint64_t>{1, 2}));
}

// A thread is held up in the stream: nobody else is, and nothing overtakes it.
TEST_F(OrdersOfManyThreads, WhoMeetsASenderLeavesItsOrdersToIt) {
  JoinWriter(1);
  JoinWriter(2);
  Start(1, 1);
  Start(2, 1);
  Gate gate;
  holder_->gate = &gate;
  std::thread slow([this] { Ask(1, AbortPut{{1}}); });
  gate.AwaitWaiting();
  Ask(2, AbortPut{{1}});
  gate.Open();
  slow.join();
  EXPECT_EQ(holder_->retired, (std::vector<uint64_t>{1, 2}));
}

TEST_F(OrdersOfManyThreads, NotesComeInTheOrderOfTheirVersions) {
  constexpr uint64_t kWriters = 4;
  constexpr uint64_t kPuts = 500;
  for (uint64_t writer = 1; writer <= kWriters; ++writer) JoinWriter(writer);
  std::vector<std::thread> threads;
  for (uint64_t writer = 1; writer <= kWriters; ++writer) {
    threads.emplace_back([this, writer] {
      for (uint64_t sequence = 1; sequence <= kPuts; ++sequence) {
        Start(writer, sequence);
        Ask(writer, CommitPut{{sequence}, {1}, {}});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(holder_->versions.size(), kWriters * kPuts);
  EXPECT_TRUE(std::is_sorted(holder_->versions.begin(), holder_->versions.end()));
}

// What can wait does so until the test sends something else.
class GatheredNotes : public OrdersOfManyThreads {
 protected:
  GatheredNotes() : OrdersOfManyThreads(std::chrono::hours(1)) {
    JoinWriter(1);
    holder_->messages = 0;
  }

  void Put(uint64_t sequence, bool durable = false) {
    KeyBatch keys;
    keys.Add(std::to_string(sequence));
    StartPut start{keys, {sequence}, {100}, 1, false, {}, {}};
    start.durable = durable;
    Ask(1, start);
    Ask(1, CommitPut{{sequence}, {1}, {}});
  }
};

TEST_F(GatheredNotes, OfPutsThatNobodyWaitsForGoWithTheNextOrder) {
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) Put(sequence);
  Start(1, 4);
  EXPECT_EQ(holder_->messages, 0);
  Ask(1, AbortPut{{4}});
  EXPECT_EQ(holder_->versions.size(), 3u);
  EXPECT_TRUE(std::is_sorted(holder_->versions.begin(), holder_->versions.end()));
  EXPECT_EQ(holder_->retired.size(), 1u);
  EXPECT_EQ(holder_->messages, 2);
}

TEST_F(GatheredNotes, OfADurablePutGoAtOnce) {
  Put(1);
  Put(2, /*durable=*/true);
  EXPECT_EQ(holder_->versions.size(), 2u);
}

TEST_F(GatheredNotes, GoWhenTheyAreMany) {
  for (uint64_t sequence = 1; sequence <= 511; ++sequence) Put(sequence);
  EXPECT_EQ(holder_->messages, 0);
  Put(512);
  EXPECT_EQ(holder_->versions.size(), 512u);
  EXPECT_EQ(holder_->messages, 1);
}

class Promising final : public SessionPort {
 public:
  void Send(Orders orders) override { sent.set_value(std::move(orders)); }
  void EndSession(const Status& /*why*/) override {}
  std::promise<Orders> sent;
};

TEST(Gatherer, LetsNothingWaitAnyMoreWhenItIsToldSo) {
  const auto port = std::make_shared<Promising>();
  const auto queue = std::make_shared<OrderQueue>(port);
  Gatherer gatherer(std::chrono::hours(1));
  queue->AddToGathered({kTerm, {NoteOrder{}}, {}});
  gatherer.Add(queue);
  std::future<Orders> sent = port->sent.get_future();
  gatherer.SendAll();
  ASSERT_EQ(sent.wait_for(seconds(60)), std::future_status::ready);
  port->sent = {};
  queue->AddToGathered({kTerm, {NoteOrder{}}, {}});
  sent = port->sent.get_future();
  gatherer.Add(queue);
  ASSERT_EQ(sent.wait_for(seconds(60)), std::future_status::ready);
}

TEST(Gatherer, SendsWhatNobodyElseHasSent) {
  const auto port = std::make_shared<Promising>();
  const auto queue = std::make_shared<OrderQueue>(port);
  Gatherer gatherer(std::chrono::milliseconds(5));
  queue->AddToGathered({kTerm, {NoteOrder{}}, {}});
  queue->AddToGathered({kTerm, {NoteOrder{}}, {}});
  gatherer.Add(queue);
  std::future<Orders> sent = port->sent.get_future();
  ASSERT_EQ(sent.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_EQ(sent.get().orders.size(), 2u);
}

}  // namespace
}  // namespace kvstore::master
