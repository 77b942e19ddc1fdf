// The master's catalog under any sequence of what nodes, clients and operators may say, within the
// codec's limits: some of it true, some of it lies. Its invariants hold after each event.

#include "master/catalog.h"

#include <deque>
#include <optional>

#include "fakes/strike.h"
#include "fuzz/target.h"

namespace kvstore::fuzz {
namespace {

using namespace master;
using std::chrono::milliseconds;

constexpr uint64_t kGranule = 4096;
constexpr uint64_t kMaxExtent = uint64_t{1} << 44;
constexpr uint64_t kMaxMilliseconds = uint64_t{3650} * 24 * 3600 * 1000;
constexpr uint32_t kNodes = 4;
constexpr size_t kMaxRemembered = 32;
constexpr int kMaxEvents = 200;

class World {
 public:
  explicit World(std::string_view bytes) : in_(bytes) {
    limits_.waiting_items = 12;
    limits_.outcomes_kept_per_writer = 4;
    limits_.objects = 40;
    limits_.nodes = 6;
    limits_.prepare_step = 2 * kGranule;
    limits_.ranges_per_replica = 3;
    limits_.slow_start = Duration::zero();
    limits_.ahead_bytes = 4 * kGranule;
    limits_.ahead_share_allowed = 0.5;
    catalog_.emplace(now_, limits_, Reign{{9, 9}, term_, {}, {}});
    for (uint32_t i = 0; i < kNodes; ++i) Join({i + 1, 1}, 16 * kGranule, i % 2 == 0 ? 16 : 3);
    Expect(catalog_->TakeCensus(now_).space.free == 38 * kGranule, "the nodes lend memory");
  }

  void Run() {
    for (int i = 0; i < kMaxEvents && !in_.empty(); ++i) {
      Step();
      const std::string broken = catalog_->CheckInvariants();
      Expect(broken.empty(), broken);
    }
    (void)catalog_->ListSegments(now_);
    (void)catalog_->ListNodes(now_);
    (void)catalog_->ListTasks(now_);
    Expect(catalog_->ListObjects(now_, "", "", 100).size() <= limits_.objects,
           "objects are at most as many as allowed");
  }

