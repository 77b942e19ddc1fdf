// Thousands of random events, valid and not, in any order: after each the catalog's invariants
// hold, and seen from outside no memory has two owners and no removed object is found.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fakes/strike.h"
#include "master/catalog.h"

namespace kvstore::master {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kGranule = 4096;
constexpr Incarnation kPool{9, 9};

// A node as the master sees it: it keeps its orders and confirms them when told to.
struct FakeNode {
  Peer peer;
  std::vector<LentSegment> segments;
  uint64_t counter = 1;
  uint64_t sequence = 0;
  bool has_session = true;
  std::map<std::pair<PutId, uint32_t>, RetireOrder> open;  // not yet confirmed as free
  std::map<uint32_t, uint64_t> to_prepare;
  std::map<uint32_t, ReleaseOrder> to_release;  // by segment
  std::map<PutId, CopyOrder> to_copy;
  std::map<std::pair<PutId, uint32_t>, NoteOrder> to_note;
  std::map<std::pair<PutId, uint32_t>, NoteOrder> manifest;
  uint64_t held_sequence = kFirstHeldSequence;
  std::vector<Acks> sent;  // for repetition
  std::vector<uint64_t> sequences;
};

class World {
 public:
  explicit World(uint32_t seed) : random_(seed) {
    catalog_.emplace(now_, MakeLimits(), Reign{kPool, term_, {}, {}});
    for (int i = 0; i < 5; ++i) AddNode();
  }

  void Step() {
    now_ += milliseconds(Pick(8) == 0 ? Pick(200) : Pick(5));
    if (Pick(500) == 0) return BeginReign();
    switch (Pick(29)) {
      case 0:
        return Collect(WithStrikes(&*catalog_, now_, catalog_->Tick(now_)));
      case 1:
      case 2:
      case 3:
        return Put();
      case 4:
      case 5:
      case 16:
      case 17:
        return Commit();
      case 6:
        return Abort();
      case 7:
      case 18:
        return Ask(
            Locate{Keys(),
                   Pick(3) > 0,
                   Pick(2) == 0,
                   {milliseconds(Pick(3) * 200), Pick(2) ? "k" + std::to_string(Pick(20)) : ""}});
      case 8:
        if (Pick(3) == 0) return NoteSome();
        return Pick(2) ? Ask(Exists{Keys()}) : Ask(StatObject{Keys()});
      case 9:
        return Pick(3) ? Ask(Remove{Keys()}) : Ask(WaitExists{Keys()});
      case 10:
      case 11:
      case 12:
      case 13:
      case 19:
        return Confirm();
      case 15:
      case 20:
      case 21:
      case 22:
        return Operate();
      case 14:
        for (auto& [id, node] : nodes_) {
          if (Pick(4) > 0) catalog_->Heard(now_, id);
        }
        if (Pick(8) == 0) catalog_->Excuse(now_, milliseconds(Pick(300)));
        return;
      case 23:
        return Ask(Pin{Keys(), Pick(2) == 0, milliseconds(Pick(3) * 300)});
      case 24:
        return Pick(3) ? Evict()
                       : Ask(RemoveMatching{Pick(4) ? "k" + std::to_string(Pick(10)) : ""});
      case 25:
        return Ahead();
      case 26:
      case 27:
        return CommitAhead();
      default:
        return ChangeMembers();
    }
  }

  std::string Check() {
    if (!problem_.empty()) return problem_;
    return catalog_->CheckInvariants();
  }

  // Of all reigns.
  struct Done {
    uint64_t reigns = 0, adopted = 0, durable = 0, committed = 0, reads_noted = 0, pins_set = 0,
             copied = 0;
    uint64_t tasks = 0, ahead = 0;
  };
  Done done() const {
    Done done = done_;
    const Counters& now = catalog_->counters();
    done.committed += now.puts_committed;
    done.reads_noted += now.reads_noted;
    done.pins_set += now.pins_set;
    done.copied += now.copies_made;
    done.ahead += now.puts_ahead;
    return done;
  }

  // Everything is confirmed, everybody is heard, grants and leases run out.
  void Settle() {
    for (auto& [id, node] : nodes_) {
      const Result<Effects> undrained = catalog_->Drain(now_, node.peer.name, false);
      if (undrained.ok()) Collect(*undrained);
    }
    for (int i = 0; i < 400; ++i) {
      now_ += milliseconds(100);
      for (auto& [id, node] : nodes_) {
        if (!node.has_session) Rejoin(node);
        catalog_->Heard(now_, id);
        ConfirmAll(node);
      }
      Collect(WithStrikes(&*catalog_, now_, catalog_->Tick(now_)));
    }
  }

