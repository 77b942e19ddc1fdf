// What one protocol version means on the wire does not change: master and nodes of the same version
// may be of different builds. Both tables below are of kFrozen. Where a change of the contract
// fails here, and a peer of before it can't be spoken to, raise kProtocolVersion (and
// kOldestProtocolVersion, if those before are not spoken any more); then take the new numbers.

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <ios>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/v1/kvstore.pb.h"
#include "proto/codec.h"

namespace kvstore {
namespace {

constexpr uint32_t kFrozen = 2;  // the protocol version

using Table = std::map<std::string, uint64_t>;

uint64_t Hash(std::string_view bytes) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

std::string LayoutOf(const google::protobuf::Descriptor& message) {
  std::map<int, std::string> fields;
  for (int i = 0; i < message.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *message.field(i);
    std::string type = field.type_name();
    if (field.message_type() != nullptr) type = field.message_type()->name();
    fields[field.number()] = std::string(field.is_repeated() ? "repeated " : "") +
                             (field.is_packed() ? "packed " : "") + type + " " + field.name();
  }
  std::string layout;
  for (const auto& [number, text] : fields) layout += std::to_string(number) + " " + text + "\n";
  return layout;
}

template <typename Message, typename T>
uint64_t HashOf(const T& value) {
  Message message;
  Encode(value, &message);
  return Hash(message.SerializeAsString());
}

using Verb = decltype(VerbRequest::verb);

uint64_t HashOf(Verb verb) {
  return HashOf<v1::VerbRequest>(VerbRequest{7, std::chrono::seconds(2), std::move(verb)});
}

template <typename Answer>
uint64_t HashOf(std::vector<Answer> answers) {
  v1::VerbReplyMessage message;
  Encode(VerbReply{7, std::move(answers), {{{1, 2}, "node", "host", "at"}}}, 3, &message);
  return Hash(message.SerializeAsString());
}

void ExpectSame(const Table& now, const Table& frozen) {
  ASSERT_EQ(kFrozen, kProtocolVersion) << "the tables are of another version";
  for (const auto& [name, hash] : now) {
    const auto before = frozen.find(name);
    EXPECT_TRUE(before != frozen.end() && before->second == hash)
        << "is now {\"" << name << "\", 0x" << std::hex << hash << "},";
  }
  EXPECT_EQ(now.size(), frozen.size());
}

TEST(Frozen, FieldsKeepTheirNumbersAndTypes) {
  Table now;
  const google::protobuf::FileDescriptor& file = *v1::Hello::descriptor()->file();
  for (int i = 0; i < file.message_type_count(); ++i) {
    now[file.message_type(i)->name()] = Hash(LayoutOf(*file.message_type(i)));
  }
  ExpectSame(now, {
                      {"AbortPut", 0x2ccb3ef25117eda4},
                      {"Acks", 0x1328bc9a8d97ec59},
                      {"Beat", 0x11da1e8f25cf8bec},
                      {"BeatReply", 0xb5f02259fce8716c},
                      {"CommitPut", 0x3babd92937f66e55},
                      {"Copy", 0xc77d65ea7aa44a0a},
                      {"CopyAck", 0x6c9ba5633a3908c5},
                      {"Count", 0xa66ffa51068366f7},
                      {"Counts", 0xb5efe1b2daf95107},
                      {"Found", 0x38b9ad94be52522d},
                      {"FoundRun", 0xf7f3ca63edbf16d9},
                      {"Goodbye", 0xcbf29ce484222325},
                      {"GrantAhead", 0xa89b65a08fa8beae},
                      {"GrantPieces", 0xd9866c9a861d4c1a},
                      {"GrantRun", 0x89bb221dda109e60},
                      {"Grants", 0x6979eb68529cd57d},
                      {"Held", 0xba8d93e72e640726},
                      {"Hello", 0xbc797269286b26ca},
                      {"Id128", 0xfbf2d262014357e4},
                      {"Item", 0x8d8559664f06a10d},
                      {"Items", 0xf3eaa3a1fb78a71d},
                      {"Keyed", 0x6e846bb432fba5a7},
                      {"Keys", 0xa5676ef1641663dd},
                      {"Leave", 0xcbf29ce484222325},
                      {"Lend", 0x3d9187fc52d8dc20},
                      {"LentSegment", 0xb2e4a08678ac5280},
                      {"Location", 0x0e245dd6fe68ac87},
                      {"Locations", 0xba7fbd1db08c78d9},
                      {"MasterMessage", 0x5a4800e301fdabe0},
                      {"NodeMessage", 0x927f9b8a7fd18f80},
                      {"Note", 0xb8a2baf06975e005},
                      {"NoteAcks", 0xef4a40fb982e46ef},
                      {"NoteReads", 0xe021ba9b4ac74d52},
                      {"Notes", 0xf36058034794aabf},
                      {"Order", 0xf5383506664d61ab},
                      {"Orders", 0x6e1fc996a625d4bf},
                      {"Outcome", 0x3c3e42587fba87c5},
                      {"Peer", 0x686c96efc46a41ca},
                      {"Pin", 0xb122a1d90d340951},
                      {"Prepare", 0xb0ea02b35ffeb869},
                      {"PutId", 0x26e99db6e7ba4740},
                      {"Range", 0x2b6b5406c5f86127},
                      {"ReadyAck", 0x7b7bc15a8e3e9016},
                      {"Release", 0x1fa883d30a767f1d},
                      {"ReleaseAck", 0x1fa883d30a767f1d},
                      {"RemoveMatching", 0x4aedb98e31dcf429},
                      {"Replica", 0xb1338f536e77893b},
                      {"Report", 0x1e9fd33036c70ec9},
                      {"ReportFailures", 0x65bca9aef42bdb5f},
                      {"Retention", 0x0d8bddc7c8846697},
                      {"Retire", 0x413b58f37bac6820},
                      {"RetireAcks", 0xad222565a3fe4dac},
                      {"StartPut", 0x6aca58d52f5311ad},
                      {"StartedPut", 0xee1a4ff54760eda4},
                      {"StartedPuts", 0x15a377ac32d2eb48},
                      {"Stat", 0x85d5ff20cbb6f458},
                      {"Stats", 0xd9576d0d42131ae7},
                      {"Tally", 0xcf69d3880844bfcb},
                      {"VerbHello", 0x8960b96d35f6d3bc},
                      {"VerbMessage", 0xc1d523c54d067486},
                      {"VerbReplyMessage", 0xe1295542975c769d},
                      {"VerbRequest", 0x9d602b6075970c29},
                      {"Welcome", 0xaf1e0858377274ea},
                  });
}

TEST(Frozen, MessagesKeepTheirBytes) {
  using std::chrono::seconds;
  const std::vector<Range> ranges = {{0, 4096}, {8192, 4096}};
  const Replica replica{{{1, 2}, 1}, 5, ranges};
  const Retention kept{true, seconds(1), seconds(9), "g", 3};
  const PutId put{{1, 2}, 3};
  const PutId next{{1, 2}, 4};
  const std::vector<LentSegment> segments = {{1, 8192, 4096, 4096}};
  const Peer peer{{1, 2}, "node", "host", "at"};
  const NoteOrder plain{put, 1, 5, {{0, 4096}}, "key", 60, 7, 1, {}, 1, {}};
  const NoteOrder note{next, 1, 6, ranges, "other", 6000, 8, 2, kept, 2, put};
  KeyBatch keys;
  keys.Add("a");
  keys.Add(std::string("b\0c", 3));
  StartPut start;
  start.keys = keys;
  start.sequences = {1, 2};
  start.sizes = {100, 0};
  start.replicas = 2;
  start.replace = start.durable = true;
  start.placement = Placement::kSpread;
  start.preferred_nodes = {"n"};
  start.retention = kept;
  start.positions = {1, 2};
  start.instead_of = {0, 1};
  const std::vector<GrantPiece> pieces = {{1, 2, 0, 4096}, {1, 2, 4096, 4096}};
  const Orders orders{
      1,
      {RetireOrder{put, 1, 5, ranges}, PrepareOrder{1, 4096}, plain, note,
       CopyOrder{put, 6000, 7, replica, 1, 6, ranges}, ReleaseOrder{1, 4096, 1}, LeaveOrder{}},
      {peer}};
  const Acks acks{1,
                  9,
                  {{put, 1, 5, RetireStage::kWithdrawn}, {next, 1, 5, RetireStage::kFree}},
                  {{1, 4096, "none"}},
                  {{put, 1, 5, true, 1}, {next, 1, 6, false, 2}},
                  {{put, 1, 6, NotFoundError("gone")}},
                  {{1, 4096, 1}}};
  const Report report{1, 9, segments, {plain, note}, {{kFirstHeldSequence, 1, 2, ranges}}, true};
  LocateAnswer found{0, Status::Ok(), put, 60, 7, {{{{1, 2}, 1}, 5, {{0, 4096}}}}, seconds(1), {}};
  LocateAnswer long_found{1, Status::Ok(), next, 6000, 8, {replica, replica}, {}, seconds(2)};
  const ClientTally tally{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, {13, 14}};

  const Table now = {
      {"Hello", HashOf<v1::Hello>(Hello{1, 9, "0.1", {3, 4}, 5, peer, 6, segments})},
      {"Welcome", HashOf<v1::Welcome>(Welcome{1, "0.1", {1, 2}, 3, seconds(1), seconds(2), true})},
      {"Beat", HashOf<v1::Beat>(Beat{{1, 2}, 3})},
      {"BeatReply", HashOf<v1::BeatReply>(BeatReply{3, true})},
      {"VerbHello", HashOf<v1::VerbHello>(VerbHello{1, 9, {1, 2}, 3})},
      {"Orders", HashOf<v1::Orders>(orders)},
      {"Acks", HashOf<v1::Acks>(acks)},
      {"Report", HashOf<v1::Report>(report)},
      {"Lend", HashOf<v1::Lend>(Lend{segments})},
      {"Tally", HashOf<v1::Tally>(tally)},
      {"StartPut", HashOf(start)},
      {"CommitPut", HashOf(CommitPut{{1, 2}, {3, 4}})},
      {"CommitPut of pieces", HashOf(CommitPut{{1, 2}, {3, 4}, pieces, start})},
      {"AbortPut", HashOf(AbortPut{{1, 2}})},
      {"Locate", HashOf(Locate{keys, true})},
      {"Exists", HashOf(Exists{keys})},
      {"WaitExists", HashOf(WaitExists{keys})},
      {"Remove", HashOf(Remove{keys})},
      {"StatObject", HashOf(StatObject{keys})},
      {"NoteReads", HashOf(NoteReads{{put, next}})},
      {"Pin", HashOf(Pin{keys, true, seconds(5)})},
      {"RemoveMatching", HashOf(RemoveMatching{"o"})},
      {"ReportFailures", HashOf(ReportFailures{{replica.segment}})},
      {"GrantAhead", HashOf(GrantAhead{1, 65'536, 4096, {2, 3}})},
      {"started", HashOf(std::vector<StartPutAnswer>{
                      {0, Status::Ok(), {replica}, seconds(1), seconds(2), 3, 4096},
                      {1, NotFoundError("no"), {}, {}, {}, 0, 0}})},
      {"items", HashOf(std::vector<ItemAnswer>{
                    {0, Status::Ok()}, {2, Status::Ok()}, {1, NotFoundError("")}})},
      {"located", HashOf(std::vector<LocateAnswer>{found, long_found})},
      {"described",
       HashOf(std::vector<StatAnswer>{
           {0, Status::Ok(), put, 60, 7, seconds(1), seconds(2), {replica}, true, kept}})},
      {"counted", HashOf(std::vector<CountAnswer>{{0, Status::Ok(), 5}})},
  };
  ExpectSame(now,
             {
                 {"AbortPut", 0xe4be0b0159b383da},   {"Acks", 0x51eb56721134db82},
                 {"Beat", 0x0906c611244c9e13},       {"BeatReply", 0x32c806c24095cb9f},
                 {"CommitPut", 0x5a3adb30b00c2cd5},  {"CommitPut of pieces", 0x05b40c7ceb601e5c},
                 {"Exists", 0x450fefddfdf376c5},     {"GrantAhead", 0xd550ceb7b44c5ec0},
                 {"Hello", 0x8b43256f85ef236d},      {"Lend", 0xaa025b1dadc4e58f},
                 {"Locate", 0x3719e8fea94be5bd},     {"NoteReads", 0x3515b4a2ac1751d8},
                 {"Orders", 0xf95b4f8ba0b9278a},     {"Pin", 0x6a42e581814573b4},
                 {"Remove", 0xc5b1d398b4d31435},     {"RemoveMatching", 0x1221c1f946da09ee},
                 {"Report", 0x7dc3e7796d426bec},     {"ReportFailures", 0xa43bc68a7276a5f9},
                 {"StartPut", 0xd19590e0f9f7a4e9},   {"StatObject", 0x7db228c1e2202a9d},
                 {"Tally", 0x2b9f28eebdfecca6},      {"VerbHello", 0xfc19b22b9e50cd1b},
                 {"WaitExists", 0x8ed5b4c43f11652d}, {"Welcome", 0x41290794838dd94b},
                 {"counted", 0xdced988790a618f6},    {"described", 0x7618b81fe6904869},
                 {"items", 0x18402bfabd391083},      {"located", 0xfe7ca2b6d5cf497a},
                 {"started", 0x25122123851921e0},
             });
}

}  // namespace
}  // namespace kvstore
