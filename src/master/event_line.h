#ifndef KVSTORE_SRC_MASTER_EVENT_LINE_H_
#define KVSTORE_SRC_MASTER_EVENT_LINE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "kvstore/clock.h"
#include "kvstore/incarnation.h"
#include "proto/verbs.h"
#include "text/json.h"

namespace kvstore::master {

enum class LogFormat : uint8_t {
  kText,  // event=node_gone term=3 node="a" silent_s=16.5
  kJson,  // {"event":"node_gone","term":3,"node":"a","silent_s":16.5}
};

// One line of the log, member by member. Text is one line whatever the bytes: what a terminal obeys
// is escaped as \xNN, and a key is cut to 200 characters, which JSON shows whole.
// Thread-compatible.
class EventLine {
 public:
  EventLine(LogFormat format, std::string_view event, uint64_t term);

  void Add(std::string_view name, std::string_view text);
  void Add(std::string_view name, uint64_t number);
  void Add(std::string_view name, Incarnation incarnation);
  void AddSeconds(std::string_view name, Duration duration);  // to a tenth
  void AddPut(const PutId& put);                              // put=INCARNATION.SEQUENCE
  void AddKey(std::string_view key);

  std::string Take();

 private:
  void Word(std::string_view name, std::string_view value);

  const LogFormat format_;
  std::string text_;
  text::JsonWriter json_{text::JsonWriter::Layout::kOneLine};
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_EVENT_LINE_H_