  Census census() { return catalog_->TakeCensus(now_); }

 private:
  static Limits MakeLimits() {
    Limits limits;
    limits.lease = milliseconds(500);
    limits.longest_grant = std::chrono::seconds(2);
    limits.gone_after = std::chrono::seconds(3);
    limits.prepare_step = 4 * kGranule;
    limits.ahead_for = milliseconds(600);
    limits.ahead_bytes = 6 * kGranule;
    limits.ahead_per_writer = 2;
    limits.ahead_share_allowed = 0.5;
    limits.sick_for = milliseconds(300);
    limits.slow_start = std::chrono::seconds(5);
    limits.shortest_copy = std::chrono::seconds(2);
    limits.repair_bytes_per_second = 200 * kGranule;
    limits.ranges_per_replica = 3;
    limits.waiting_items = 12;
    limits.outcomes_kept_per_writer = 8;
    return limits;
  }

  uint32_t Pick(uint32_t below) { return random_() % below; }

  FakeNode& AnyNode() {
    auto it = nodes_.begin();
    std::advance(it, Pick(static_cast<uint32_t>(nodes_.size())));
    return it->second;
  }

  void AddNode() {
    FakeNode node;
    const uint64_t number = ++incarnations_;
    node.peer = {{number, 1}, "n" + std::to_string(number), "h" + std::to_string(number % 2), ""};
    const uint32_t lent = Pick(4) == 0 ? 0 : 1 + Pick(2);
    for (uint32_t i = 0; i < lent; ++i) {
      const uint64_t granules = 4 + Pick(24);
      node.segments.push_back({i, granules * kGranule, kGranule, Pick(5) * kGranule});
    }
    if (number == 1) node.segments = {{0, 24 * kGranule, kGranule, 4 * kGranule}};
    Rejoin(nodes_[node.peer.incarnation] = node);
  }

  void Rejoin(FakeNode& node) {
    Hello hello;
    hello.self = node.peer;
    hello.counter = node.counter;
    for (const LentSegment& segment : node.segments) {
      if (segment.size > 0) hello.segments.push_back(segment);
    }
    node.has_session = true;
    Effects effects;
    const Result<Welcome> welcome = catalog_->Join(now_, hello, &effects);
    if (!welcome.ok()) problem_ = welcome.status().ToString();
    Collect(effects);
    if (!welcome.ok() || !welcome->wants_report) return;
    const Status status =
        catalog_->HandleReport(now_, node.peer.incarnation, ReportOf(&node), &effects);
    if (!status.ok()) problem_ = status.ToString();
    Collect(effects);
  }

  // The master is lost, and another follows. What it had not been told is told to nobody; of its
  // last orders some were carried out, others never came.
  void BeginReign() {
    done_ = done();
    ++done_.reigns;
    ++term_;
    Reign reign{kPool, term_, MakeLimits().lease, {}};
    for (auto& [id, node] : nodes_) {
      if (!node.segments.empty()) reign.members.push_back({id, node.peer.name});
      EnterReign(&node);
    }
    CheckDurable();
    in_pieces_.clear();
    retired_.clear();  // a put that was never committed may begin again
    catalog_.emplace(now_, MakeLimits(), reign);
    for (auto& [id, node] : nodes_) {
      if (Pick(4) > 0) Rejoin(node);
    }
  }

