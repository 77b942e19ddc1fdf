// The stub under many threads, and a far end that answers from threads of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/batch_cutter.h"
#include "client/master_stub.h"
#include "thread_annotations.h"

namespace kvstore::client {
namespace {

using std::chrono::seconds;

class Bell final : public Wakeup {
 public:
  void WaitUntil(TimePoint until) override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (!rung_ && BootClock::now() < until) rings_.WaitUntil(mu_, until);
    rung_ = false;
  }
  void Notify() override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    rung_ = true;
    rings_.NotifyAll();
  }

 private:
  Mutex mu_;
  CondVar rings_;
  bool rung_ GUARDED_BY(mu_) = false;
};

// Answers each key with itself, every request twice and in two halves, from two threads.
class EchoChannel final : public VerbChannel {
 public:
  EchoChannel() {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { Serve(); });
  }
  ~EchoChannel() override {
    ended_ = true;
    bell_.Notify();
    for (std::thread& thread : threads_) thread.join();
  }

  void OnReply(std::function<void(VerbReply)> receiver) override {
    receiver_ = std::move(receiver);
  }
  std::optional<uint64_t> Send(const VerbRequest& request, TimePoint) override {
    {
      MutexLock lock(mu_);
      requests_.push_back(request);
    }
    bell_.Notify();
    return 1;
  }
  uint64_t epoch() const override { return 1; }
  uint64_t term() const override { return 1; }
  Status health() const override { return Status::Ok(); }
  std::unique_ptr<Wakeup> NewWakeup() override { return std::make_unique<Bell>(); }
  const Clock& clock() const override { return Clock::Boot(); }
  Incarnation incarnation() const override { return {1, 1}; }

 private:
  void Serve() {
    while (!ended_) {
      bell_.WaitUntil(BootClock::now() + std::chrono::milliseconds(1));
      while (const std::optional<VerbRequest> request = Next()) {
        for (int time = 0; time < 2; ++time) {
          receiver_(Half(*request, 1));
          receiver_(Half(*request, 0));
        }
      }
    }
  }

  std::optional<VerbRequest> Next() {
    MutexLock lock(mu_);
    if (requests_.empty()) return std::nullopt;
    VerbRequest request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

  static VerbReply Half(const VerbRequest& request, uint32_t half) {
    const KeyBatch& keys = std::get<Exists>(request.verb).keys;
    std::vector<ItemAnswer> answers;
    for (uint32_t i = half; i < keys.size(); i += 2) {
      answers.push_back({i, NotFoundError(std::string(keys[i]))});
    }
    return {request.id, std::move(answers), {{{request.id, 1}, "node", "host", "descriptor"}}};
  }

  std::function<void(VerbReply)> receiver_;
  Bell bell_;
  std::atomic<bool> ended_{false};
  Mutex mu_;
  std::deque<VerbRequest> requests_ GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

TEST(MasterStubThreadsTest, EachOfManyThreadsGetsItsOwnAnswers) {
  EchoChannel channel;
  MasterStub stub(channel);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int call = 0; call < 50; ++call) {
        Exists batch;
        for (int i = 0; i < 9; ++i) {
          batch.keys.Add(std::to_string(caller) + "/" + std::to_string(call * 10 + i));
        }
        const auto answers = stub.Ask(batch, BootClock::now() + seconds(20));
        for (size_t i = 0; i < answers.size(); ++i) {
          if (answers[i].status.message() != batch.keys[i]) ++wrong;
        }
        stub.NewSequences(1);
        stub.FindPeer({static_cast<uint64_t>(call + 1), 1});
      }
    });
  }
  for (std::thread& thread : callers) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(stub.NewSequences(1), 201u);
}

}  // namespace
}  // namespace kvstore::client