 private:
  void Step() {
    switch (in_.Below(18)) {
      case 0:
        now_ += milliseconds(in_.Number() % 20'000);
        return Collect(catalog_->Tick(now_));
      case 1:
      case 2:
        return Ask(AnyPut());
      case 3: {
        CommitPut commit;
        for (uint32_t i = in_.Below(3) + 1; i > 0; --i) {
          commit.sequences.push_back(in_.Number());
          commit.checksums.push_back(in_.Below(2));
        }
        if (in_.Below(2) == 0) PutInPieces(&commit);
        return Ask(commit);
      }
      case 4:
        if (in_.Below(2) == 0) return Ask(AnyGrantAhead());
        return Ask(AbortPut{{in_.Number()}});
      case 5:
        return AskForKeys();
      case 6:
        if (in_.Below(2) == 0) return Ask(RemoveMatching{in_.Below(2) == 0 ? "" : "k1"});
        return Ask(ReportFailures{{{AnyNode(), in_.Below(3)}}});
      case 7:
      case 8:
      case 9:
        return Confirm();
      case 10:
        return Collect(catalog_->HandleAcks(now_, AnyNode(), AnyAcks()));
      case 11:
        if (in_.Below(2) == 0)
          return Join(AnyNode(), in_.Number() * kGranule % kMaxExtent, in_.Byte());
        return JoinWithAnything();
      case 12:
        return Tell();
      case 13:
        if (in_.Below(4) > 0) return catalog_->Heard(now_, AnyNode()), void();
        if (in_.Below(2) == 0) return Collect(catalog_->SessionLost(now_, AnyNode()));
        return Collect(catalog_->Leave(now_, AnyNode()));
      case 14: {
        const Result<Effects> lent = catalog_->HandleLend(now_, AnyNode(), {AnySegments()});
        if (lent.ok()) Collect(*lent);
        return;
      }
      case 15:
        return Operate();
      case 16:
        if (in_.Below(4) > 0) return catalog_->Excuse(now_, milliseconds(in_.Number() % 1000));
        return BeginReign();
      default:
        return Again();
    }
  }

  Incarnation AnyNode() { return {in_.Below(kNodes + 2) + 1, 1}; }
  std::string AnyKey() { return "k" + std::to_string(in_.Below(12)); }
  KeyBatch AnyKeys() {
    KeyBatch keys;
    for (uint32_t i = in_.Below(3); i > 0; --i) keys.Add(AnyKey());
    keys.Add(AnyKey());
    return keys;
  }
  uint64_t AnyBytes() { return in_.Number() * (in_.Below(2) == 0 ? 1 : kGranule) % kMaxExtent; }
  Duration AnyTime() { return milliseconds(static_cast<int64_t>(in_.Number() % kMaxMilliseconds)); }
  PutId AnyPutId() {
    const Incarnation writer = AnyNode();
    return {writer, in_.Number() | (in_.Below(8) == 0 ? kFirstHeldSequence : 0)};
  }
  std::vector<Range> AnyRanges() {
    std::vector<Range> ranges;
    for (uint32_t i = in_.Below(3) + 1; i > 0; --i) {
      const uint64_t offset = AnyBytes();
      ranges.push_back({offset, 1 + AnyBytes() % (kMaxExtent - offset)});
    }
    return ranges;
  }
  std::vector<LentSegment> AnySegments() {
    std::vector<LentSegment> segments;
    for (uint32_t i = in_.Below(3); i > 0; --i) {
      const uint64_t size = AnyBytes();
      const uint64_t granule = in_.Below(4) > 0 ? kGranule : uint64_t{1} << in_.Below(31);
      segments.push_back({i, size, granule, in_.Below(2) == 0 ? size : AnyBytes() % (size + 1)});
    }
    return segments;
  }
  Retention AnyRetention() {
    const uint32_t what = in_.Byte();
    return {(what & 1) != 0, what & 2 ? AnyTime() : Duration(), what & 4 ? AnyTime() : Duration(),
            what & 8 ? "g" : "", what >> 4};
  }
  NoteOrder AnyNote() {
    const PutId put = AnyPutId();
    return {put,          in_.Below(3), in_.Number(),   AnyRanges(),  AnyKey(),  AnyBytes(),
            in_.Below(2), in_.Below(9), AnyRetention(), in_.Number(), AnyPutId()};
  }

  StartPut AnyPut() {
    StartPut put;
    put.keys = AnyKeys();
    for (size_t i = 0; i < put.keys.size(); ++i) {
      put.sequences.push_back(in_.Number());
      put.sizes.push_back(AnyBytes());
    }
    const uint32_t what = in_.Byte();
    put.replicas = what & 1 ? in_.Below(9) : 1;
    put.replace = (what & 2) != 0;
    put.durable = (what & 4) != 0;
    put.placement = static_cast<Placement>((what >> 3) % 3);
    if (what & 32) put.retention = AnyRetention();
    if (what & 64) put.positions.assign(put.keys.size(), in_.Byte());
    if (what & 128) put.instead_of.assign(put.keys.size(), in_.Number());
    return put;
  }

  GrantAhead AnyGrantAhead() {
    GrantAhead ahead{in_.Number(), AnyBytes(), in_.Below(2) * AnyBytes(), {}};
    if (in_.Below(2) == 0) ahead.done.push_back(in_.Number());
    return ahead;
  }
  void PutInPieces(CommitPut* commit) {
    for (size_t i = 0; i < commit->sequences.size(); ++i) {
      const uint64_t term = in_.Below(8) == 0 ? in_.Number() : term_;
      const uint64_t length = in_.Below(8) == 0 ? AnyBytes() : kGranule;
      commit->pieces.push_back({in_.Number(), term, in_.Below(17) * kGranule, length});
      commit->put.keys.Add(AnyKey());
      commit->put.sequences.push_back(commit->sequences[i]);
      commit->put.sizes.push_back(in_.Below(8) == 0 ? AnyBytes() : in_.Below(kGranule + 1));
    }
    const uint32_t what = in_.Byte();
    commit->put.replace = (what & 2) != 0;
    commit->put.durable = (what & 4) != 0;
    if (what & 32) commit->put.retention = AnyRetention();
  }

  void AskForKeys() {
    switch (in_.Below(7)) {
      case 0:
        return Ask(Locate{AnyKeys(), in_.Below(2) == 0, in_.Below(2) == 0});
      case 1:
        return Ask(Exists{AnyKeys()});
      case 2:
        return Ask(WaitExists{AnyKeys()});
      case 3:
        return Ask(Remove{AnyKeys()});
      case 4:
        return Ask(StatObject{AnyKeys()});
      case 5:
        return Ask(NoteReads{{AnyPutId()}});
      default:
        return Ask(Pin{AnyKeys(), in_.Below(2) == 0, AnyTime()});
    }
  }

  void Ask(decltype(VerbRequest::verb) verb) {
    const Incarnation caller = AnyNode();
    last_ = {caller, {++requests_, milliseconds(in_.Below(8) * 200), std::move(verb)}};
    Collect(catalog_->Handle(now_, caller, last_->second));
  }
  // As when an answer was lost.
  void Again() {
    if (last_) Collect(catalog_->Handle(now_, last_->first, last_->second));
  }

  // The truth about an order, or nearly.
  void Confirm() {
    if (orders_.empty()) return;
    const size_t at = in_.Byte() % orders_.size();
    const auto [node, order] = orders_[at];
    const uint32_t how = in_.Byte();
    Acks acks = (how & 3) == 3 ? AnyAcks() : Acks{};
    acks.term = (how & 4) && (how & 8) ? in_.Number() : term_;
    acks.counter = how & 16 ? in_.Number() : ++counter_;
    if (const auto* retire = std::get_if<RetireOrder>(&order)) {
      acks.retired.push_back({retire->put, retire->segment, retire->birth,
                              how & 32 ? RetireStage::kFree : RetireStage::kWithdrawn});
    } else if (const auto* prepare = std::get_if<PrepareOrder>(&order)) {
      acks.ready.push_back({prepare->segment, prepare->limit, how & 128 ? "none" : ""});
    } else if (const auto* note = std::get_if<NoteOrder>(&order)) {
      acks.noted.push_back(
          {note->put, note->segment, note->birth, (how & 128) == 0, note->version});
    } else if (const auto* copy = std::get_if<CopyOrder>(&order)) {
      acks.copied.push_back({copy->put, copy->segment, copy->birth,
                             how & 128 ? UnavailableError("broken") : Status::Ok()});
    } else if (const auto* release = std::get_if<ReleaseOrder>(&order)) {
      acks.released.push_back({release->segment, release->limit, release->number});
    }
    if (how & 64) orders_.erase(orders_.begin() + static_cast<std::ptrdiff_t>(at));
    Collect(catalog_->HandleAcks(now_, node, acks));
  }

  Acks AnyAcks() {
    Acks acks;
    acks.term = in_.Below(4) > 0 ? term_ : in_.Number();
    acks.counter = in_.Number();
    const uint32_t what = in_.Byte();
    if (what & 1) {
      acks.retired.push_back({AnyPutId(), in_.Below(3), in_.Number(),
                              in_.Below(2) ? RetireStage::kFree : RetireStage::kWithdrawn});
    }
    if (what & 2) acks.ready.push_back({in_.Below(3), AnyBytes(), in_.Below(2) ? "none" : ""});
    if (what & 4) {
      acks.noted.push_back(
          {AnyPutId(), in_.Below(3), in_.Number(), in_.Below(2) == 0, in_.Number()});
    }
    if (what & 8) acks.copied.push_back({AnyPutId(), in_.Below(3), in_.Number(), Status::Ok()});
    if (what & 16) acks.released.push_back({in_.Below(3), AnyBytes(), in_.Number()});
    return acks;
  }

  void Join(Incarnation node, uint64_t lent, uint64_t ready_granules) {
    Hello hello;
    hello.self = {node, "n" + std::to_string(node.high), "h" + std::to_string(node.high % 2), ""};
    hello.counter = ++counter_;
    lent = lent / kGranule * kGranule;
    hello.segments = {{0, lent, kGranule, std::min(lent, ready_granules * kGranule)}};
    Effects effects;
    const Result<Welcome> welcome = catalog_->Join(now_, hello, &effects);
    if (welcome.ok() && welcome->wants_report) {
      Report report = WholeReport(term_, hello.counter);
      report.segments = hello.segments;
      (void)catalog_->HandleReport(now_, node, report, &effects);
    }
    Collect(effects);
  }

  void JoinWithAnything() {
    Hello hello;
    const Incarnation node = AnyNode();
    hello.self = {node, in_.Below(2) ? "n1" : std::string(in_.Bytes(3)), "h0", ""};
    hello.counter = in_.Number();
    hello.pool = in_.Below(2) ? Incarnation{9, 9} : Incarnation{};
    hello.term = in_.Number();
    hello.segments = AnySegments();
    Effects effects;
    (void)catalog_->Join(now_, hello, &effects);
    Collect(effects);
  }

  void Tell() {
    Report report;
    report.term = in_.Below(4) > 0 ? term_ : in_.Number();
    report.counter = in_.Below(2) == 0 ? ++counter_ : in_.Number();
    report.last = in_.Below(4) > 0;
    for (uint32_t i = in_.Below(4); i > 0; --i) report.notes.push_back(AnyNote());
    for (uint32_t i = in_.Below(2); i > 0; --i) {
      report.held.push_back(
          {kFirstHeldSequence | in_.Number(), in_.Below(3), in_.Number(), AnyRanges()});
    }
    if (report.last) report.segments = AnySegments();
    Effects effects;
    (void)catalog_->HandleReport(now_, AnyNode(), report, &effects);
    Collect(effects);
  }

  void Operate() {
    const std::string node = "n" + std::to_string(in_.Below(kNodes) + 1);
    Effects effects;
    switch (in_.Below(3)) {
      case 0: {
        const Result<Effects> drained = catalog_->Drain(now_, node, in_.Below(2) == 0);
        if (drained.ok()) effects = *drained;
        break;
      }
      case 1: {
        const bool move = in_.Below(2) == 0;
        (void)catalog_->StartTask(now_,
                                  {move ? TaskRequest::Kind::kMove : TaskRequest::Kind::kCopy,
                                   AnyKey(), move ? "n1" : "", node},
                                  &effects);
        break;
      }
      default:
        (void)catalog_->Evict(
            now_,
            {in_.Below(2) ? std::vector<std::string>{AnyKey()} : std::vector<std::string>(),
             AnyBytes(), in_.Below(2) ? node : ""},
            &effects);
    }
    Collect(effects);
  }

  void BeginReign() {
    Reign reign{{9, 9}, ++term_, limits_.lease, {}};
    for (uint32_t i = 0; i < kNodes; ++i) {
      if (in_.Below(4) > 0) reign.members.push_back({{i + 1, 1}, "n" + std::to_string(i + 1)});
    }
    orders_.clear();
    catalog_.emplace(now_, limits_, reign);
  }

  void Collect(Effects effects) {
    effects = WithStrikes(&*catalog_, now_, std::move(effects));
    for (Effects::OrdersTo& to : effects.orders) {
      for (Order& order : to.orders.orders) {
        if (orders_.size() == kMaxRemembered) orders_.pop_front();
        orders_.emplace_back(to.node, std::move(order));
      }
    }
  }

  Input in_;
  Limits limits_;
  TimePoint now_{};
  uint64_t term_ = 1, requests_ = 0, counter_ = 1;
  std::optional<Catalog> catalog_;
  std::deque<std::pair<Incarnation, Order>> orders_;  // to be confirmed
  std::optional<std::pair<Incarnation, VerbRequest>> last_;
};

}  // namespace

void Take(std::string_view bytes) { World(bytes).Run(); }

std::vector<std::string> Seeds() {
  // Put and commit k0; locate it; remove it; confirm what was ordered.
  const std::string put("\x01\x00\x00\x01\x05\x00\x00\x00\x00", 9);
  const std::string commit("\x03\x00\x01\x00\x00\x00", 6);
  const std::string confirm("\x07\x00\x60\x07\x00\x20\x07\x00\x40", 9);
  const std::string remove("\x05\x03\x00\x00\x00\x00", 6);
  return {put + commit, put + commit + confirm + remove + confirm,
          put + commit + confirm + std::string("\x10\x00\x03\x0b\x00\x00\x10\x0c", 8),
          std::string("\x0f\x00\x00\x00\xff\x0e\x01\x02\x00\x0c", 10) + put};
}

}  // namespace kvstore::fuzz
