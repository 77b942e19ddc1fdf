// A client in a process of its own that does what comes to its mind, and checks every byte:
//   soaker MASTER_ADDRESS WHO LIFE
//
// It alone puts, makes in place and removes the keys "WHO/0" .. , with versions that grow from one
// LIFE to the next; it reads and views its own and those of the soakers 0 to 2. Says "soaking" once
// it has put something, then runs until its input ends, and says what it did: "counts NAME=N ...".
// Ends with 1 and says why as soon as something was wrong.

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kvstore/client.h"
#include "system/stop_points.h"
#include "system/told_value.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;

constexpr uint32_t kSoakers = 3;
constexpr uint32_t kKeysEach = 36;
constexpr uint32_t kVersionsPerLife = 1u << 20;
constexpr size_t kMostViews = 3;

[[noreturn]] void Wrong(const std::string& what) {
  SayLine("WRONG: " + what);
  _exit(1);
}

class Soaker {
 public:
  Soaker(Client& client, uint32_t who, uint32_t life)
      : client_(client), who_(who), version_(life * kVersionsPerLife), random_(who + 16 * life) {}

  void DoSomething();
  std::string Counts();

 private:
  struct Viewed {
    std::string key;
    uint32_t version;
    std::unique_ptr<ObjectView> view;
  };

  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>(random_()) % limit; }
  std::string OwnKey() { return std::to_string(who_) + "/" + std::to_string(Below(kKeysEach)); }
  std::string AnyKey() {
    return std::to_string(Below(kSoakers)) + "/" + std::to_string(Below(kKeysEach));
  }
  size_t SomeCells() { return 1024 + Below(16'384); }

  void Put();
  void Make();
  void Remove();
  void Get();
  void View();
  void LookAtViews();
  // What a call that began when these versions were the oldest to be seen has found.
  uint32_t Check(const std::string& key, uint32_t oldest, std::string_view value);
  void NoteAnswer(const std::string& key, uint32_t version, const Status& status);

  Client& client_;
  const uint32_t who_;
  uint32_t version_;
  std::mt19937 random_;
  std::map<std::string, uint32_t> oldest_;  // versions before these are not to be seen any more
  std::deque<Viewed> views_;
  uint64_t puts_ = 0, made_ = 0, removed_ = 0, right_ = 0, viewed_ = 0, missed_ = 0, failed_ = 0;
};

void Soaker::DoSomething() {
  const uint32_t what = Below(100);
  if (what < 20) return Put();
  if (what < 30) return Make();
  if (what < 34) return Remove();
  if (what < 45) return View();
  if (what < 50) return LookAtViews();
  Get();
}

void Soaker::NoteAnswer(const std::string& key, uint32_t version, const Status& status) {
  if (status.code() == StatusCode::kDataLoss || status.code() == StatusCode::kInternal) {
    Wrong(key + ": " + status.ToString());
  }
  if (status.ok()) {
    oldest_[key] = version;
  } else {
    ++failed_;
  }
}

void Soaker::Put() {
  const std::string key = OwnKey();
  const uint32_t version = ++version_;
  const Status put = client_.Put(key, ToldValue(key, version, SomeCells()),
                                 {.timeout = seconds(5), .replace = true});
  NoteAnswer(key, version, put);
  if (put.ok()) ++puts_;
}

void Soaker::Make() {
  const std::string key = OwnKey();
  const uint32_t version = ++version_;
  const std::string value = ToldValue(key, version, SomeCells());
  Result<std::unique_ptr<NewObject>> object =
      client_.Create(key, value.size(), {.timeout = seconds(5), .replace = true});
  if (!object.ok()) return NoteAnswer(key, version, object.status());
  const char* from = value.data();
  for (const Piece& piece : (*object)->pieces()) {
    std::memcpy(piece.data, from, piece.size);
    from += piece.size;
  }
  if (Below(8) == 0) return;  // given up
  const Status sealed = (*object)->Seal(seconds(5));
  NoteAnswer(key, version, sealed);
  if (sealed.ok()) ++made_;
}

void Soaker::Remove() {
  const std::string key = OwnKey();
  const Status status = client_.Remove(key, seconds(5));
  if (!status.ok() && status.code() != StatusCode::kNotFound) {
    ++failed_;
    return;
  }
  oldest_[key] = version_ + 1;
  ++removed_;
}

uint32_t Soaker::Check(const std::string& key, uint32_t oldest, std::string_view value) {
  const std::optional<uint32_t> version = VersionTold(key, value);
  if (!version) Wrong("bytes of " + key);
  if (*version < oldest) {
    Wrong(key + ": version " + std::to_string(*version) + " came back; " + std::to_string(oldest) +
          " was there");
  }
  oldest_[key] = *version;
  return *version;
}

void Soaker::Get() {
  const std::string key = AnyKey();
  const Result<std::string> got = client_.Get(key, seconds(5));
  if (got.ok()) {
    Check(key, oldest_[key], *got);
    ++right_;
  } else if (got.status().code() == StatusCode::kDataLoss) {
    Wrong(key + ": " + got.status().ToString());
  } else {
    ++(got.status().code() == StatusCode::kNotFound ? missed_ : failed_);
  }
}

std::string BytesOf(const ObjectView& view) {
  std::string bytes;
  for (const ConstPiece& piece : view.pieces()) {
    bytes.append(static_cast<const char*>(piece.data), piece.size);
  }
  return bytes;
}

void Soaker::View() {
  const std::string key = AnyKey();
  Result<std::unique_ptr<ObjectView>> view = client_.View(key, seconds(5));
  if (!view.ok()) {
    ++(view.status().code() == StatusCode::kNotFound ? missed_ : failed_);
    return;
  }
  const uint32_t version = Check(key, oldest_[key], BytesOf(**view));
  ++viewed_;
  views_.push_back({key, version, *std::move(view)});
  if (views_.size() > kMostViews) views_.pop_front();
}

// However long ago they were made.
void Soaker::LookAtViews() {
  for (const Viewed& viewed : views_) {
    if (VersionTold(viewed.key, BytesOf(*viewed.view)) != viewed.version) {
      Wrong("bytes under a view of " + viewed.key);
    }
  }
  if (!views_.empty()) views_.pop_front();
}

std::string Soaker::Counts() {
  LookAtViews();
  views_.clear();
  const ClientCounters counters = client_.counters();
  const transfer::WayCounters shm = client_.counters(transfer::Way::kShm);
  const transfer::WayCounters tcp = client_.counters(transfer::Way::kTcp);
  std::string text = "counts";
  const auto add = [&](const char* name, uint64_t count) {
    text += std::string(" ") + name + "=" + std::to_string(count);
  };
  add("puts", puts_);
  add("made", made_);
  add("removed", removed_);
  add("right", right_);
  add("views", viewed_);
  add("missed", missed_);
  add("failed", failed_);
  add("refused", counters.reads_refused);
  add("remembered", counters.gets_remembered);
  add("mismatches", counters.checksum_mismatches);
  add("shm_copies", shm.copies_done);
  add("shm_mappings", shm.mappings);
  add("tcp_copies", tcp.copies_done);
  return text;
}

bool InputHasEnded() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

}  // namespace
}  // namespace kvstore::cluster

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  kvstore::ClientOptions options;
  options.master = argv[1];
  options.name = std::string("soaker ") + argv[2];
  options.verify_checksums = false;  // nothing is to hide what it reads
  auto client = kvstore::Client::Connect(options);
  if (!client.ok()) {
    kvstore::cluster::SayLine("can't join: " + client.status().ToString());
    return 1;
  }
  kvstore::cluster::Soaker soaker(**client, static_cast<uint32_t>(std::atoi(argv[2])),
                                  static_cast<uint32_t>(std::atoi(argv[3])));
  for (uint64_t done = 0; !kvstore::cluster::InputHasEnded(); ++done) {
    if (done == 20) kvstore::cluster::SayLine("soaking");
    soaker.DoSomething();
  }
  kvstore::cluster::SayLine(soaker.Counts());
  return 0;
}
