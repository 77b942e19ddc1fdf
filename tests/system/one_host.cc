#include "system/one_host.h"

#include <thread>

#include "system/trusted_node.h"

namespace kvstore::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSoon = seconds(20);
constexpr Duration kAWhile = milliseconds(200);
constexpr size_t kFillCells = 16'384;  // 256 KiB
constexpr int kFillRounds = 3;

}  // namespace

// And none is evicted before its room is needed.
const std::vector<std::string> OneHost::kNoLeases = {
    "--lease_ms=0",         "--free_share_wanted=0",  //
    "--heartbeat_ms=100",   SuspectAfter(500),
    "--gone_after_ms=1500", "--abort_writer_after_ms=100",
    "--max_grant_ms=60000", "--order_resend_ms=200",
    "--log_level=warning",
};

const std::vector<std::string> OneHost::kShortGrants = NoLeasesBut({"--max_grant_ms=1500"});

std::vector<std::string> OneHost::NoLeasesBut(const std::vector<std::string>& others) {
  std::vector<std::string> flags = kNoLeases;
  flags.insert(flags.end(), others.begin(), others.end());
  return flags;
}

void OneHost::SetUp() {
  ASSERT_TRUE(master_.running());
  StartNode();
  writer_ = Join(master_, 0, "writer");
  ClientOptions options;
  options.master = master_.address();
  options.name = "reader";
  options.verify_checksums = false;
  auto reader = Client::Connect(options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  reader_ = *std::move(reader);
  ASSERT_NE(writer_, nullptr);
}

void OneHost::TearDown() {
  if (reader_ == nullptr || writer_ == nullptr) return;
  EXPECT_GT(writer_->counters(transfer::Way::kShm).bytes_written, 0u);
  EXPECT_EQ(writer_->counters(transfer::Way::kTcp).copies_done, 0u);
  if (reader_->counters().gets_ok > 0) {
    EXPECT_GT(reader_->counters(transfer::Way::kShm).bytes_read, 0u);
  }
  EXPECT_EQ(reader_->counters(transfer::Way::kTcp).copies_done, 0u);
}

void OneHost::StartNode(const std::vector<std::string>& flags) {
  const std::string lend = std::to_string(kPoolBytes >> 20) + "MiB";
  node_ = std::make_unique<NodeProcess>(master_, "shelf", lend, flags);
  ASSERT_TRUE(node_->running());
}

void OneHost::KillNode() {
  node_->process().Signal(SIGKILL);
  ASSERT_EQ(node_->process().WaitForExit(kSoon), 128 + SIGKILL);
}

void OneHost::WriteOverThePool() {
  const size_t keys = kPoolBytes / (kFillCells * kCellBytes);
  size_t put = 0;
  size_t right = 0;
  for (int round = 0; round < kFillRounds; ++round) {
    ++round_;
    for (size_t i = 0; i < keys; ++i) {
      const std::string key = "fill/" + std::to_string(i);
      const PutOptions options{.timeout = seconds(20), .replace = true};
      if (writer_->Put(key, ToldValue(key, round_, kFillCells), options).ok()) ++put;
    }
    for (size_t i = 0; i < keys; ++i) {
      const std::string found = Read("fill/" + std::to_string(i));
      if (found.starts_with("version")) ++right;
      ASSERT_NE(found, "wrong bytes") << i;
      ASSERT_FALSE(found.starts_with("data_loss")) << found;
    }
  }
  // Neither is for want of room: what is held back is little.
  EXPECT_GT(put, kFillRounds * keys / 2);
  EXPECT_GT(right, kFillRounds * keys / 2);
}

bool OneHost::HasRoomFor(uint64_t bytes, Duration within) {
  const size_t cells = bytes / kCellBytes;
  const TimePoint until = BootClock::now() + within;
  Status put;
  do {
    const PutOptions options{.timeout = until - BootClock::now(), .replace = true};
    put = writer_->Put("large", ToldValue("large", ++round_, cells), options);
    if (put.code() != StatusCode::kResourceExhausted) break;
    // A node that was held up for a moment gets no objects: that passes.
    std::this_thread::sleep_for(milliseconds(10));
  } while (BootClock::now() + milliseconds(20) < until);
  if (!put.ok()) return false;
  EXPECT_EQ(Read("large"), "version " + std::to_string(round_));
  EXPECT_EQ(writer_->Remove("large"), Status::Ok());
  return true;
}

void OneHost::AwaitKeyFree(const std::string& key) {
  const TimePoint until = BootClock::now() + kSoon;
  Status put;
  do {
    const std::string value = ToldValue(key, ++round_, 1024);
    put = OnceANodeIsTrusted(kSoon,
                             [&] { return writer_->Put(key, value, {.timeout = seconds(20)}); });
    if (put.code() != StatusCode::kAlreadyExists) break;
    std::this_thread::sleep_for(milliseconds(10));
  } while (BootClock::now() < until);
  EXPECT_TRUE(put.ok()) << put;
  EXPECT_EQ(writer_->Remove(key), Status::Ok());
}

void OneHost::ExpectWholePool() {
  EXPECT_TRUE(HasRoomFor(kPoolBytes, kSoon)) << "memory has not come back";
}

void OneHost::ExpectAllButOneObject() {
  EXPECT_TRUE(HasRoomFor(kPoolBytes - kBytes, kSoon)) << "more is held back than one object";
  EXPECT_FALSE(HasRoomFor(kPoolBytes, kAWhile)) << "memory was given away that is still in use";
}

void OneHost::PutTold(const std::string& key, uint32_t version) {
  const std::string value = ToldValue(key, version, kCells);
  ASSERT_EQ(
      OnceANodeIsTrusted(
          kSoon, [&] { return writer_->Put(key, value, {.timeout = kSoon, .replace = true}); }),
      Status::Ok());
}

std::string OneHost::Read(const std::string& key) {
  const Result<std::string> got = reader_->Get(key, seconds(20));
  if (!got.ok()) return got.status().ToString();
  const std::optional<uint32_t> version = VersionTold(key, *got);
  return version ? "version " + std::to_string(*version) : "wrong bytes";
}

std::string OneHost::Put(const std::string& key, int version, const std::string& where) {
  return "put " + key + " " + std::to_string(version) + " " + std::to_string(kCells) + " " + where +
         " 60000";
}

}  // namespace kvstore::cluster
