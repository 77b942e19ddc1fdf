#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/json.h"
#include "text/key_text.h"
#include "tools/kvctl/admin_stub.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/explain/likeness.h"
#include "tools/kvctl/membership.h"
#include "tools/text/table.h"
#include "tools/text/units.h"

namespace kvstore::kvctl {
namespace {

using text::Align;
using text::FormatBytes;
using text::FormatDuration;
using text::JsonWriter;
using text::Table;

constexpr uint32_t kPage = 4096;
constexpr size_t kWidestKey = 100;
constexpr uint64_t kMostCompared = 100'000;
constexpr uint64_t kMostShown = 20;

// All that is known of what was typed.
struct Account {
  std::string typed;
  std::optional<ObjectDetail> object;  // it is the key of one
  std::optional<TraceRow> trace;       // of just this key
  std::vector<TraceRow> traces;        // of keys that begin so and are not there
  uint64_t traces_left_out = 0;
  uint64_t there = 0;       // keys that begin so
  bool more_there = false;  // and more
  uint64_t early = 0;       // of these, asked for in vain before they were put
  uint64_t objects = 0;     // in the pool
  uint64_t compared = 0;
  bool all_compared = true;
  std::vector<NodeRow> askers;
  std::vector<Finding> findings;
  Duration uptime{};

