// A client in a process of its own that does one step at a time, as it is told, for tests to kill
// and to stop at every one of them:
//   told_client MASTER_ADDRESS NAME LEND_BYTES CHECKSUMS WAY
// CHECKSUMS: "checked" or "unchecked" by Get, which then relies on the holder's word alone.
// WAY: how bytes travel, "any" or "tcp".
//
// It reads lines "N VERB KEY ..." and answers each with a line "#N= RESULT": "ok", an error as
// Status says it, "version V" (every byte read belongs to version V of the key) or "wrong bytes".
// Sizes and places are in cells of ToldValue. Where WHERE is not "-" it says "#N at WHERE" when the
// library gets there, and waits for a line:
//   begin   a put's or get's copy is announced or begun, and no byte has been moved
//   half    half of the bytes have been moved
//   sum     the checksum is about to be known: all bytes are in place, nothing is committed
//
//   put KEY VERSION CELLS WHERE TIMEOUT_MS    get KEY CELLS WHERE       remove KEY
//   view KEY    look KEY    release KEY       open KEY    part KEY FIRST CELLS    close KEY
//   create KEY CELLS    fill KEY VERSION FIRST CELLS    seal KEY WHERE    drop KEY
//   exists KEY    counters -

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/client.h"
#include "system/stop_points.h"
#include "system/told_value.h"
#include "system/trusted_node.h"

namespace kvstore::cluster {
namespace {

// Memory in pieces of which the first and the middle one are a page each, so that a copy can be
// stopped there: nothing is moved beyond a piece before all of it is.
class PagedValue {
 public:
  explicit PagedValue(size_t bytes)
      : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
        mapped_((bytes + page_ - 1) / page_ * page_),
        bytes_(bytes),
        memory_(static_cast<char*>(
            mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    if (memory_ == MAP_FAILED || mapped_ < 4 * page_) std::abort();
  }
  ~PagedValue() { munmap(memory_, mapped_); }
  PagedValue(const PagedValue&) = delete;
  PagedValue& operator=(const PagedValue&) = delete;

  char* data() const { return memory_; }
  std::string_view text() const { return {memory_, bytes_}; }
  char* half() const { return memory_ + mapped_ / page_ / 2 * page_; }

  // As ConstPiece or as Piece.
  template <typename AnyPiece>
  std::array<AnyPiece, 4> Pieces() const {
    char* const end = memory_ + bytes_;
    return {{{memory_, page_},
             {memory_ + page_, static_cast<uint64_t>(half() - memory_) - page_},
             {half(), page_},
             {half() + page_, static_cast<uint64_t>(end - half()) - page_}}};
  }

 private:
  const size_t page_;
  const size_t mapped_;
  const size_t bytes_;
  char* const memory_;
};

std::string Told(std::string_view key, std::string_view value, size_t first = 0) {
  const std::optional<uint32_t> version = VersionTold(key, value, first);
  return version ? "version " + std::to_string(*version) : "wrong bytes";
}

// One line's words, and the client that does what they say.
class ToldSteps {
 public:
  explicit ToldSteps(Client& client) : client_(client) {}

  std::string Do(const std::string& number, const std::string& verb, std::istringstream words);

 private:
  std::string Put(std::istringstream words);
  std::string Get(std::istringstream words);
  std::string View();
  std::string Look() const;
  std::string Open();
  std::string Part(std::istringstream words);
  std::string Create(std::istringstream words);
  std::string Fill(std::istringstream words);
  std::string Seal(std::istringstream words);
  std::string Counters() const;

  // Where a copy of that value is to be stopped.
  std::vector<StopPoint> StopsAt(const std::string& where, const PagedValue& value) const;

