#include "histories/history.h"

#include <unistd.h>

#include <map>
#include <sstream>

#include "system/told_value.h"

namespace kvstore::history {
namespace {

constexpr uint32_t kPutsPerRecorder = 1u << 20;

void Say(const std::string& line) { (void)!write(STDOUT_FILENO, line.data(), line.size()); }

int64_t Now() { return BootClock::now().time_since_epoch().count(); }

}  // namespace

std::string ToString(const Operation& operation) {
  constexpr const char* kVerbs[] = {"put", "get", "exists", "remove"};
  constexpr const char* kOutcomes[] = {"", " failed", " unknown"};
  const auto ms = [](TimePoint time) {
    if (time == TimePoint::max()) return std::string("?");
    return std::to_string(
        std::chrono::duration<double, std::milli>(time.time_since_epoch()).count());
  };
  return std::string(kVerbs[static_cast<int>(operation.verb)]) + " " + operation.key + " " +
         std::to_string(operation.version) + kOutcomes[static_cast<int>(operation.outcome)] +
         (operation.found ? " found" : "") + " [" + ms(operation.begin) + ", " + ms(operation.end) +
         "] ms";
}

uint32_t Recorder::Begin(Verb verb, const std::string& key, uint32_t version) {
  const uint32_t number = ++last_;
  if (verb == Verb::kPut) version = who_ * kPutsPerRecorder + number;
  Say("begin " + std::to_string(number) + " " + std::to_string(static_cast<int>(verb)) + " " + key +
      " " + std::to_string(version) + " " + std::to_string(Now()) + "\n");
  return number;
}

void Recorder::End(uint32_t number, Outcome outcome, bool found, uint32_t version) {
  const int64_t now = Now();
  Say("end " + std::to_string(number) + " " + std::to_string(static_cast<int>(outcome)) + " " +
      (found ? "1 " : "0 ") + std::to_string(version) + " " + std::to_string(now) + "\n");
}

void Recorder::Put(const std::string& key, size_t cells, const PutOptions& options) {
  const uint32_t number = Begin(Verb::kPut, key, 0);
  const uint32_t version = who_ * kPutsPerRecorder + number;
  const Status put = client_.Put(key, cluster::ToldValue(key, version, cells), options);
  Outcome outcome = Outcome::kUnknown;
  switch (put.code()) {
    case StatusCode::kOk:
      outcome = Outcome::kOk;
      break;
    case StatusCode::kAborted:
    case StatusCode::kAlreadyExists:
    case StatusCode::kResourceExhausted:
    case StatusCode::kUnavailable:
      outcome = Outcome::kFailed;
      break;
    default:
      break;
  }
  End(number, outcome, false, version);
}

void Recorder::Get(const std::string& key, Duration timeout) {
  const uint32_t number = Begin(Verb::kGet, key, 0);
  const Result<std::string> got = client_.Get(key, timeout);
  const StatusCode code = got.ok() ? StatusCode::kOk : got.status().code();
  if (code == StatusCode::kOk) {
    End(number, Outcome::kOk, true, cluster::VersionTold(key, *got).value_or(0));
  } else if (code == StatusCode::kDataLoss) {
    End(number, Outcome::kOk, true, 0);
  } else {
    End(number, code == StatusCode::kNotFound ? Outcome::kOk : Outcome::kUnknown, false, 0);
  }
}

void Recorder::Exists(const std::string& key, Duration timeout) {
  const uint32_t number = Begin(Verb::kExists, key, 0);
  const Result<bool> exists = client_.Exists(key, timeout);
  End(number, exists.ok() ? Outcome::kOk : Outcome::kUnknown, exists.ok() && *exists, 0);
}

void Recorder::Remove(const std::string& key, Duration timeout) {
  const uint32_t number = Begin(Verb::kRemove, key, 0);
  const Status removed = client_.Remove(key, timeout);
  const bool answered = removed.ok() || removed.code() == StatusCode::kNotFound;
  End(number, answered ? Outcome::kOk : Outcome::kUnknown, removed.ok(), 0);
}

void ReadHistory(std::string_view output, History* history) {
  std::map<uint32_t, size_t> begun;
  std::istringstream lines{std::string(output.substr(0, output.rfind('\n') + 1))};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what;
    uint32_t number = 0;
    int kind = 0;
    int64_t time = 0;
    words >> what >> number >> kind;
    if (what == "begin") {
      Operation operation;
      if (!(words >> operation.key >> operation.version >> time)) continue;
      operation.verb = static_cast<Verb>(kind);
      operation.begin = TimePoint(Duration(time));
      begun[number] = history->size();
      history->push_back(operation);
    } else if (what == "end" && begun.contains(number)) {
      Operation& operation = (*history)[begun[number]];
      words >> operation.found >> operation.version >> time;
      operation.outcome = static_cast<Outcome>(kind);
      operation.end = TimePoint(Duration(time));
    }
  }
}

}  // namespace kvstore::history
