#include "tools/kvbench/soaker.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "kvstore/client.h"
#include "tools/kvbench/told_value.h"

namespace kvstore::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint32_t kVersionsPerLife = 1u << 20;
constexpr size_t kMostHeld = 3;  // views, and sessions
constexpr size_t kParts = 4;
constexpr Duration kPace = milliseconds(2);  // of a slow one
constexpr uint64_t kStepsToSoak = 20;
constexpr uint64_t kStepsToTell = 64;

void SayLine(const std::string& line) {
  const std::string whole = line + '\n';
  (void)!write(STDOUT_FILENO, whole.data(), whole.size());
}

[[noreturn]] void Wrong(const std::string& what) {
  SayLine("WRONG: " + what);
  _exit(1);
}

std::string BytesOf(const ObjectView& view) {
  std::string bytes;
  for (const ConstPiece& piece : view.pieces()) {
    bytes.append(static_cast<const char*>(piece.data), piece.size);
  }
  return bytes;
}

class Soaker {
 public:
  Soaker(Client& client, const SoakerOptions& options)
      : client_(client),
        options_(options),
        version_(options.life * kVersionsPerLife),
        random_(options.who + 16 * options.life),
        room_(options.batch * options.most_cells * kCellBytes, '\0') {}

  void DoSomething();
  uint64_t right() const { return right_ + viewed_ + parts_; }
  std::string Counts();

 private:
  struct Viewed {
    std::string key;
    uint32_t version;
    std::unique_ptr<ObjectView> view;
  };
  struct InParts {
    std::string key;
    std::unique_ptr<ReadSession> session;
    uint32_t oldest;
    size_t cells;
    size_t part = 0;
    uint32_t version = 0;  // once a part was read
  };

  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>(random_()) % limit; }
  std::string OwnKey() { return KeyOf(options_.who); }
  std::string AnyKey() { return KeyOf(Below(options_.soakers)); }
  // Lower ones are more often used.
  std::string KeyOf(uint32_t who) {
    const uint32_t i = std::min(Below(options_.keys), Below(options_.keys));
    return std::to_string(who) + "/" + std::to_string(i);
  }
  size_t SomeCells() {
    return options_.least_cells +
           Below(static_cast<uint32_t>(options_.most_cells - options_.least_cells));
  }

  void Put();
  void Make();
  void Remove();
  void Get();
  void View();
  void LookAtViews();
  void OpenParts();
  void ReadParts();
  // What a call that began when these versions were the oldest to be seen has found.
  uint32_t Check(const std::string& key, uint32_t oldest, std::string_view value, size_t first = 0);
  void NoteAnswer(const std::string& key, uint32_t version, const Status& status);
  void NoteMiss(const std::string& key, const Status& status);

  Client& client_;
  const SoakerOptions options_;
  uint32_t version_;
  std::mt19937 random_;
  std::string room_;                        // for what is got
  std::map<std::string, uint32_t> oldest_;  // versions before these are not to be seen any more
  std::deque<Viewed> views_;
  std::deque<InParts> in_parts_;
  uint64_t puts_ = 0, made_ = 0, removed_ = 0, right_ = 0, viewed_ = 0, missed_ = 0, failed_ = 0;
  uint64_t parts_ = 0, parts_refused_ = 0;
};

