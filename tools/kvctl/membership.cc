#include "tools/kvctl/membership.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "text/json.h"
#include "text/key_text.h"

namespace kvstore::kvctl {

Result<Membership> Membership::Join(const Invocation& invocation) {
  const TimePoint end = BootClock::now() + invocation.timeout;
  ClientOptions options;
  options.master = invocation.master;
  options.name = "kvctl-" + std::to_string(getpid());
  options.connect_timeout = invocation.timeout;
  KVSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Connect(options));
  return Membership(std::move(client), end);
}

Duration Membership::left() const { return std::max(end_ - BootClock::now(), Duration(1)); }

Result<std::string> KeyOf(const Invocation& invocation, const std::string& typed) {
  return invocation.escaped ? text::Unescape(typed) : Result<std::string>(typed);
}

Result<std::string> KeyAt(const Invocation& invocation, size_t at) {
  return KeyOf(invocation, invocation.line.arguments()[at]);
}

Result<std::vector<std::string>> AllKeys(const Invocation& invocation) {
  std::vector<std::string> keys;
  for (const std::string& typed : invocation.line.arguments()) {
    KVSTORE_ASSIGN_OR_RETURN(std::string key, KeyOf(invocation, typed));
    keys.push_back(std::move(key));
  }
  return keys;
}

ExitCode FailItems(std::span<const std::string> keys, std::span<const Status> statuses) {
  ExitCode code = kDone;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) continue;
    std::cerr << "kvctl: " << text::Escape(keys[i]) << ": " << statuses[i].ToString() << '\n';
    const bool only_missing = statuses[i].code() == StatusCode::kNotFound && code != kFailed;
    code = only_missing ? kNotFound : kFailed;
  }
  return code;
}

void WriteStatuses(std::span<const std::string> keys, std::span<const Status> statuses,
                   std::string_view name) {
  text::JsonWriter json;
  json.BeginObject();
  json.Name(name);
  json.BeginArray();
  for (size_t i = 0; i < keys.size(); ++i) {
    json.BeginObject();
    json.Key(keys[i]);
    json.Member("status", StatusCodeName(statuses[i].code()));
    if (!statuses[i].ok()) json.Member("message", statuses[i].message());
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
}

}  // namespace kvstore::kvctl
