#ifndef KVSTORE_TESTS_MASTER_TRANSCRIPT_H_
#define KVSTORE_TESTS_MASTER_TRANSCRIPT_H_

// Transcripts are the heart of the catalog's tests: commands on fake time, and what must follow.
//
//   # a comment, kept
//   join A host=h1 lend=16          one block: commands ...
//   put A 1:k:2 replicas=1
//   ----
//   welcome A term 1                ... and what followed, up to an empty line
//   -> A #1.0 ok A/0[0+2] birth 1, grant 31s
//
// Sizes are in granules of 4 KiB ("2"), or in bytes ("10b"). Puts are named WRITER/SEQUENCE.
//
//   limits lease=5s grant=60s gone=15s abort=2s suspect=1500ms resend=1s watermark=0 leased=0.8
//          sick=5s slow=0s step=1 waiting=N outcomes=N objects=N nodes=N replicas=N ranges=N   a
//          new catalog
//   guards off=NAME[,NAME]          for the next `limits`
//   +100ms                          time passes, nothing else
//   tick
//   join NODE host= name= lend=16[,8] ready=16[,8] counter= pool=ours|other incarnation=N term=
//   lost NODE, leave NODE, hear NODE
//   excuse TIME                     so long the master could hear nobody
//   put NODE SEQ:KEY:SIZE... replicas= replace=yes spread=yes prefer=NAME,NAME here=yes instead=SEQ
//   commit NODE SEQ:CHECKSUM... ; abort NODE SEQ...
//   ahead NODE SEQ SIZE least= done=SEQ,SEQ      a grant ahead (limits ahead=SHARE ahead_bytes=
//          ahead_small= ahead_grants= ahead_for=; none is given without a share)
//   commit NODE SEQ:CHECKSUM:KEY:SIZE:OFFSET... in=SEQ term= length= replace=yes ...   in pieces
//   locate|exists|wait|stat|remove NODE KEY... ; lease=no
//   note NODE PUT...
//   fail NODE HOLDER/SEGMENT...     NODE could not reach these
//          all verbs: patience=10s request=ID (the next number)
//   lend NODE SEGMENT:SIZE... ready=SIZE  it wishes to lend so much there
//   drain NODE off=yes
//   task copy|move KEY FROM TO      FROM: "any" for whichever
//   tasks
//   copied NODE PUT... problem=WORD birth= term=
//   released NODE SEGMENT GRANULES [number=N]    else of the last release that was ordered
//          put: durable=yes
//   withdrawn|free NODE PUT... ; counter= term= birth=
//   ready NODE SEGMENT GRANULES problem=WORD
//   noted NODE PUT... kept=no       where `limits notes=shown`; else notes are confirmed, unseen
//   reign NODE... lease=            the next master of the pool, whose members these are
//   report NODE PUT:KEY:SEGMENT:OFFSET+LENGTH:BIRTH[:CHECKSUM]...
//   held=N:SEGMENT:OFFSET+LENGTH:BIRTH
//          part=yes counter= term= pin=yes soft= ttl= replicas= lend=16[,8]
//          where `join report=no`; else a node that is new reports, unseen, that its memory is
//          empty
//   watch on|off                    object events are shown: `* NAME KEY PUT`
//   census, nodes, departed, segments, objects, describe KEY, counters NAME...
//
// Replies are `-> CALLER #REQUEST.INDEX`, orders `=> NODE`. Broken invariants are printed too.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "master/catalog.h"
#include "master/command.h"

namespace kvstore::master {

inline constexpr Incarnation kPool{0x9001, 1};  // of every transcript

// Runs one transcript. Confined to one thread.
class Transcript {
 public:
  // The transcript again, with what really followed in place of what was expected.
  std::string Run(const std::string& text);

 private:
  struct Holder {
    Hello hello;
    std::map<std::pair<PutId, uint32_t>, RetireOrder> orders;  // the last for each
    std::map<PutId, CopyOrder> copies;                         // the last for each
    std::map<PutId, NoteOrder> notes;
    std::map<uint32_t, uint64_t> releases;  // by segment: the number of the last
  };

  void Execute(const std::string& line);
  void NewCatalog(const Command& command);
  void SetGuards(const Command& command);
  void Join(const Command& command);
  void Evict(const Command& command);
  void Ask(const Command& command);
  void Acknowledge(const Command& command);
  std::vector<CopyAck> Copied(const Command& command);
  void List(const Command& command);
  void Operate(const Command& command);
  // In transcript_reign.cc.
  void BeginReign(const Command& command);
  void HandReport(const Command& command);
  void ConfirmNotes(const Command& command);
  void TakeNote(const std::string& node, const NoteOrder& note);
  void ConfirmUnseen();

  VerbRequest Request(const Command& command);
  StartPut Put(const Command& command) const;
  static void SetOptions(const Command& command, StartPut* put);
  CommitPut Commit(const Command& command) const;

  void Show(const Effects& effects);
  void ShowReply(const Effects::Reply& reply);
  void ShowNode(const NodeEvent& event);
  void ShowOrder(const std::string& node, const Order& order);
  void Line(const std::string& line) { output_ += line + "\n"; }

  Incarnation Named(const std::string& node) const;
  std::string NameOf(Incarnation incarnation) const;
  PutId ParsePut(const std::string& text) const;
  std::string PutText(const PutId& put) const;
  std::string ReplicasText(const std::vector<Replica>& replicas) const;

  std::unique_ptr<Catalog> catalog_;
  Guards guards_;
  Limits limits_;
  bool notes_shown_ = false;
  std::vector<std::pair<std::string, NoteAck>> unseen_;  // to be confirmed
  TimePoint now_{std::chrono::hours(1)};
  uint64_t last_request_ = 0;
  std::map<std::string, Holder> holders_;
  std::string output_;  // of this block
};

}  // namespace kvstore::master

#endif  // KVSTORE_TESTS_MASTER_TRANSCRIPT_H_
