#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <limits>
#include <optional>
#include <regex>
#include <string>
#include <utility>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/membership.h"

namespace kvstore::kvctl {
namespace {

using text::JsonWriter;

constexpr uint32_t kPage = 4096;  // the largest that the master gives

// ---- keys that are named ----

ExitCode RemoveNamed(const Invocation& invocation) {
  const Result<std::vector<std::string>> keys = AllKeys(invocation);
  if (!keys.ok()) return FailUsage(keys.status().message());
  Result<Membership> member = Membership::Join(invocation);
  if (!member.ok()) return Fail(member.status());
  const std::vector<std::string_view> views(keys->begin(), keys->end());
  const std::vector<Status> statuses = member->client().Remove(views, member->left());
  const ExitCode code = FailItems(*keys, statuses);
  if (invocation.json) WriteStatuses(*keys, statuses, "removed");
  return code;
}

// ---- keys that match ----

// What is to be removed, as --prefix, --regex or --all say it.
struct Match {
  std::string prefix;
  std::optional<std::regex> pattern;
  std::string text;  // for the question
};

Result<Match> MatchOf(const Invocation& invocation) {
  const text::CommandLine& line = invocation.line;
  const int ways = int{line.Has("prefix")} + int{line.Has("regex")} + int{line.Has("all")} +
                   int{!line.arguments().empty()};
  if (ways != 1) return InvalidArgumentError("name keys, or one of --prefix, --regex and --all");
  Match match;
  if (line.Has("all")) {
    match.text = "all objects";
  } else if (line.Has("prefix")) {
    KVSTORE_ASSIGN_OR_RETURN(match.prefix, KeyOf(invocation, line.Get("prefix", "")));
    if (match.prefix.empty()) return InvalidArgumentError("--prefix is empty; --all means all");
    match.text = "the objects whose keys begin with " + text::Escape(match.prefix);
  } else {
    const std::string pattern = line.Get("regex", "");
    try {
      match.pattern.emplace(pattern, std::regex::ECMAScript);
    } catch (const std::regex_error& e) {
      return InvalidArgumentError("--regex: " + std::string(e.what()));
    }
    match.text = "the objects whose keys match " + text::Escape(pattern);
  }
  return match;
}

// Keys that match, page by page.
class Listing {
 public:
  Listing(const Invocation& invocation, const Match& match)
      : admin_(invocation.master, invocation.timeout), match_(match) {}

  bool more() const { return more_; }
  // Those of the next page.
  Result<std::vector<std::string>> Next() {
    KVSTORE_ASSIGN_OR_RETURN(ObjectPage page, admin_.ListObjects(match_.prefix, after_, kPage));
    more_ = page.more && !page.objects.empty();
    if (more_) after_ = page.objects.back().key;
    std::vector<std::string> keys;
    for (ObjectRow& object : page.objects) {
      if (match_.pattern && !std::regex_search(object.key, *match_.pattern)) continue;
      keys.push_back(std::move(object.key));
    }
    return keys;
  }

 private:
  AdminStub admin_;
  const Match& match_;
  std::string after_;
  bool more_ = true;
};

// Asks on the terminal. A prefix is counted by its first page only: a list of everything costs the
// master more than the removal.
Result<bool> Confirmed(const Invocation& invocation, const Match& match) {
  Listing listing(invocation, match);
  uint64_t count = 0;
  do {
    KVSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, listing.Next());
    count += keys.size();
  } while (listing.more() && match.pattern);
  const std::string number = std::to_string(count) + (listing.more() ? " or more" : "");
  std::cerr << "kvctl: remove " << match.text << ": " << number << "? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// Page by page, so that a removal that is broken off has removed what it said.
Result<uint64_t> RemoveListed(const Invocation& invocation, const Match& match, Client* client) {
  Listing listing(invocation, match);
  uint64_t removed = 0;
  do {
    KVSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, listing.Next());
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    for (const Status& status : client->Remove(views, invocation.timeout)) {
      if (status.ok()) ++removed;
      // Removed or evicted meanwhile by others: as wished.
      if (!status.ok() && status.code() != StatusCode::kNotFound) {
        return Status(status.code(), status.message() + " (after " + std::to_string(removed) +
                                         " objects; the same again removes the rest)");
      }
    }
    if (isatty(STDERR_FILENO) != 0) std::cerr << "\rkvctl: removed " << removed << std::flush;
  } while (listing.more());
  if (isatty(STDERR_FILENO) != 0) std::cerr << '\n';
  return removed;
}

ExitCode RemoveMatch(const Invocation& invocation) {
  const Result<Match> match = MatchOf(invocation);
  if (!match.ok()) return FailUsage(match.status().message());
  if (!invocation.line.Has("yes")) {
    if (isatty(STDIN_FILENO) == 0) {
      return FailUsage("to remove " + match->text + " without a terminal to ask on needs --yes");
    }
    const Result<bool> confirmed = Confirmed(invocation, *match);
    if (!confirmed.ok()) return Fail(confirmed.status());
    if (!*confirmed) {
      std::cerr << "kvctl: nothing was removed\n";
      return kFailed;
    }
  }
  Result<Membership> member = Membership::Join(invocation);
  if (!member.ok()) return Fail(member.status());
  Client& client = member->client();
  const Result<uint64_t> removed = match->pattern
                                       ? RemoveListed(invocation, *match, &client)
                                       : client.RemoveMatching(match->prefix, invocation.timeout);
  if (!removed.ok()) return Fail(removed.status());
  if (invocation.json) {
    JsonWriter json;
    json.BeginObject();
    json.Member("removed_objects", *removed);
    json.EndObject();
    std::cout << json.Take();
  } else {
    std::cout << "removed " << *removed << (*removed == 1 ? " object\n" : " objects\n");
  }
  return kDone;
}

ExitCode Remove(const Invocation& invocation) {
  const text::CommandLine& line = invocation.line;
  const bool match = line.Has("prefix") || line.Has("regex") || line.Has("all");
  if (!match && line.arguments().empty()) {
    return FailUsage("what is to be removed? Name keys, or --prefix, --regex or --all");
  }
  return match ? RemoveMatch(invocation) : RemoveNamed(invocation);
}

constexpr text::Option kOptions[] = {
    {"prefix", "", "PREFIX", "all objects whose keys begin so"},
    {"regex", "", "REGEX", "all whose keys it matches somewhere (ECMAScript, by bytes)"},
    {"all", "", "", "all objects of the pool"},
    {"yes", "y", "", "don't ask; needed where standard input is no terminal"},
};

constexpr Command kCommands[] = {
    {.name = "rm",
     .synopsis = "[OPTIONS] KEY... | --prefix PREFIX | --regex REGEX | --all",
     .summary = "remove objects",
     .description =
         "  When it is done, no get that starts later returns the objects. A key that names\n"
         "  none is reported; the exit status is then 3, or 1 if another failed otherwise.\n\n"
         "  With --prefix, --regex or --all it says how many there are and asks first, and\n"
         "  prints how many it has removed. A regular expression is as in JavaScript, sees\n"
         "  bytes, and matches anywhere in a key: ^ and $ are its ends. Its keys are listed\n"
         "  and removed page by page, so that a key which is stored meanwhile may stay.\n",
     .options = kOptions,
     .most_arguments = std::numeric_limits<size_t>::max(),
     .run = Remove},
};

}  // namespace

std::span<const Command> RemoveCommands() { return kCommands; }

}  // namespace kvstore::kvctl
