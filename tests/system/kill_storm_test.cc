// What a storm of kills leaves in those who survive it: nothing. Clients and nodes die in the midst
// of what they do, again and again, masters too; afterwards who is left has as many descriptors,
// threads and maps as before, no more memory, and the master's books say what they said.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cluster/free_port.h"
#include "system/descriptors.h"
#include "system/kernel_lists.h"
#include "system/master_restart.h"
#include "system/told_client.h"

namespace kvstore::cluster {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kMoreKiB = 200 << 10;  // a sanitizer keeps what was freed
#else
constexpr uint64_t kMoreKiB = 8 << 10;
#endif
// gRPC's own have more work at times; less than a thread for each of the dead.
constexpr size_t kMoreThreads = 6;
constexpr Duration kRestWithin = std::chrono::seconds(60);

size_t Rounds() {
  const char* const wanted = std::getenv("KVSTORE_STORM_ROUNDS");
  return wanted != nullptr ? std::stoul(wanted) : 5;
}

// What a process holds of the machine. Its own lent memory, which fills, is not counted as private.
struct Marks {
  explicit Marks(pid_t pid)
      : descriptors(Descriptors(pid).size()), maps(MappedFiles(pid).size()), private_kib(0) {
    const std::string proc = "/proc/" + std::to_string(pid);
    std::error_code gone;
    threads = static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(proc + "/task", gone), {}));
    std::ifstream status(proc + "/status");
    for (std::string word; status >> word;) {
      if (word == "RssAnon:") status >> private_kib;
    }
  }

  size_t descriptors;
  size_t maps;
  size_t threads = 0;
  uint64_t private_kib;
};

std::ostream& operator<<(std::ostream& out, const Marks& marks) {
  return out << marks.descriptors << " descriptors, " << marks.threads << " threads, " << marks.maps
             << " maps, " << marks.private_kib << " KiB";
}

bool AtMost(const Marks& now, const Marks& before) {
  return now.descriptors <= before.descriptors && now.threads <= before.threads + kMoreThreads &&
         now.maps <= before.maps && now.private_kib <= before.private_kib + kMoreKiB;
}

class KillStorm : public MasterRestart {
 protected:
  KillStorm()
      : MasterRestart({"--metrics_port=" + std::to_string(FreePort()), "--lease_ms=0",
                       "--heartbeat_ms=100", SuspectAfter(500), "--gone_after_ms=1500",
                       "--abort_writer_after_ms=100", "--max_grant_ms=1500",
                       "--order_resend_ms=200", "--log_level=warning"}) {}

  // The master's books, apart from what only counts upwards and how much of the memory has been
  // touched so far.
  std::string Books() {
    std::istringstream all(master_->Metric("kvstore_"));
    std::string books;
    for (std::string line; std::getline(all, line);) {
      for (const char* const name :
           {"kvstore_nodes_live", "kvstore_nodes_suspected ", "kvstore_nodes_missing",
            "kvstore_nodes_sick", "kvstore_objects", "kvstore_retiring_bytes",
            "kvstore_space_bytes{state=\"committed", "kvstore_space_bytes{state=\"leased",
            "kvstore_space_bytes{state=\"retiring", "kvstore_space_bytes{state=\"unfinished",
            "kvstore_node_objects", "kvstore_node_orders_open", "kvstore_node_notes_unconfirmed",
            "kvstore_notes_unconfirmed", "kvstore_requests_waiting", "kvstore_copies_running",
            "kvstore_tasks_waiting", "kvstore_streams_open"}) {
        if (line.starts_with(name)) books += line + "\n";
      }
    }
    return books;
  }

  void PutAndReadAll() {
    for (size_t i = 0; i < 32; ++i) {
      const std::string key = KeyOf("kept", i);
      // A holder that dies takes it along: then it is missed. Other bytes it never has.
      const Status put = Put(key, ++version_, {.timeout = kLong, .replace = true});
      const std::string found = Read(key);
      EXPECT_NE(found, "wrong bytes");
      if (put.ok() && found.starts_with("version")) {
        EXPECT_EQ(found, "version " + std::to_string(version_));
      }
    }
  }

