#ifndef KVSTORE_TESTS_HISTORIES_HISTORY_H_
#define KVSTORE_TESTS_HISTORIES_HISTORY_H_

// tests/histories: what clients of a real pool did and were told, and whether one register per key
// could have answered so.
//
//   history         the operations, as lines that a process writes while it does them
//   check           whether they are linearizable, apart from what the store may forget
//   historian_main  a process that does operations and writes them down
//
// All processes are of one machine, so that their readings of the boot clock are of one clock.

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/client.h"

namespace kvstore::history {

enum class Verb : uint8_t { kPut, kGet, kExists, kRemove };

enum class Outcome : uint8_t {
  kOk,       // answered; for readers and Remove `found` says what
  kFailed,   // a put that the client says was not committed
  kUnknown,  // it may or may not have taken effect; a reader learned nothing
};

// Whether a put may replace what is there makes no difference to what is found later.
struct Operation {
  std::string key;
  Verb verb = Verb::kGet;
  Outcome outcome = Outcome::kUnknown;
  bool found = false;
  // Of a put: its value, which no other put of the key has. Of a get that found something: what it
  // found; 0: bytes that no put can have written.
  uint32_t version = 0;
  TimePoint begin{};
  TimePoint end = TimePoint::max();  // as it is: not over when its process ended
};

using History = std::vector<Operation>;

// For people; times in milliseconds of the boot clock.
std::string ToString(const Operation& operation);

// Does operations on told values (system/told_value.h) and says each to standard output, a line
// before it begins and one when it has ended: so a killed process leaves what it began.
// Thread-safe.
class Recorder {
 public:
  // The client outlives it. `who` is unique among all recorders of a history, below 4096.
  Recorder(Client& client, uint32_t who) : client_(client), who_(who) {}

  void Put(const std::string& key, size_t cells, const PutOptions& options);
  void Get(const std::string& key, Duration timeout);
  void Exists(const std::string& key, Duration timeout);
  void Remove(const std::string& key, Duration timeout);

 private:
  uint32_t Begin(Verb verb, const std::string& key, uint32_t version);
  void End(uint32_t number, Outcome outcome, bool found, uint32_t version);

  Client& client_;
  const uint32_t who_;
  std::atomic<uint32_t> last_{0};
};

// Adds what a process has said, all of its output or its beginning. Lines of others are skipped.
void ReadHistory(std::string_view output, History* history);

}  // namespace kvstore::history

#endif  // KVSTORE_TESTS_HISTORIES_HISTORY_H_
