#include "master/http_api.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/client.h"
#include "master/http_json.h"

namespace kvstore::master {
namespace {

constexpr size_t kDefaultLines = 1000;
constexpr size_t kMaxLines = 4096;
constexpr size_t kPageBytes = 1u << 20;  // then a page ends early
constexpr std::string_view kApi = "/api/v1/";
constexpr std::string_view kObject = "objects/";
constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kJson[] = "application/json";

constexpr char kIndex[] = "kvstore_master " KVSTORE_VERSION
                          "\n\n"
                          "  /metrics             Prometheus\n"
                          "  /health\n"
                          "  /api/v1/version\n"
                          "  /api/v1/status\n"
                          "  /api/v1/nodes        ?after=INCARNATION&limit=N\n"
                          "  /api/v1/segments     ?after=INCARNATION.INDEX&limit=N\n"
                          "  /api/v1/objects      ?prefix=TEXT&after=KEY&limit=N\n"
                          "  /api/v1/objects/KEY  the key percent-encoded\n"
                          "  /api/v1/tasks        ?after=ID&limit=N\n"
                          "  /get_all_segments    names of nodes that lend, as Mooncake has it\n";

int HttpStatusOf(StatusCode code) {
  switch (code) {
    case StatusCode::kNotFound:
      return 404;
    case StatusCode::kInvalidArgument:
      return 400;
    case StatusCode::kUnimplemented:
      return 501;
    case StatusCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

HttpReply Error(const Status& status) {
  text::JsonWriter json;
  json.BeginObject();
  json.Name("error");
  json.BeginObject();
  json.Member("code", StatusCodeName(status.code()));
  json.Member("message", status.message());
  json.EndObject();
  json.EndObject();
  return {HttpStatusOf(status.code()), kJson, json.Take()};
}

Status CheckNames(const HttpTarget& target, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : target.parameters) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string names;
    for (const std::string_view each : known)
      names += (names.empty() ? "" : ", ") + std::string(each);
    return InvalidArgumentError("unknown parameter; there are: " +
                                (names.empty() ? std::string("none") : names));
  }
  return Status::Ok();
}

std::string Parameter(const HttpTarget& target, std::string_view name) {
  const auto found = target.parameters.find(name);
  return found == target.parameters.end() ? std::string() : found->second;
}

Result<size_t> Limit(const HttpTarget& target) {
  const auto found = target.parameters.find("limit");
  if (found == target.parameters.end()) return kDefaultLines;
  const std::string& text = found->second;
  size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > kMaxLines) {
    return InvalidArgumentError("limit must be 1 to " + std::to_string(kMaxLines));
  }
  return limit;
}

// So that texts are in the order of the numbers.
std::string Padded(uint64_t number, size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

// A page of lines under `name`. `name_of`: what "after" names a line by; lines up to and including
// `after` are passed over. `others`: what else the URL of the next page has.
template <typename Line, typename NameOf>
std::string PageOf(std::string_view name, const std::vector<Line>& lines, size_t limit,
                   const std::string& after, NameOf name_of, const std::string& others = {}) {
  text::JsonWriter json;
  json.BeginObject();
  json.Name(name);
  json.BeginArray();
  size_t shown = 0;
  std::string last;
  bool more = false;
  for (const Line& line : lines) {
    std::string name_of_line = name_of(line);
    if (!after.empty() && name_of_line <= after) continue;
    if (shown == limit || json.size() > kPageBytes) {
      more = true;
      break;
    }
    AddLine(line, &json);
    ++shown;
    last = std::move(name_of_line);
  }
  json.EndArray();
  if (more) {
    json.Member("next", std::string(kApi) + std::string(name) + "?" + others +
                            "limit=" + std::to_string(limit) + "&after=" + EncodePercent(last));
  }
  json.EndObject();
  return json.Take();
}

}  // namespace

HttpReply HttpApi::Answer(const std::string& target) const {
  const Result<HttpTarget> parsed = ParseTarget(target);
  return parsed.ok() ? Route(*parsed) : Error(parsed.status());
}

HttpReply HttpApi::Route(const HttpTarget& target) const {
  const std::string_view path = target.path;
  if (path == "/") return {200, kText, kIndex};
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8",
            metrics_.Scrape(switchboard_.TakeSnapshot())};
  }
  if (path == "/health") return {200, kJson, Health()};
  if (path == "/get_all_segments") return {200, kText, Lenders()};
  if (!path.starts_with(kApi))
    return Error(NotFoundError("no such page; GET / tells what there is"));
  Result<std::string> page = Page(target, path.substr(kApi.size()));
  if (!page.ok()) return Error(page.status());
  return {200, kJson, *std::move(page)};
}