  bool IsKey() const { return object || trace; }
  bool IsKnown() const { return IsKey() || there > 0 || !traces.empty(); }
};

// Everything there is, a page at a time, is compared with what is missing.
Status Compare(AdminStub& admin, uint64_t most, Likeness* likeness, Account* account) {
  std::string after;
  for (bool more = true; more;) {
    KVSTORE_ASSIGN_OR_RETURN(const ObjectPage page, admin.ListObjects("", after, kPage));
    for (const ObjectRow& object : page.objects) likeness->Add(object.key);
    account->compared += page.objects.size();
    more = page.more && !page.objects.empty();
    if (more) after = page.objects.back().key;
    if (more && account->compared >= most) {
      account->all_compared = false;
      break;
    }
  }
  return Status::Ok();
}

Result<Account> Investigate(const Invocation& invocation, const std::string& typed,
                            uint64_t compare) {
  AdminStub admin(invocation.master, invocation.timeout);
  Account account;
  account.typed = typed;
  KVSTORE_ASSIGN_OR_RETURN(const PoolStatus status, admin.GetStatus());
  account.uptime = status.uptime;
  account.objects = status.objects;
  if (!typed.empty()) {
    Result<ObjectDetail> object = admin.Describe(typed);
    if (object.ok()) {
      account.object = *std::move(object);
    } else if (object.status().code() != StatusCode::kNotFound) {
      return object.status();
    }
    KVSTORE_ASSIGN_OR_RETURN(TracePage exact, admin.TraceKeys(typed, true, 1));
    if (!exact.traces.empty()) account.trace = std::move(exact.traces.front());
    if (account.object) return account;
  }
  KVSTORE_ASSIGN_OR_RETURN(TracePage page, admin.TraceKeys(typed, account.IsKey(), kPage));
  account.traces_left_out = page.left_out;
  for (TraceRow& trace : page.traces) {
    if (!trace.is_there) {
      account.traces.push_back(std::move(trace));
    } else if (trace.misses > 0) {
      ++account.early;
    }
  }
  if (!account.IsKey()) {
    KVSTORE_ASSIGN_OR_RETURN(const ObjectPage there, admin.ListObjects(typed, "", kPage));
    account.there = there.objects.size();
    account.more_there = there.more;
  }
  std::vector<std::string> missing;
  for (const TraceRow& trace : account.traces) missing.push_back(trace.key);
  if (missing.empty()) missing.push_back(typed);
  Likeness likeness(missing);
  if (likeness.missing() > 0 && compare > 0) {
    KVSTORE_RETURN_IF_ERROR(Compare(admin, compare, &likeness, &account));
    account.findings = likeness.Take();
  }
  KVSTORE_ASSIGN_OR_RETURN(account.askers, admin.ListNodes());
  std::erase_if(account.askers, [&](const NodeRow& node) {
    return std::none_of(account.traces.begin(), account.traces.end(),
                        [&](const TraceRow& trace) { return trace.asker == node.name; });
  });
  return account;
}

// "evicted for room"
std::string Words(std::string_view kind) {
  std::string words(kind);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string Times(uint64_t times) {
  return times == 1 ? std::string("once") : std::to_string(times) + " times";
}

std::string Shown(std::string_view key) { return text::Shorten(text::Escape(key), kWidestKey); }

// "asked for 3 times in vain, the last 2.0 s ago by 'decoder'"
std::string MissesOf(const TraceRow& trace) {
  return "asked for " + Times(trace.misses) + " in vain, the last " + FormatDuration(trace.missed) +
         " ago by " + (trace.asker.empty() ? "a node that has left" : "'" + trace.asker + "'");
}

std::string TextOf(const Finding& finding) {
  const std::string part(PartName(finding.part));
  const std::string asked =
      "asked for " + Shown(finding.asked) + ", there is " + Shown(finding.there);
  const std::string keys = finding.keys == 1 ? "a key" : std::to_string(finding.keys) + " keys";
  switch (finding.what) {
    case Finding::What::kOtherPart:
      return keys + " asked for would be there but for the " + part + ": " + asked;
    case Finding::What::kOtherParts:
      return keys + " asked for would be there but for the " + part + " and more: " + asked;
    case Finding::What::kOtherHash:
      return keys + " asked for and keys that are there differ in the " + part + " alone: " + asked;
    case Finding::What::kOtherKind:
      return "the " + part + " of no key that is there is as asked for: " + asked;
  }
  return "";
}

void PrintFindings(const Account& account) {
  for (const Finding& finding : account.findings) {
    std::cout << "alike: " << TextOf(finding) << '\n';
    if (!finding.asked_key.empty()) {
      std::cout << "  asked for  " << Shown(finding.asked_key) << "\n  there is   "
                << Shown(finding.there_key) << '\n';
    }
    std::cout << "  remedy: " << RemedyFor(finding) << '\n';
  }
  for (const NodeRow& node : account.askers) {
    if (node.hits > 0 || node.misses == 0) continue;
    std::cout << "'" << text::Escape(node.name) << "' has never found anything: " << node.misses
              << " keys asked for, all in vain\n";
  }
  if (account.findings.empty() && account.compared > 0) {
    std::cout << "alike: nothing among " << account.compared << " keys that are there\n";
  }
  if (!account.all_compared) {
    std::cerr << "kvctl: compared with the first " << account.compared << " of " << account.objects
              << " keys; raise --compare\n";
  }
}

void PrintKey(const Account& account) {
  std::cout << Shown(account.typed) << '\n';
  if (account.object) {
    std::cout << "  is there: " << FormatBytes(account.object->line.size) << ", put "
              << FormatDuration(account.object->line.age) << " ago, "
              << account.object->line.replicas << " of " << account.object->replicas_wanted
              << " replicas\n";
  } else {
    std::cout << "  is not there\n";
  }
  if (!account.trace) return;
  const TraceRow& trace = *account.trace;
  if (!trace.ended.empty()) {
    std::cout << "  " << (account.object ? "an earlier one: " : "") << Words(trace.ended) << ", "
              << FormatDuration(trace.ended_ago) << " ago\n";
  } else if (!account.object) {
    std::cout << "  never put, as far as is remembered\n";
  }
  if (trace.misses == 0) return;
  std::cout << "  " << MissesOf(trace);
  if (account.object && account.object->line.age < trace.missed) {
    std::cout << ", " << FormatDuration(trace.missed - account.object->line.age)
              << " before it was put";
  }
  std::cout << '\n';
}

void PrintPrefix(const Account& account, uint64_t most) {
  std::cout << "keys that begin so: " << account.there << (account.more_there ? " or more" : "")
            << " are there, " << account.traces.size() + account.traces_left_out
            << " others are remembered\n";
  if (account.early > 0) {
    std::cout << "  " << account.early
              << " of what is there was asked for in vain before it was put\n";
  }
  if (account.traces.empty()) return;
  std::map<std::string, uint64_t> ended;
  for (const TraceRow& trace : account.traces) {
    ++ended[trace.ended.empty() ? "never put" : Words(trace.ended)];
  }
  for (const auto& [how, keys] : ended) std::cout << "  " << how << ": " << keys << '\n';
  Table table(
      {{"KEY"}, {"ASKED FOR IN VAIN", Align::kRight}, {"LAST", Align::kRight}, {"BY"}, {"ENDED"}});
  for (const TraceRow& trace : account.traces) {
    if (most-- == 0) break;
    table.AddRow({Shown(trace.key), std::to_string(trace.misses),
                  trace.misses == 0 ? "-" : FormatDuration(trace.missed), text::Escape(trace.asker),
                  trace.ended.empty()
                      ? std::string("never put")
                      : Words(trace.ended) + " " + FormatDuration(trace.ended_ago) + " ago"});
  }
  table.Print(std::cout);
}

void Print(const Account& account, uint64_t most) {
  if (!account.IsKnown()) {
    std::cout << Shown(account.typed)
              << "\n  neither a key that is there nor the beginning of one, "
              << "and none is remembered: not put and\n  not asked for since the master's start, "
              << FormatDuration(account.uptime) << " ago, or forgotten\n";
  } else if (account.IsKey()) {
    PrintKey(account);
  } else {
    PrintPrefix(account, most);
  }
  if (!account.object) PrintFindings(account);
}

void Write(const Account& account, uint64_t most) {
  JsonWriter json;
  json.BeginObject();
  json.Key(account.typed);
  json.Member("is_there", account.object.has_value());
  if (account.object) {
    json.Member("size", account.object->line.size);
    json.Member("age_ms", Milliseconds(account.object->line.age));
  }
  json.Member("there_with_prefix", account.there);
  json.Member("more_there_with_prefix", account.more_there);
  json.Member("missed_before_put", account.early);
  json.Member("remembered_with_prefix", account.traces.size() + account.traces_left_out);
  json.Member("compared", account.compared);
  json.Member("compared_all", account.all_compared);
  json.Name("remembered");
  json.BeginArray();
  std::vector<TraceRow> rows = account.traces;
  if (rows.empty() && account.trace) rows.push_back(*account.trace);
  for (const TraceRow& trace : rows) {
    if (most-- == 0) break;
    json.BeginObject();
    json.Key(trace.key);
    json.Member("misses", trace.misses);
    json.Member("missed_ms", Milliseconds(trace.missed));
    json.Member("asker", trace.asker);
    json.Member("ended", trace.ended);
    json.Member("ended_ms", Milliseconds(trace.ended_ago));
    json.EndObject();
  }
  json.EndArray();
  json.Name("alike");
  json.BeginArray();
  for (const Finding& finding : account.findings) {
    json.BeginObject();
    json.Member("differs_in", PartName(finding.part));
    json.Member("asked", finding.asked);
    json.Member("there", finding.there);
    json.Member("keys", finding.keys);
    json.Member("text", TextOf(finding));
    json.Member("remedy", RemedyFor(finding));
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << json.Take();
}

ExitCode Explain(const Invocation& invocation) {
  const text::CommandLine& line = invocation.line;
  Result<std::string> typed("");
  if (!line.arguments().empty()) typed = KeyAt(invocation, 0);
  if (!typed.ok()) return FailUsage(typed.status().message());
  uint64_t compare = kMostCompared, shown = kMostShown;
  for (const auto& [name, value] : {std::pair{"compare", &compare}, {"limit", &shown}}) {
    if (!line.Has(name)) continue;
    const Result<uint64_t> number = text::ParseNumber(line.Get(name, ""), 0, UINT32_MAX);
    if (!number.ok()) return FailUsage("--" + std::string(name) + ": " + number.status().message());
    *value = *number;
  }
  const Result<Account> account = Investigate(invocation, *typed, compare);
  if (!account.ok()) return Fail(account.status());
  invocation.json ? Write(*account, shown) : Print(*account, shown);
  return account->IsKnown() ? kDone : kNotFound;
}

constexpr text::Option kOptions[] = {
    {"compare", "", "N", "with so many keys that are there at most (default 100000; 0: none)"},
    {"limit", "", "N", "show so many remembered keys (default 20)"},
};

constexpr Command kCommands[] = {
    {.name = "explain",
     .synopsis = "[OPTIONS] [KEY|PREFIX]",
     .summary = "why there are no hits",
     .description =
         "  Tells whether the key, or keys that begin so (all, without one), are there; whether\n"
         "  they were asked for in vain, how often, when last and by whom; whether they were\n"
         "  put and are evicted, removed, expired or lost. Keys that were missed are compared\n"
         "  with those that are there: where they are as LMCache, vLLM or SGLang make them, and\n"
         "  differ in the model, the ranks, the dtype or the hash alone, it says so, and what\n"
         "  to do. The master remembers some 32,000 keys of the time since its start, and of\n"
         "  one question the first few misses. Exit 3: nothing is known.\n",
     .options = kOptions,
     .most_arguments = 1,
     .run = Explain},
};

}  // namespace

std::span<const Command> ExplainCommands() { return kCommands; }

}  // namespace kvstore::kvctl