  Client& client_;
  std::string number_;
  std::string key_;
  std::map<std::string, std::unique_ptr<ObjectView>> views_;
  std::map<std::string, std::unique_ptr<ReadSession>> sessions_;
  std::map<std::string, std::unique_ptr<NewObject>> created_;
};

std::string ToldSteps::Do(const std::string& number, const std::string& verb,
                          std::istringstream words) {
  number_ = number;
  words >> key_;
  if (verb == "put") return Put(std::move(words));
  if (verb == "get") return Get(std::move(words));
  if (verb == "remove") return client_.Remove(key_).ToString();
  if (verb == "view") return View();
  if (verb == "look") return Look();
  if (verb == "release") return views_.erase(key_) == 1 ? "ok" : "no such view";
  if (verb == "open") return Open();
  if (verb == "part") return Part(std::move(words));
  if (verb == "close") return sessions_.erase(key_) == 1 ? "ok" : "no such session";
  if (verb == "create") return Create(std::move(words));
  if (verb == "fill") return Fill(std::move(words));
  if (verb == "seal") return Seal(std::move(words));
  if (verb == "drop") return created_.erase(key_) == 1 ? "ok" : "no such object";
  if (verb == "exists") {
    const Result<bool> exists = client_.Exists(key_);
    return !exists.ok() ? exists.status().ToString() : *exists ? "yes" : "no";
  }
  if (verb == "counters") return Counters();
  return "no such step: " + verb;
}

std::vector<StopPoint> ToldSteps::StopsAt(const std::string& where, const PagedValue& value) const {
  const std::string said = "#" + number_ + " at " + where;
  if (where == "begin") return {{value.data(), said}};
  if (where == "half") return {{value.half(), said}};
  if (where == "sum") return {{nullptr, said}};
  return {};
}

std::string ToldSteps::Put(std::istringstream words) {
  uint32_t version = 0;
  size_t cells = 0;
  std::string where;
  int64_t timeout_ms = 0;
  words >> version >> cells >> where >> timeout_ms;
  const PagedValue value(cells * kCellBytes);
  const std::string told = ToldValue(key_, version, cells);
  std::memcpy(value.data(), told.data(), told.size());
  const auto pieces = value.Pieces<ConstPiece>();
  const PutItem item{key_, pieces};
  const PutOptions options{.timeout = std::chrono::milliseconds(timeout_ms), .replace = true};
  ArmStopPoints(StopsAt(where, value));
  const Status status = OnceANodeIsTrusted(
      options.timeout, [&] { return client_.Put(std::span(&item, 1), options).front(); });
  return !DisarmStopPoints() && status.ok() ? "ok, but was not at " + where : status.ToString();
}

std::string ToldSteps::Get(std::istringstream words) {
  size_t cells = 0;
  std::string where;
  words >> cells >> where;
  const PagedValue value(cells * kCellBytes);
  const auto pieces = value.Pieces<Piece>();
  const GetItem item{key_, pieces};
  ArmStopPoints(StopsAt(where, value));
  const GetResult got = client_.Get(std::span(&item, 1), std::chrono::seconds(20)).front();
  const bool stopped = DisarmStopPoints();
  if (!got.status.ok()) return got.status.ToString();
  if (!stopped) return "ok, but was not at " + where;
  return Told(key_, value.text().substr(0, got.size));
}

std::string ToldSteps::View() {
  Result<std::unique_ptr<ObjectView>> view = client_.View(key_);
  if (!view.ok()) return view.status().ToString();
  views_[key_] = *std::move(view);
  return Look();
}

std::string ToldSteps::Look() const {
  const auto found = views_.find(key_);
  if (found == views_.end()) return "no such view";
  std::string value;
  for (const ConstPiece& piece : found->second->pieces()) {
    value.append(static_cast<const char*>(piece.data), piece.size);
  }
  if (!found->second->Verify().ok()) return found->second->Verify().ToString();
  return Told(key_, value);
}

std::string ToldSteps::Open() {
  const std::string_view key = key_;
  Result<std::unique_ptr<ReadSession>> session = client_.OpenReadSession(std::span(&key, 1));
  if (!session.ok()) return session.status().ToString();
  const Status found = (*session)->sizes()[0].status();
  sessions_[key_] = *std::move(session);
  return found.ToString();
}

std::string ToldSteps::Part(std::istringstream words) {
  size_t first = 0;
  size_t cells = 0;
  words >> first >> cells;
  const auto found = sessions_.find(key_);
  if (found == sessions_.end()) return "no such session";
  std::string value(cells * kCellBytes, '\0');
  const Piece piece{value.data(), value.size()};
  const PartItem item{0, {&piece, 1}, first * kCellBytes, value.size()};
  const GetResult got = found->second->Read(std::span(&item, 1)).front();
  return got.status.ok() ? Told(key_, value, first) : got.status.ToString();
}

std::string ToldSteps::Create(std::istringstream words) {
  size_t cells = 0;
  words >> cells;
  const auto create = [&] {
    Result<std::unique_ptr<NewObject>> object =
        client_.Create(key_, cells * kCellBytes, {.replace = true});
    if (object.ok()) created_[key_] = *std::move(object);
    return object.status();
  };
  return OnceANodeIsTrusted(std::chrono::seconds(20), create).ToString();
}

std::string ToldSteps::Fill(std::istringstream words) {
  uint32_t version = 0;
  size_t first = 0;
  size_t cells = 0;
  words >> version >> first >> cells;
  const auto found = created_.find(key_);
  if (found == created_.end()) return "no such object";
  std::string_view left = {};
  const std::string value = ToldValue(key_, version, cells, first);
  left = value;
  uint64_t skip = first * kCellBytes;
  for (const Piece& piece : found->second->pieces()) {
    if (skip >= piece.size) {
      skip -= piece.size;
      continue;
    }
    const size_t some = std::min<size_t>(left.size(), piece.size - skip);
    std::memcpy(static_cast<char*>(piece.data) + skip, left.data(), some);
    left.remove_prefix(some);
    skip = 0;
  }
  return left.empty() ? "ok" : "more than it has room for";
}

std::string ToldSteps::Seal(std::istringstream words) {
  std::string where;
  words >> where;
  const auto found = created_.find(key_);
  if (found == created_.end()) return "no such object";
  std::vector<StopPoint> stops;
  if (where == "sum") {
    stops.push_back({found->second->pieces().front().data, "#" + number_ + " at " + where});
  }
  ArmStopPoints(std::move(stops));
  const Status status = found->second->Seal(std::chrono::seconds(20));
  const bool stopped = DisarmStopPoints();
  created_.erase(found);
  return stopped ? status.ToString() : "was not at " + where + "; " + status.ToString();
}

std::string ToldSteps::Counters() const {
  const ClientCounters counters = client_.counters();
  const transfer::WayCounters shm = client_.counters(transfer::Way::kShm);
  const transfer::WayCounters tcp = client_.counters(transfer::Way::kTcp);
  std::ostringstream text;
  text << "shm_read=" << shm.bytes_read << " shm_written=" << shm.bytes_written
       << " shm_mappings=" << shm.mappings << " tcp=" << tcp.bytes_read + tcp.bytes_written
       << " requests=" << counters.master_requests << " remembered=" << counters.gets_remembered
       << " refused=" << counters.reads_refused << " views=" << counters.views_ok;
  return text.str();
}

}  // namespace
}  // namespace kvstore::cluster

int main(int argc, char** argv) {
  using kvstore::cluster::ReadLine;
  using kvstore::cluster::SayLine;
  if (argc != 6) return 2;
  kvstore::ClientOptions options;
  options.master = argv[1];
  options.name = argv[2];
  options.lend_bytes = std::stoull(argv[3]);
  options.verify_checksums = std::string_view(argv[4]) == "checked";
  if (std::string_view(argv[5]) == "tcp") options.ways = {kvstore::transfer::Way::kTcp};
  auto client = kvstore::Client::Connect(options);
  if (!client.ok()) {
    SayLine("can't join: " + client.status().ToString());
    return 1;
  }
  kvstore::cluster::ToldSteps steps(**client);
  SayLine("joined");
  std::string line;
  while (ReadLine(&line)) {
    std::istringstream words(line);
    std::string number;
    std::string verb;
    words >> number >> verb;
    SayLine("#" + number + "= " + steps.Do(number, verb, std::move(words)));
  }
  return 0;
}