Result<std::string> HttpApi::Page(const HttpTarget& target, std::string_view name) const {
  if (name == "nodes") return Nodes(target);
  if (name == "segments") return Segments(target);
  if (name == "objects") return Objects(target);
  if (name == "tasks") return Tasks(target);
  KVSTORE_RETURN_IF_ERROR(CheckNames(target, {}));
  if (name.starts_with(kObject)) return Object(name.substr(kObject.size()));
  text::JsonWriter json;
  json.BeginObject();
  if (name == "version") {
    json.Member("software", KVSTORE_VERSION);
    json.Member("protocol_version", kProtocolVersion);
    json.Member("oldest_protocol_version", kOldestProtocolVersion);
  } else if (name == "status") {
    AddStatus(switchboard_.TakeSnapshot(), &json);
  } else {
    return NotFoundError("no such page; GET / tells what there is");
  }
  json.EndObject();
  return json.Take();
}

std::string HttpApi::Health() const {
  const Census census = switchboard_.TakeCensus();
  text::JsonWriter json(text::JsonWriter::Layout::kOneLine);
  json.BeginObject();
  json.Member("status", "ok");
  json.Member("version", KVSTORE_VERSION);
  json.Member("pool", switchboard_.pool().ToString());
  json.Member("term", switchboard_.term());
  json.Member("nodes_live", census.nodes_live);
  json.Member("nodes_suspected", census.nodes_suspected);
  json.Member("nodes_missing", census.nodes_missing);
  json.Member("objects", census.objects);
  json.EndObject();
  return json.Take();
}

std::string HttpApi::Lenders() const {
  std::set<std::string> names;
  for (SegmentLine& line : switchboard_.ListSegments()) names.insert(std::move(line.node));
  std::string lines;
  for (const std::string& name : names) lines += name + "\n";
  return lines;
}

Result<std::string> HttpApi::Nodes(const HttpTarget& target) const {
  KVSTORE_RETURN_IF_ERROR(CheckNames(target, {"after", "limit"}));
  KVSTORE_ASSIGN_OR_RETURN(const size_t limit, Limit(target));
  return PageOf("nodes", switchboard_.ListNodes(), limit, Parameter(target, "after"),
                [](const NodeLine& line) { return line.peer.incarnation.ToString(); });
}

Result<std::string> HttpApi::Segments(const HttpTarget& target) const {
  KVSTORE_RETURN_IF_ERROR(CheckNames(target, {"after", "limit"}));
  KVSTORE_ASSIGN_OR_RETURN(const size_t limit, Limit(target));
  const auto name_of = [](const SegmentLine& line) {
    return line.id.holder.ToString() + "." + Padded(line.id.index, 10);
  };
  std::vector<SegmentLine> lines = switchboard_.ListSegments();
  std::sort(lines.begin(), lines.end(),
            [&](const SegmentLine& left, const SegmentLine& right) { return left.id < right.id; });
  return PageOf("segments", lines, limit, Parameter(target, "after"), name_of);
}

Result<std::string> HttpApi::Objects(const HttpTarget& target) const {
  KVSTORE_RETURN_IF_ERROR(CheckNames(target, {"prefix", "after", "limit"}));
  KVSTORE_ASSIGN_OR_RETURN(const size_t limit, Limit(target));
  const std::string prefix = Parameter(target, "prefix");
  const std::string after = Parameter(target, "after");
  std::vector<ObjectLine> lines;
  {
    MutexLock lock(listing_);
    // One more than is shown, to know whether there is more.
    KVSTORE_ASSIGN_OR_RETURN(lines, switchboard_.ListObjects(prefix, after, limit + 1));
  }
  return PageOf(
      "objects", lines, limit, after, [](const ObjectLine& line) { return line.key; },
      prefix.empty() ? "" : "prefix=" + EncodePercent(prefix) + "&");
}

Result<std::string> HttpApi::Object(std::string_view encoded_key) const {
  KVSTORE_ASSIGN_OR_RETURN(const std::string key, DecodePercent(encoded_key, false));
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return InvalidArgumentError("a key has 1 to " + std::to_string(kMaxKeyBytes) + " bytes");
  }
  KVSTORE_ASSIGN_OR_RETURN(const ObjectDetail detail, switchboard_.Describe(key));
  text::JsonWriter json;
  AddDetail(detail, &json);
  return json.Take();
}

Result<std::string> HttpApi::Tasks(const HttpTarget& target) const {
  KVSTORE_RETURN_IF_ERROR(CheckNames(target, {"after", "limit"}));
  KVSTORE_ASSIGN_OR_RETURN(const size_t limit, Limit(target));
  std::vector<TaskLine> lines = switchboard_.ListTasks();
  std::sort(lines.begin(), lines.end(),
            [](const TaskLine& left, const TaskLine& right) { return left.id < right.id; });
  return PageOf("tasks", lines, limit, Parameter(target, "after"),
                [](const TaskLine& line) { return Padded(line.id, 20); });
}

}  // namespace kvstore::master