  // Somebody of each kind dies in the midst of something.
  void KillSome(std::mt19937* random) {
    NodeProcess lender(*master_, "lender", "4MiB");
    ToldClient near(*master_, "near", 4u << 20);
    ToldClient far(*master_, "far", 4u << 20, ToldClient::Checksums::kChecked, "tcp");
    PutAndReadAll();
    const auto put = [&](const std::string& who, const std::string& where) {  // 1 MiB
      return "put " + KeyOf(who, version_) + " 1 65536 " + where + " 20000";
    };
    EXPECT_EQ(near.Do("create made 1024"), "ok");
    for (const size_t i : {1, 2, 3}) (void)near.Do("view " + KeyOf("kept", i));
    near.AwaitStop(near.Begin(put("near", "half")), "half");
    (void)far.Begin(put("far", "-"));
    std::array<ChildProcess*, 3> dead = {&lender.process(), &near.process(), &far.process()};
    std::shuffle(dead.begin(), dead.end(), *random);
    for (ChildProcess* const process : dead) {
      Kill(*process);
      PutAndReadAll();
    }
  }

  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      files.insert(file.path().filename());
    }
    return files;
  }

  // Until all that the dead held has come back, and it is as before.
  void ExpectRest(const std::string& books, const std::vector<std::pair<pid_t, Marks>>& before) {
    EXPECT_TRUE(client_->RemoveMatching("", kLong).ok());
    const TimePoint until = BootClock::now() + kRestWithin;
    const auto rests = [&] {
      return Books() == books && Files().size() == 2 &&
             std::all_of(before.begin(), before.end(), [](const auto& marks) {
               return AtMost(Marks(marks.first), marks.second);
             });
    };
    while (!rests() && BootClock::now() < until) (void)Read("nothing");
    EXPECT_EQ(Books(), books);
    for (const auto& [pid, marks] : before) {
      EXPECT_TRUE(AtMost(Marks(pid), marks))
          << "pid " << pid << " had " << marks << " and has " << Marks(pid) << ":\n"
          << DescriptorsText(pid);
    }
    EXPECT_EQ(Files(), (std::set<std::string>{"master.state", "master.state.lock"}));
  }

  void AwaitReports(int term) {
    for (const auto& node : nodes_) AwaitReport(*node, term);
  }

  // All that is empty again, as it is to be found at the end, and the client knows both nodes by
  // reads and writes: what it has of them is dropped when it is idle, and had again when needed.
  std::string RestingBooks() {
    (void)EmptyBooks();
    PutOnBothNodes();
    for (const std::string& key : on_) EXPECT_EQ(Read(key), "version 1");
    return EmptyBooks();
  }

  std::string EmptyBooks() {
    EXPECT_TRUE(client_->RemoveMatching("", kLong).ok());
    const TimePoint until = BootClock::now() + kRestWithin;
    const auto open = [](const std::string& books) {
      return books.find("kvstore_nodes_live 3\n") == std::string::npos ||
             books.find("kvstore_nodes_suspected 0\n") == std::string::npos ||
             // What a writer holds ahead of its puts ends by itself.
             books.find("kvstore_space_bytes{state=\"unfinished\"} 0\n") == std::string::npos ||
             books.find("kvstore_space_bytes{state=\"retiring\"} 0\n") == std::string::npos;
    };
    std::string books = Books();
    while (open(books) && BootClock::now() < until) books = Books();
    EXPECT_FALSE(open(books)) << books;
    return books;
  }

  std::vector<std::pair<pid_t, Marks>> MarksOf(const std::vector<pid_t>& pids) {
    std::vector<std::pair<pid_t, Marks>> marks;
    for (const pid_t pid : pids) marks.emplace_back(pid, Marks(pid));
    return marks;
  }

  uint32_t version_ = 0;
};

TEST_F(KillStorm, OfClientsAndNodesLeavesNothing) {
  std::mt19937 random(1);
  KillSome(&random);
  const std::string books = RestingBooks();
  const auto marks = MarksOf(
      {getpid(), master_->process().pid(), nodes_[0]->process().pid(), nodes_[1]->process().pid()});
  for (size_t round = 0; round < Rounds() && !HasFailure(); ++round) KillSome(&random);
  ExpectRest(books, marks);
}

TEST_F(KillStorm, OfMastersTooLeavesNothing) {
  std::mt19937 random(2);
  KillSome(&random);
  const std::string books = RestingBooks();
  const auto marks = MarksOf({getpid(), nodes_[0]->process().pid(), nodes_[1]->process().pid()});
  for (int term = 2; term <= 4 && !HasFailure(); ++term) {
    RestartMaster();
    AwaitReports(term);
    KillSome(&random);
  }
  ExpectRest(books, marks);
}

}  // namespace
}  // namespace kvstore::cluster
