// All nodes of a large pool come to a new master at once: their sessions, reports and beats, while
// its state file is written and its ticker ticks. Nobody is taken for silent.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "fakes/large_pool.h"
#include "master/state_file.h"
#include "master/switchboard.h"
#include "master/ticker.h"

namespace kvstore::master {
namespace {

using large_pool::HelloOf;
using large_pool::kNodes;
using large_pool::kNotesPerNode;
using large_pool::ReportOf;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kThreads = 4;

class NoSession final : public SessionPort {
 public:
  void Send(Orders /*orders*/) override {}
  void EndSession(const Status& why) override { ADD_FAILURE() << why; }
};

// A node's session, up to its report.
void Join(Switchboard& board, uint64_t number, bool with_notes) {
  const auto session = std::make_shared<NoSession>();
  std::mutex mu;
  std::condition_variable answered;
  std::optional<Result<Welcome>> answer;
  board.Join(HelloOf(number), session, [&](Result<Welcome> welcome) {
    const std::lock_guard lock(mu);
    answer = std::move(welcome);
    answered.notify_all();
  });
  std::unique_lock lock(mu);
  ASSERT_TRUE(answered.wait_for(lock, seconds(60), [&] { return answer.has_value(); }));
  ASSERT_TRUE(answer->ok()) << answer->status();
  ASSERT_TRUE((*answer)->wants_report);
  Report report = ReportOf(number, (*answer)->term);
  if (!with_notes) report.notes.clear();
  const Status status = board.HandleReport({number, number}, session.get(), report);
  EXPECT_TRUE(status.ok()) << status;
}

// Members of the last reign come back, and as many come for the first time.
TEST(JoinStorm, NobodyIsTakenForSilent) {
  const std::string folder = testing::TempDir() + "/join_storm." + std::to_string(getpid());
  Result<std::unique_ptr<StateFile>> file = StateFile::Open(folder + "/master.state");
  ASSERT_TRUE(file.ok()) << file.status();
  Result<Reign> reign = (*file)->Begin({7, 7}, seconds(5));
  ASSERT_TRUE(reign.ok()) << reign.status();
  for (uint64_t i = 1; i <= kNodes; ++i) reign->members.push_back({{i, i}, "node"});
  Switchboard board(Limits(), *reign, Clock::Boot(), **file);
  {
    const Ticker ticker(milliseconds(20), [&board] { board.Tick(); });
    // In place of the nodes' own streams: whoever is a member is heard.
    const Ticker beats(milliseconds(250), [&board] {
      for (uint64_t i = 1; i <= 2 * kNodes; ++i) board.Heard({i, i});
    });
    std::atomic<uint64_t> next{1};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&board, &next] {
        for (uint64_t n = next++; n <= 2 * kNodes; n = next++) Join(board, n, n <= kNodes);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const Census census = board.TakeCensus();
  EXPECT_EQ(census.objects, kNodes * kNotesPerNode);
  EXPECT_EQ(census.nodes_missing, 0U);
  EXPECT_EQ(census.nodes_live, 2 * kNodes);
  EXPECT_EQ(board.counters().nodes_suspected, 0U);
  EXPECT_EQ(board.counters().nodes_gone, 0U);
  EXPECT_LT((*file)->writes(), kNodes);
  (*file)->Close();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace kvstore::master