  // What the next master is told of, whatever the last one was about to do with it.
  void CheckDurable() {
    for (int i = 0; i < 10; ++i) {
      const Result<ObjectDetail> object = catalog_->Describe(now_, "k" + std::to_string(i));
      if (!object.ok() || !durable_[object->put] || refused_.contains(object->put)) continue;
      ++done_.durable;
      const bool kept = std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
        const auto& manifest = entry.second.manifest;
        const auto note = manifest.lower_bound({object->put, 0});
        return note != manifest.end() && note->first.first == object->put;
      });
      if (!kept) problem_ = "a durable object is in no manifest";
    }
  }

  // Everything that it does not keep is stamped; some of that is still touched.
  void EnterReign(FakeNode* node) {
    const Incarnation self = node->peer.incarnation;
    node->has_session = false;
    ++node->counter;
    for (const auto& [name, note] : std::exchange(node->to_note, {})) {
      if (Pick(2) == 0) node->manifest[name] = note;
    }
    for (const auto& [name, order] : std::exchange(node->open, {})) {
      if (Pick(2) == 0) Withdraw(node, order);
    }
    std::map<std::pair<PutId, SegmentId>, Replica> touched;
    for (auto it = owners_.begin(); it != owners_.end();) {
      const auto& [put, segment] = it->first;
      const bool stays = segment.holder != self || node->manifest.contains({put, segment.index});
      if (!stays && Pick(3) == 0) {
        const PutId held{self, node->held_sequence++};
        touched[{held, segment}] = {segment, node->counter - 1, it->second.ranges};
        node->open[{held, segment.index}] = {held, segment.index, node->counter - 1,
                                             it->second.ranges};
      }
      it = stays ? std::next(it) : owners_.erase(it);
    }
    owners_.merge(touched);
    node->to_prepare.clear();
    node->to_release.clear();
    node->to_copy.clear();
    for (LentSegment& segment : node->segments) {
      // It ends nowhere before it has been told so.
      for (const auto& [owner, replica] : owners_) {
        if (owner.second != SegmentId{self, segment.index}) continue;
        for (const Range& range : replica.ranges) {
          segment.ready = std::max(segment.ready, range.offset + range.length);
        }
      }
      segment.size = std::max(segment.size, segment.ready);
    }
  }

  Report ReportOf(FakeNode* node) {
    Report report = WholeReport(term_, node->counter);
    for (const LentSegment& segment : node->segments) {
      if (segment.size > 0) report.segments.push_back(segment);
    }
    for (const auto& [name, note] : node->manifest) report.notes.push_back(note);
    for (const auto& [name, order] : node->open) {
      report.held.push_back({order.put.sequence, order.segment, order.birth, order.ranges});
    }
    done_.adopted += report.notes.size();
    return report;
  }

  // The holder keeps no note of it any more, and takes none that comes late.
  static void Withdraw(FakeNode* node, const RetireOrder& order) {
    for (auto* const notes : {&node->manifest, &node->to_note}) {
      const auto note = notes->find({order.put, order.segment});
      if (note != notes->end() && note->second.birth <= order.birth) notes->erase(note);
    }
  }

  void ChangeMembers() {
    FakeNode& node = AnyNode();
    const Incarnation id = node.peer.incarnation;
    switch (Pick(20)) {
      case 0:
        if (nodes_.size() > 2) {
          Collect(WithStrikes(&*catalog_, now_, catalog_->Leave(now_, id)));
          Forget(id);
        }
        return;
      case 1:
        if (nodes_.size() < 7) AddNode();
        return;
      case 2:
      case 3:
        node.has_session = false;
        return Collect(catalog_->SessionLost(now_, id));
      default:
        if (!node.has_session) Rejoin(node);
    }
  }

  // What operators ask for, and what nodes find out and wish.
  void Operate() {
    FakeNode& node = AnyNode();
    switch (Pick(4)) {
      case 0: {
        const Result<Effects> drained = catalog_->Drain(now_, node.peer.name, Pick(3) == 0);
        if (drained.ok()) Collect(*drained);
        return;
      }
      case 1: {
        Effects effects;
        const bool move = Pick(2) == 0;
        const Result<uint64_t> task = catalog_->StartTask(
            now_,
            {move ? TaskRequest::Kind::kMove : TaskRequest::Kind::kCopy,
             "k" + std::to_string(Pick(10)), move ? AnyNode().peer.name : "", node.peer.name},
            &effects);
        done_.tasks += task.ok();
        return Collect(effects);
      }
      case 2: {
        ReportFailures failures;
        for (uint32_t i = 0; i < 1 + Pick(2); ++i) {
          failures.segments.push_back({AnyNode().peer.incarnation, Pick(3)});
        }
        return Ask(failures);
      }
      default:
        if (!node.has_session || node.segments.empty()) return;
        LentSegment& segment = node.segments[Pick(static_cast<uint32_t>(node.segments.size()))];
        segment.size = (Pick(4) == 0 ? 0 : 4 + Pick(24)) * kGranule;
        segment.ready = std::min(segment.size, segment.ready);
        const Result<Effects> lent = catalog_->HandleLend(now_, node.peer.incarnation, {{segment}});
        if (!lent.ok()) problem_ = lent.status().ToString();
        if (lent.ok()) Collect(*lent);
    }
  }

  ReleaseAck Release(FakeNode& node, const ReleaseOrder& order) {
    const auto [index, limit, number] = order;
    for (LentSegment& segment : node.segments) {
      if (segment.index == index) segment.ready = std::min(segment.ready, limit);
    }
    for (const auto& [owner, replica] : owners_) {
      if (owner.second != SegmentId{node.peer.incarnation, index}) continue;
      for (const Range& range : replica.ranges) {
        if (range.offset + range.length > limit) problem_ = "memory released that a put still owns";
      }
    }
    return {index, limit, number};
  }

  KeyBatch Keys() {
    KeyBatch keys;
    for (uint32_t i = 0; i <= Pick(3); ++i) keys.Add("k" + std::to_string(Pick(10)));
    return keys;
  }

  void Ask(decltype(VerbRequest::verb) verb) {
    VerbRequest request;
    request.id = ++last_request_;
    request.patience = milliseconds(Pick(3) * 300);
    request.verb = std::move(verb);
    Send(AnyNode(), request);
  }

  // Sometimes twice at once, sometimes again much later.
  void Send(const FakeNode& caller, const VerbRequest& request) {
    const Incarnation name = caller.peer.incarnation;
    asked_[request.id] = {name, request};
    if (const auto* remove = std::get_if<Remove>(&request.verb)) {
      for (uint32_t i = 0; i < remove->keys.size(); ++i) {
        removing_[{request.id, i}] = found_[std::string(remove->keys[i])];
      }
    }
    if (const auto* sweep = std::get_if<RemoveMatching>(&request.verb)) {
      for (const auto& [key, puts] : found_) {
        if (key.starts_with(sweep->prefix))
          removing_[{request.id, 0}].insert(puts.begin(), puts.end());
      }
    }
    Collect(catalog_->Handle(now_, name, request));
    if (Pick(6) == 0) Collect(catalog_->Handle(now_, name, request));
    const auto old = asked_.find(last_request_ - std::min<uint64_t>(last_request_, Pick(40)));
    if (Pick(6) == 0 && old != asked_.end()) {
      Collect(catalog_->Handle(now_, old->second.first, old->second.second));
    }
  }

  void Put() {
    FakeNode& writer = AnyNode();
    StartPut put;
    put.keys = Keys();
    for (size_t i = 0; i < put.keys.size(); ++i) {
      const bool again = Pick(8) == 0 && !writer.sequences.empty();
      if (!again) writer.sequences.push_back(++writer.sequence);
      put.sequences.push_back(
          again ? writer.sequences[Pick(static_cast<uint32_t>(writer.sequences.size()))]
                : writer.sequence);
      put.sizes.push_back(Pick(10) == 0 ? 0 : Pick(5 * kGranule));
    }
    put.replicas = 1 + (Pick(3) == 0);
    put.replace = Pick(2) == 0;
    put.durable = Pick(4) == 0;
    for (const uint64_t sequence : put.sequences) {
      const PutId id{writer.peer.incarnation, sequence};
      durable_.try_emplace(id, put.durable).first->second &= put.durable;
    }
    constexpr Placement kPlacements[] = {Placement::kLocalFirst, Placement::kSpread,
                                         Placement::kThisHost};
    put.placement = kPlacements[Pick(3)];
    if (Pick(2) == 0) put.retention = AnyRetention();
    if (Pick(2) == 0) {
      for (size_t i = 0; i < put.keys.size(); ++i) put.positions.push_back(Pick(4));
    }
    if (Pick(4) == 0) put.preferred_nodes = {"n" + std::to_string(1 + Pick(5))};
    VerbRequest request;
    request.id = ++last_request_;
    request.patience = milliseconds(Pick(4) * 400);
    request.verb = put;
    Send(writer, request);
  }

  void Ahead() {
    FakeNode& writer = AnyNode();
    GrantAhead verb;
    const bool again = Pick(8) == 0 && !writer.sequences.empty();
    if (!again) writer.sequences.push_back(++writer.sequence);
    verb.sequence = again ? writer.sequences[Pick(static_cast<uint32_t>(writer.sequences.size()))]
                          : writer.sequence;
    verb.bytes = Pick(8 * kGranule);
    verb.least = Pick(3) * kGranule;
    for (const auto& [grant, term_and_replica] : ahead_) {
      if (grant.writer == writer.peer.incarnation && Pick(8) == 0) {
        verb.done.push_back(grant.sequence);
      }
    }
    VerbRequest request;
    request.id = ++last_request_;
    request.verb = verb;
    Send(writer, request);
  }

  // In pieces of any grant, of this master or another, named before or not.
  void CommitAhead() {
    if (ahead_.empty()) return;
    auto grant = ahead_.begin();
    std::advance(grant, Pick(static_cast<uint32_t>(ahead_.size())));
    const auto writer = nodes_.find(grant->first.writer);
    if (writer == nodes_.end()) return;
    const auto& [term, replica] = grant->second;
    const Range& range = replica.ranges.front();
    CommitPut commit;
    commit.put.keys = Keys();
    commit.put.replace = Pick(2) == 0;
    commit.put.durable = Pick(4) == 0;
    if (Pick(2) == 0) commit.put.retention = AnyRetention();
    for (size_t i = 0; i < commit.put.keys.size(); ++i) {
      commit.sequences.push_back(++writer->second.sequence);
      commit.checksums.push_back(Pick(3));
      commit.put.sizes.push_back(Pick(2 * kGranule));
      const uint64_t granules = std::max<uint64_t>(1, (commit.put.sizes[i] - 1) / kGranule + 1);
      commit.pieces.push_back(
          {grant->first.sequence, term,
           range.offset + Pick(static_cast<uint32_t>(range.length / kGranule)) * kGranule,
           (commit.put.sizes[i] == 0 ? 1 : granules) * kGranule});
      const PutId id{writer->first, commit.sequences.back()};
      durable_[id] = commit.put.durable;
      in_pieces_[id] = {
          replica.segment, replica.birth, {{commit.pieces[i].offset, commit.pieces[i].length}}};
    }
    commit.put.sequences = commit.sequences;
    VerbRequest request;
    request.id = ++last_request_;
    request.patience = milliseconds(Pick(3) * 500);
    request.verb = commit;
    Send(writer->second, request);
  }

  // A put that began in a piece has it from here on; the grant has so much less.
  void OwnPiece(const PutId& put) {
    const auto piece = in_pieces_.find(put);
    if (piece == in_pieces_.end()) return;
    const Replica replica = piece->second;
    in_pieces_.erase(piece);
    const Range& taken = replica.ranges.front();
    for (auto& [owner, other] : owners_) {
      if (owner.second != replica.segment || !ahead_.contains(owner.first)) continue;
      std::vector<Range> left;
      for (const Range& range : other.ranges) {
        const uint64_t end = range.offset + range.length;
        const uint64_t taken_end = taken.offset + taken.length;
        if (taken_end <= range.offset || end <= taken.offset) {
          left.push_back(range);
          continue;
        }
        if (range.offset < taken.offset)
          left.push_back({range.offset, taken.offset - range.offset});
        if (taken_end < end) left.push_back({taken_end, end - taken_end});
      }
      other.ranges = left;
    }
    std::erase_if(owners_, [](const auto& owner) { return owner.second.ranges.empty(); });
    OwnOne(put, replica);
  }

  void OwnPieces(const Effects& effects) {
    for (const Effects::OrdersTo& to : effects.orders) {
      for (const Order& order : to.orders.orders) {
        if (const auto* retire = std::get_if<RetireOrder>(&order)) OwnPiece(retire->put);
        if (const auto* note = std::get_if<NoteOrder>(&order)) OwnPiece(note->put);
      }
    }
    for (const Effects::Reply& reply : effects.replies) {
      const auto* items = std::get_if<std::vector<ItemAnswer>>(&reply.reply.answers);
      const auto* commit = std::get_if<CommitPut>(&asked_.at(reply.reply.id).second.verb);
      if (!items || !commit) continue;
      for (const ItemAnswer& answer : *items) {
        if (answer.status.ok()) OwnPiece({reply.caller, commit->sequences[answer.index]});
      }
    }
  }

  Retention AnyRetention() {
    Retention retention;
    retention.hard_pin = Pick(6) == 0;
    retention.soft_pin = milliseconds(Pick(3) * 400);
    if (Pick(2) == 0) retention.ttl = milliseconds(100 + Pick(1000));
    if (Pick(2) == 0) retention.group = "g" + std::to_string(Pick(3));
    return retention;
  }

  void Evict() {
    EvictRequest request;
    if (Pick(2) == 0) {
      request.keys = {"k" + std::to_string(Pick(10))};
    } else {
      request.bytes = Pick(10 * kGranule);
    }
    Effects effects;
    catalog_->Evict(now_, request, &effects);
    Collect(effects);
  }

  // Of anybody, in any state, and some that never began.
  void NoteSome() {
    NoteReads noted;
    for (const auto& [owner, replica] : owners_) {
      if (Pick(3) == 0) noted.puts.push_back(owner.first);
    }
    noted.puts.push_back({AnyNode().peer.incarnation, 1 + Pick(1000)});
    Ask(noted);
  }

  std::vector<uint64_t> SomeSequences(FakeNode& writer) {
    std::vector<uint64_t> sequences;
    for (uint32_t i = 0; i <= Pick(3); ++i) {
      const uint64_t back = Pick(4);
      sequences.push_back(writer.sequence > back ? writer.sequence - back : 1);
    }
    return sequences;
  }

  void Commit() {
    FakeNode& writer = AnyNode();
    CommitPut commit;
    commit.sequences = SomeSequences(writer);
    for (const uint64_t sequence : commit.sequences) commit.checksums.push_back(sequence % 3);
    VerbRequest request;
    request.id = ++last_request_;
    request.patience = milliseconds(Pick(3) * 500);
    request.verb = commit;
    Send(writer, request);
  }

  void Abort() {
    FakeNode& writer = AnyNode();
    VerbRequest request;
    request.id = ++last_request_;
    request.verb = AbortPut{SomeSequences(writer)};
    Send(writer, request);
  }

  void Confirm() {
    FakeNode& node = AnyNode();
    if (!node.has_session) return;
    if (Pick(6) == 0 && !node.sent.empty()) {  // a stale or doubled message
      const auto back = static_cast<uint32_t>(node.sent.size());
      return Collect(
          catalog_->HandleAcks(now_, node.peer.incarnation, node.sent[back - 1 - Pick(back)]));
    }
    Acks acks;
    acks.term = Pick(20) == 0 ? term_ + 7 : term_;
    std::vector<std::pair<PutId, uint32_t>> freed;
    for (const auto& [name, order] : node.open) {
      if (Pick(2) == 0) continue;
      ++node.counter;
      const bool free = Pick(2) == 0;
      Withdraw(&node, order);
      acks.retired.push_back({order.put, order.segment, order.birth,
                              free ? RetireStage::kFree : RetireStage::kWithdrawn});
      if (free) freed.push_back(name);
    }
    for (const auto& [segment, limit] : node.to_prepare) {
      if (Pick(2)) acks.ready.push_back({segment, limit, Pick(30) == 0 ? "no memory" : ""});
    }
    for (auto it = node.to_note.begin(); it != node.to_note.end();) {
      const NoteOrder& note = it->second;
      const bool said = Pick(3) > 0;
      if (said) Note(&node, note, /*kept=*/Pick(200) > 0, &acks);
      it = said ? node.to_note.erase(it) : std::next(it);
    }
    for (auto it = node.to_copy.begin(); it != node.to_copy.end();) {
      const CopyOrder& order = it->second;
      if (Pick(2) == 0) {
        ++it;
        continue;
      }
      acks.copied.push_back({order.put, order.segment, order.birth,
                             Pick(3) == 0 ? UnavailableError("broken") : Status::Ok()});
      it = node.to_copy.erase(it);
    }
    if (acks.term == term_ && Pick(2) == 0) {
      for (const auto& [segment, order] : std::exchange(node.to_release, {})) {
        acks.released.push_back(Release(node, order));
      }
    }
    acks.counter = node.counter;
    Deliver(node, acks, freed);
  }

  void Note(FakeNode* node, const NoteOrder& note, bool kept, Acks* acks) {
    acks->noted.push_back({note.put, note.segment, note.birth, kept, note.version});
    if (kept) {
      node->manifest[{note.put, note.segment}] = note;
    } else {
      node->manifest.erase({note.put, note.segment});
      refused_.insert(note.put);
    }
  }

  void ConfirmAll(FakeNode& node) {
    Acks acks;
    acks.term = term_;
    std::vector<std::pair<PutId, uint32_t>> freed;
    for (const auto& [name, order] : node.open) {
      Withdraw(&node, order);
      acks.retired.push_back({order.put, order.segment, order.birth, RetireStage::kFree});
      freed.push_back(name);
    }
    for (const auto& [segment, limit] : node.to_prepare) acks.ready.push_back({segment, limit, ""});
    for (const auto& [name, note] : std::exchange(node.to_note, {})) {
      Note(&node, note, /*kept=*/true, &acks);
    }
    for (const auto& [put, order] : std::exchange(node.to_copy, {})) {
      acks.copied.push_back({order.put, order.segment, order.birth, Status::Ok()});
    }
    for (const auto& [segment, order] : std::exchange(node.to_release, {})) {
      acks.released.push_back(Release(node, order));
    }
    acks.counter = ++node.counter;
    Deliver(node, acks, freed);
  }

  void Deliver(FakeNode& node, const Acks& acks,
               const std::vector<std::pair<PutId, uint32_t>>& freed) {
    if (acks.term == term_) {
      for (const auto& name : freed) {
        node.open.erase(name);
        owners_.erase({name.first, {node.peer.incarnation, name.second}});
      }
      for (const ReadyAck& ready : acks.ready) node.to_prepare.erase(ready.segment);
    }
    node.sent.push_back(acks);
    Collect(catalog_->HandleAcks(now_, node.peer.incarnation, acks));
  }

  void Collect(const Effects& effects) {
    OwnPieces(effects);
    CheckBeginnings(effects);
    if (!effects.contradicted.empty()) problem_ = "two puts of one key in two manifests";
    for (const Effects::OrdersTo& to : effects.orders) {
      const auto node = nodes_.find(to.node);
      if (node == nodes_.end()) continue;
      for (const Order& order : to.orders.orders) {
        if (const auto* retire = std::get_if<RetireOrder>(&order)) {
          node->second.open[{retire->put, retire->segment}] = *retire;
        } else if (const auto* note = std::get_if<NoteOrder>(&order)) {
          node->second.to_note[{note->put, note->segment}] = *note;
        } else if (const auto* prepare = std::get_if<PrepareOrder>(&order)) {
          node->second.to_prepare[prepare->segment] = prepare->limit;
          // Pages that are asked for again are none to be given back.
          std::erase_if(node->second.to_release, [&](const auto& release) {
            return release.first == prepare->segment && release.second.limit < prepare->limit;
          });
        } else if (const auto* copy = std::get_if<CopyOrder>(&order)) {
          node->second.to_copy[copy->put] = *copy;
          OwnOne(copy->put, {{to.node, copy->segment}, copy->birth, copy->ranges});
        } else if (const auto* release = std::get_if<ReleaseOrder>(&order)) {
          node->second.to_release[release->segment] = *release;
        }
      }
    }
    for (const Effects::Reply& reply : effects.replies) {
      const auto* started = std::get_if<std::vector<StartPutAnswer>>(&reply.reply.answers);
      if (started) Own(reply, *started);
      const auto* located = std::get_if<std::vector<LocateAnswer>>(&reply.reply.answers);
      if (located) NoteFound(reply.reply.id, *located);
    }
    for (const Effects::Reply& reply : effects.replies) {
      const auto* items = std::get_if<std::vector<ItemAnswer>>(&reply.reply.answers);
      if (items) NoteRemoved(reply.reply.id, *items);
      const auto* counts = std::get_if<std::vector<CountAnswer>>(&reply.reply.answers);
      if (counts) NoteRemoved(reply.reply.id, *counts);
    }
    // Some of that may have been said before they were.
    for (const Incarnation& gone : effects.gone) Forget(gone);
  }

  // What was retired once is never granted again.
  void CheckBeginnings(const Effects& effects) {
    for (const Effects::Reply& reply : effects.replies) {
      const auto* started = std::get_if<std::vector<StartPutAnswer>>(&reply.reply.answers);
      if (!started) continue;
      for (const StartPutAnswer& answer : *started) {
        const bool ended = retired_.contains(StartedBy(reply, answer));
        if (answer.status.ok() && ended) problem_ = "a put that had ended was granted anew";
      }
    }
    for (const Effects::OrdersTo& to : effects.orders) {
      for (const Order& order : to.orders.orders) {
        if (const auto* retire = std::get_if<RetireOrder>(&order)) retired_.insert(retire->put);
      }
    }
  }

  void NoteFound(uint64_t request, const std::vector<LocateAnswer>& answers) {
    const KeyBatch& keys = std::get<Locate>(asked_.at(request).second.verb).keys;
    for (const LocateAnswer& answer : answers) {
      if (!answer.status.ok()) continue;
      if (removed_.contains(answer.put)) problem_ = "a removed object was located";
      found_[std::string(keys[answer.index])].insert(answer.put);
    }
  }

  // What had been located when a Remove was asked for is never located after its answer.
  template <typename Answer>
  void NoteRemoved(uint64_t request, const std::vector<Answer>& answers) {
    for (const Answer& answer : answers) {
      const auto removing = removing_.find({request, answer.index});
      const StatusCode code = answer.status.code();
      if (removing == removing_.end()) continue;
      if (code != StatusCode::kOk && code != StatusCode::kNotFound) continue;
      removed_.insert(removing->second.begin(), removing->second.end());
    }
  }

  PutId StartedBy(const Effects::Reply& reply, const StartPutAnswer& answer) {
    const VerbRequest& request = asked_.at(reply.reply.id).second;
    if (const auto* ahead = std::get_if<GrantAhead>(&request.verb)) {
      return {reply.caller, ahead->sequence};
    }
    return {reply.caller, std::get<StartPut>(request.verb).sequences[answer.index]};
  }

  // Nobody else owns what is granted.
  void Own(const Effects::Reply& reply, const std::vector<StartPutAnswer>& answers) {
    if (std::holds_alternative<GrantAhead>(asked_.at(reply.reply.id).second.verb)) {
      const StartPutAnswer& answer = answers.front();
      const PutId id = StartedBy(reply, answer);
      // Said again it names what is left.
      if (!answer.status.ok() || owners_.contains({id, answer.replicas.front().segment})) return;
      ahead_[id] = {term_, answer.replicas.front()};
      return OwnOne(id, answer.replicas.front());
    }
    const auto& put = std::get<StartPut>(asked_.at(reply.reply.id).second.verb);
    for (const StartPutAnswer& answer : answers) {
      if (!answer.status.ok()) continue;
      const PutId id{reply.caller, put.sequences[answer.index]};
      if (answer.replicas.size() != put.replicas && put.replicas == 1) problem_ = "no replica";
      if (put.placement == Placement::kThisHost && !IsOnHostOf(reply.caller, answer.replicas)) {
        problem_ = "memory granted on another host";
      }
      for (const Replica& replica : answer.replicas) OwnOne(id, replica);
    }
  }

  void OwnOne(const PutId& id, const Replica& replica) {
    for (const auto& [owner, other] : owners_) {
      if (owner.first == id || owner.second != replica.segment) continue;
      for (const Range& a : other.ranges) {
        for (const Range& b : replica.ranges) {
          if (a.offset < b.offset + b.length && b.offset < a.offset + a.length) {
            problem_ = "memory granted that another put still owns";
          }
        }
      }
    }
    owners_[{id, replica.segment}] = replica;
  }

  bool IsOnHostOf(Incarnation writer, const std::vector<Replica>& replicas) {
    return std::all_of(replicas.begin(), replicas.end(), [&](const Replica& replica) {
      return nodes_.at(replica.segment.holder).peer.host == nodes_.at(writer).peer.host;
    });
  }

  void Forget(Incarnation node) {
    nodes_.erase(node);
    for (auto it = owners_.begin(); it != owners_.end();) {
      it = it->first.second.holder == node ? owners_.erase(it) : std::next(it);
    }
    if (nodes_.size() < 2) AddNode();
  }

  std::mt19937 random_;
  uint64_t term_ = 1;
  TimePoint now_{std::chrono::seconds(100)};
  std::optional<Catalog> catalog_;
  uint64_t incarnations_ = 0;
  uint64_t last_request_ = 0;
  Done done_;  // in earlier reigns; but for tasks: in all
  std::map<Incarnation, FakeNode> nodes_;
  std::map<uint64_t, std::pair<Incarnation, VerbRequest>> asked_;
  std::map<std::pair<PutId, SegmentId>, Replica> owners_;  // granted, not yet said to be free
  std::map<std::string, std::set<PutId>> found_;           // by key
  std::map<std::pair<uint64_t, uint32_t>, std::set<PutId>> removing_;  // by (request, index)
  std::set<PutId> removed_;
  std::set<PutId> retired_;
  std::map<PutId, bool> durable_;                        // whether all its StartPuts said so
  std::set<PutId> refused_;                              // a holder would not note it
  std::map<PutId, std::pair<uint64_t, Replica>> ahead_;  // given in some term
  std::map<PutId, Replica> in_pieces_;  // named by a commit, not known to have begun
  std::string problem_;
};

