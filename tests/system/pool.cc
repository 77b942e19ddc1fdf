#include "system/pool.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "system/told_value.h"
#include "system/trusted_node.h"

namespace kvstore::cluster {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);

// What reading version 1 gave instead; empty: version 1.
std::string WrongWith(Client& client, const std::string& key) {
  const Result<std::string> got = client.Get(key, std::chrono::seconds(10));
  if (!got.ok()) return key + ": " + got.status().ToString();
  return VersionTold(key, *got) == 1u ? "" : key + ": wrong bytes";
}

}  // namespace

Readers::Readers(Client& client, std::vector<std::string> keys, size_t count)
    : client_(client), keys_(std::move(keys)), rounds_(count), wrong_(count) {
  for (size_t i = 0; i < count; ++i) threads_.emplace_back([this, i] { Read(i); });
}

void Readers::Read(size_t thread) {
  while (!stop_) {
    for (const std::string& key : keys_) {
      wrong_[thread] = WrongWith(client_, key);
      if (!wrong_[thread].empty()) {
        any_wrong_ = true;
        return;
      }
    }
    ++rounds_[thread];
  }
}

void Readers::AwaitRound() {
  const TimePoint until = BootClock::now() + std::chrono::minutes(1);
  std::vector<uint64_t> before(rounds_.begin(), rounds_.end());
  for (size_t i = 0; i < before.size(); ++i) {
    // The round that goes on may have read some keys before.
    while (rounds_[i] < before[i] + 2 && !any_wrong_ && BootClock::now() < until) {
      std::this_thread::sleep_for(kLook);
    }
  }
}

std::string Readers::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const auto wrong =
      std::find_if(wrong_.begin(), wrong_.end(), [](const auto& each) { return !each.empty(); });
  return wrong == wrong_.end() ? "" : *wrong;
}

const std::vector<std::string> Pool::kShortLife = {"--heartbeat_ms=50", "--lease_ms=300",
                                                   SuspectAfter(500), "--gone_after_ms=1000",
                                                   "--order_resend_ms=200"};

std::unique_ptr<NodeProcess> Pool::StartNode(const std::string& name, const std::string& lend,
                                             const Names& flags) {
  auto node = std::make_unique<NodeProcess>(master_, name, lend, flags);
  AwaitMemoryOf(name);
  return node;
}

void Pool::AwaitMemoryOf(const std::string& name) {
  EXPECT_TRUE(Eventually([&] { return NodeNamed(name)["space_bytes"]["free"].number() > 0; }));
}

std::unique_ptr<Client> Pool::Connect(ClientOptions options) {
  options.master = master_.address();
  Result<std::unique_ptr<Client>> client = Client::Connect(options);
  if (client.ok()) return *std::move(client);
  ADD_FAILURE() << "can't join: " << client.status();
  return nullptr;
}

text::JsonValue Pool::Kvctl(Names words) {
  words.insert(words.begin(), {KVSTORE_KVCTL_PATH, "--master", master_.address(), "--output=json"});
  const Finished finished = RunProgram(words);
  std::optional<JsonValue> value = JsonValue::Parse(finished.out);
  EXPECT_TRUE(value.has_value()) << words.back() << ": " << finished.out << finished.err;
  return value ? *std::move(value) : JsonValue{};
}

text::JsonValue Pool::NodeNamed(const std::string& name) {
  const JsonValue list = Kvctl({"nodes"});
  for (size_t i = 0; i < list["nodes"].size(); ++i) {
    if (list["nodes"][i]["name"].text() == name) return list["nodes"][i];
  }
  return JsonValue{};
}

std::string Pool::StateOf(const std::string& name) {
  const JsonValue node = NodeNamed(name);
  std::string state = node["state"].text();
  for (const char* flag : {"sick", "draining"}) {
    const bool* const set = std::get_if<bool>(&node[flag].value);
    if (set && *set) state += std::string(" ") + flag;
  }
  return state;
}

bool Pool::Eventually(const std::function<bool()>& holds, Duration timeout) {
  const TimePoint until = BootClock::now() + timeout;
  while (true) {
    const bool last = BootClock::now() >= until;
    if (holds()) return true;
    if (last) return false;
    std::this_thread::sleep_for(kLook);
  }
}

std::vector<std::string> Pool::PutTold(Client& client, const std::string& prefix, size_t count,
                                       size_t bytes, const PutOptions& options) {
  Names keys;
  for (size_t i = 0; i < count; ++i) {
    keys.push_back(prefix + "/" + std::to_string(i));
    const std::string value = ToldValue(keys.back(), 1, bytes / kCellBytes);
    const Status put = OnceANodeIsTrusted(std::chrono::seconds(20),
                                          [&] { return client.Put(keys.back(), value, options); });
    EXPECT_EQ(put, Status::Ok()) << keys.back();
  }
  return keys;
}

std::string Pool::ReadTold(Client& client, const std::string& key, Duration timeout) {
  const Result<std::string> got = client.Get(key, timeout);
  if (!got.ok()) return std::string(StatusCodeName(got.status().code()));
  const std::optional<uint32_t> version = VersionTold(key, *got);
  return version ? "version " + std::to_string(*version) : "wrong bytes";
}

std::vector<std::string> Pool::HoldersOf(Client& client, const std::string& key) {
  Names holders;
  const Result<ObjectStat> stat = client.Stat(key);
  if (!stat.ok()) return holders;
  for (const ReplicaStat& replica : stat->replicas) holders.push_back(replica.node);
  std::sort(holders.begin(), holders.end());
  return holders;
}

}  // namespace kvstore::cluster