void Soaker::DoSomething() {
  const uint32_t what = Below(100);
  if (what < 20) return Put();
  if (what < 27) return Make();
  if (what < 31) return Remove();
  if (what < 37) return View();
  if (what < 41) return LookAtViews();
  if (what < 47) return OpenParts();
  if (what < 60) return ReadParts();
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

void Soaker::NoteMiss(const std::string& key, const Status& status) {
  if (status.code() == StatusCode::kDataLoss) Wrong(key + ": " + status.ToString());
  ++(status.code() == StatusCode::kNotFound ? missed_ : failed_);
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

uint32_t Soaker::Check(const std::string& key, uint32_t oldest, std::string_view value,
                       size_t first) {
  const std::optional<uint32_t> version = VersionTold(key, value, first);
  if (!version) Wrong("bytes of " + key);
  if (*version < oldest) {
    Wrong(key + ": version " + std::to_string(*version) + " came back; " + std::to_string(oldest) +
          " was there");
  }
  uint32_t& known = oldest_[key];
  known = std::max(known, *version);
  return *version;
}

void Soaker::Get() {
  struct Asked {
    std::string key;
    uint32_t oldest;
    Piece piece;
  };
  const size_t room = options_.most_cells * kCellBytes;
  std::vector<Asked> asked;
  for (size_t i = 0; i < options_.batch; ++i) {
    const std::string key = AnyKey();
    asked.push_back({key, oldest_[key], {room_.data() + i * room, room}});
  }
  std::vector<GetItem> items;
  for (const Asked& one : asked) items.push_back({one.key, {&one.piece, 1}});
  const std::vector<GetResult> results = client_.Get(items, seconds(5));
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].status.ok()) {
      NoteMiss(asked[i].key, results[i].status);
      continue;
    }
    Check(asked[i].key, asked[i].oldest, {room_.data() + i * room, results[i].size});
    ++right_;
  }
}

void Soaker::View() {
  const std::string key = AnyKey();
  const uint32_t oldest = oldest_[key];
  Result<std::unique_ptr<ObjectView>> view = client_.View(key, seconds(5));
  if (!view.ok()) return NoteMiss(key, view.status());
  const uint32_t version = Check(key, oldest, BytesOf(**view));
  ++viewed_;
  views_.push_back({key, version, *std::move(view)});
  if (views_.size() > kMostHeld) views_.pop_front();
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

void Soaker::OpenParts() {
  const std::string key = AnyKey();
  const std::string_view name = key;
  const uint32_t oldest = oldest_[key];
  Result<std::unique_ptr<ReadSession>> session = client_.OpenReadSession({&name, 1}, seconds(5));
  const Status found = session.ok() ? (*session)->sizes()[0].status() : session.status();
  if (!found.ok()) return NoteMiss(key, found);
  const size_t cells = *(*session)->sizes()[0] / kCellBytes;
  in_parts_.push_back({key, *std::move(session), oldest, cells});
  if (in_parts_.size() > kMostHeld) in_parts_.pop_front();
}

// One more of each that is being read so: whatever has happened since the last, they are parts of
// one version.
void Soaker::ReadParts() {
  std::erase_if(in_parts_, [this](InParts& some) {
    const size_t first = some.cells * some.part / kParts;
    const size_t cells = some.cells * (some.part + 1) / kParts - first;
    const Piece piece{room_.data(), cells * kCellBytes};
    const PartItem item{0, {&piece, 1}, first * kCellBytes, piece.size};
    const GetResult got = some.session->Read({&item, 1}, seconds(5)).front();
    if (got.status.code() == StatusCode::kAborted) {
      ++parts_refused_;
      return true;
    }
    if (!got.status.ok()) {
      NoteMiss(some.key, got.status);
      return true;
    }
    const uint32_t version = Check(some.key, some.oldest, {room_.data(), piece.size}, first);
    if (some.part > 0 && version != some.version) Wrong("parts of two objects of " + some.key);
    some.version = version;
    ++parts_;
    return ++some.part == kParts;
  });
}

std::string Soaker::Counts() {
  LookAtViews();
  views_.clear();
  in_parts_.clear();
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
  add("parts", parts_);
  add("parts_refused", parts_refused_);
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

int RunSoaker(const SoakerOptions& options) {
  ClientOptions client_options;
  client_options.master = options.master;
  client_options.name = "soaker " + std::to_string(options.who);
  client_options.ways = options.ways;
  client_options.verify_checksums = false;  // nothing is to hide what it reads
  auto client = Client::Connect(client_options);
  if (!client.ok()) {
    SayLine("can't join: " + client.status().ToString());
    return 1;
  }
  Soaker soaker(**client, options);
  for (uint64_t done = 0; !InputHasEnded(); ++done) {
    if (done == kStepsToSoak) SayLine("soaking");
    if (done % kStepsToTell == kStepsToTell - 1) SayLine("right " + std::to_string(soaker.right()));
    soaker.DoSomething();
    if (options.slow) std::this_thread::sleep_for(kPace);
  }
  SayLine(soaker.Counts());
  return 0;
}

}  // namespace kvstore::bench
