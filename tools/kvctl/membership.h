#ifndef KVSTORE_TOOLS_KVCTL_MEMBERSHIP_H_
#define KVSTORE_TOOLS_KVCTL_MEMBERSHIP_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/client.h"
#include "tools/kvctl/commands.h"

namespace kvstore::kvctl {

// A member of the pool for one command, and what is left of the command's time. Thread-compatible.
class Membership {
 public:
  static Result<Membership> Join(const Invocation& invocation);

  Client& client() { return *client_; }
  Duration left() const;

 private:
  Membership(std::unique_ptr<Client> client, TimePoint end)
      : client_(std::move(client)), end_(end) {}

  std::unique_ptr<Client> client_;
  TimePoint end_;
};

// What the user typed as a key, or the beginning of one.
Result<std::string> KeyOf(const Invocation& invocation, const std::string& typed);
// The key that an argument is.
Result<std::string> KeyAt(const Invocation& invocation, size_t at);
// All arguments are keys.
Result<std::vector<std::string>> AllKeys(const Invocation& invocation);

// Says on stderr what failed, key by key. The exit code of all: 3 where nothing but missing objects
// was met.
ExitCode FailItems(std::span<const std::string> keys, std::span<const Status> statuses);

// The same as JSON on stdout: {"NAME": [{key, "status", "message" unless OK}, ...]}.
void WriteStatuses(std::span<const std::string> keys, std::span<const Status> statuses,
                   std::string_view name);

}  // namespace kvstore::kvctl

#endif  // KVSTORE_TOOLS_KVCTL_MEMBERSHIP_H_