class CatalogRandomTest : public testing::TestWithParam<uint32_t> {};

TEST_P(CatalogRandomTest, InvariantsHoldAfterEveryEventAndInTheEndAllMemoryComesBack) {
  World world(GetParam());
  // Some worlds take long to come to their first copy, or to many puts.
  const auto goes_on = [&world](int step) {
    return step < 3000 || (step < 30'000 && (world.done().copied == 0 || world.done().tasks == 0 ||
                                             world.done().adopted == 0 || world.done().ahead == 0 ||
                                             world.done().committed <= 20));
  };
  for (int step = 0; goes_on(step); ++step) {
    world.Step();
    ASSERT_EQ(world.Check(), "") << "after step " << step;
  }
  const World::Done done = world.done();
  EXPECT_GT(done.committed, 20u);
  EXPECT_GT(done.reads_noted, 0u);
  EXPECT_GT(done.pins_set, 0u);
  EXPECT_GT(done.copied, 0u);
  EXPECT_GT(done.tasks, 0u);
  EXPECT_GT(done.adopted, 0u);
  EXPECT_GT(done.ahead, 0u);
  world.Settle();
  ASSERT_EQ(world.Check(), "");
  const Census census = world.census();
  // A pinned object may have nowhere to go to from a segment that shrinks.
  EXPECT_EQ(census.space.retiring - census.space.withheld, 0u);
  EXPECT_TRUE(census.objects_pinned > 0 || census.space.withheld == 0);
  EXPECT_EQ(census.space.unfinished, 0u);
  EXPECT_EQ(census.puts_parked, 0u);
  EXPECT_EQ(census.requests_waiting, 0u);
  EXPECT_EQ(census.copies_running, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CatalogRandomTest, testing::Range(1u, 21u));

}  // namespace
}  // namespace kvstore::master
