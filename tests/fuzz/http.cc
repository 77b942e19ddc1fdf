// The master's HTTP: what it answers to any target is one of its statuses, and JSON where it says
// so.

#include <memory>

#include "fakes/strike.h"
#include "fuzz/target.h"
#include "master/http_api.h"
#include "tools/json_value.h"

namespace kvstore::fuzz {
namespace {

using namespace master;

class StillClock : public Clock {
 public:
  TimePoint Now() const override { return TimePoint() + std::chrono::hours(1); }
};

class SilentSession : public SessionPort {
 public:
  void Send(Orders) override {}
  void EndSession(const Status&) override {}
};

// A master that knows a node and objects with all kinds of keys.
class Pool {
 public:
  Pool() {
    Hello hello;
    hello.self = {{1, 1}, "a \"node\"", "host", "at"};
    hello.counter = 1;
    hello.segments.push_back({0, 1 << 20, 4096, 1 << 20});
    const auto session = std::make_shared<SilentSession>();
    board_.Join(hello, session, [](const Result<Welcome>&) {});
    (void)board_.HandleReport(hello.self.incarnation, session.get(),
                              WholeReport(board_.term(), hello.counter));
    for (const char* const key : {"a", "a/b", "a b&c", "\xff\xfe", "\xe2\x82\xac\n", "%41"}) {
      StartPut start;
      start.keys.Add(key);
      start.sequences = {++sequence_};
      start.sizes = {100};
      board_.Handle({1, 1}, {2 * sequence_, std::chrono::minutes(1), start});
      board_.Handle({1, 1},
                    {2 * sequence_ + 1, std::chrono::minutes(1), CommitPut{{sequence_}, {7}, {}}});
    }
  }

  HttpReply Answer(std::string_view target) const { return api_.Answer(std::string(target)); }

 private:
  StillClock clock_;
  UnkeptMembers members_;
  Switchboard board_{Limits(), Reign{{7, 7}, 3, {}, {}}, clock_, members_};
  Metrics metrics_;
  HttpApi api_{board_, metrics_};
  uint64_t sequence_ = 0;
};

}  // namespace

void Take(std::string_view bytes) {
  static const Pool pool;
  Expect(*DecodePercent(EncodePercent(bytes), true) == bytes, "URLs can name any bytes");
  const HttpReply reply = pool.Answer(bytes);
  Expect(reply.status == 200 || reply.status == 400 || reply.status == 404 || reply.status == 503,
         "a request is answered, refused, or asks for what isn't there");
  if (reply.type != "application/json") return;
  const auto value = text::JsonValue::Parse(reply.body);
  Expect(value.has_value(), "what is said to be JSON is");
  const std::string next = (*value)["next"].text();
  if (!next.empty()) Expect(pool.Answer(next).status == 200, "the next page is there");
}

std::vector<std::string> Seeds() {
  return {"/",
          "/metrics",
          "/health",
          "/api/v1/version",
          "/api/v1/status",
          "/api/v1/nodes?limit=1",
          "/api/v1/segments?after=00000000000000010000000000000001.0000000000",
          "/api/v1/objects?prefix=a%2F&limit=2&after=a+b",
          "/api/v1/objects?limit=1",
          "/api/v1/objects/%ff%FE",
          "/api/v1/tasks?limit=4096",
          "/api/v1/objects?&&a=&=b",
          "/api/v1/objects?prefix=%4"};
}

}  // namespace kvstore::fuzz
