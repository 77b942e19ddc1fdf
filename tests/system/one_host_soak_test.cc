// Some seconds of everything at once on one host: clients that put, make, get, view and remove, in
// a pool half as large as what they would keep in it, one of them stopped and another killed now
// and then.

#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "system/one_host.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSoakTime = seconds(10);  // at least
constexpr int kLives = 3;                    // that many are killed at least

class OneHostSoak : public OneHost {
 protected:
  OneHostSoak()
      : OneHost({"--lease_ms=100", "--free_share_wanted=0", "--heartbeat_ms=100", SuspectAfter(400),
                 "--gone_after_ms=1500", "--abort_writer_after_ms=100", "--log_level=error"}) {}

  std::unique_ptr<ChildProcess> StartSoaker(int who, int life) {
    auto soaker = std::make_unique<ChildProcess>(
        std::vector<std::string>{KVSTORE_KVBENCH_PATH, "soaker", "--master", master_.address(),
                                 "--who", std::to_string(who), "--life", std::to_string(life)},
        ChildProcess::Input::kTold);
    EXPECT_TRUE(soaker->WaitForLine("soaking", seconds(30))) << soaker->output();
    return soaker;
  }

  // Ends it, and adds up what it did.
  void TakeCounts(ChildProcess& soaker) {
    soaker.EndInput();
    EXPECT_EQ(soaker.WaitForExit(seconds(30)).value_or(-1), 0) << soaker.output();
    const std::string line = soaker.WaitForLine("counts ", seconds(1)).value_or("");
    std::printf("%s\n", line.c_str());
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      if (equals != std::string::npos) {
        counts_[word.substr(0, equals)] += std::stoull(word.substr(equals + 1));
      }
    }
  }

  std::map<std::string, uint64_t> counts_;
};

TEST_F(OneHostSoak, NobodyReadsAWrongByte) {
  std::unique_ptr<ChildProcess> steady = StartSoaker(0, 0);
  std::unique_ptr<ChildProcess> stopped = StartSoaker(1, 0);
  std::unique_ptr<ChildProcess> killed = StartSoaker(2, 0);
  std::mt19937 random(4);
  const auto a_while = [&] { return milliseconds(50 + random() % 700); };
  int life = 0;
  int stops = 0;
  const TimePoint until = BootClock::now() + kSoakTime;
  while (BootClock::now() < until || life < kLives) {
    stopped->Signal(SIGSTOP);
    std::this_thread::sleep_for(a_while());
    stopped->Signal(SIGCONT);
    ++stops;
    std::this_thread::sleep_for(a_while() / 4);
    EXPECT_EQ(killed->output().find("WRONG"), std::string::npos) << killed->output();
    killed->Signal(SIGKILL);
    ASSERT_EQ(killed->WaitForExit(seconds(10)), 128 + SIGKILL) << killed->output();
    killed = StartSoaker(2, ++life);
    ASSERT_FALSE(HasFailure());
  }
  TakeCounts(*steady);
  TakeCounts(*stopped);
  TakeCounts(*killed);
  std::printf("stopped %d times, killed %d times\n", stops, life);
  for (const char* const name : {"puts", "made", "removed", "right", "views", "parts", "missed",
                                 "refused", "remembered", "shm_copies", "shm_mappings"}) {
    EXPECT_GT(counts_[name], 0u) << name;
  }
  EXPECT_EQ(counts_["tcp_copies"], 0u);
  ExpectWholePool();
}

}  // namespace
}  // namespace kvstore::cluster
