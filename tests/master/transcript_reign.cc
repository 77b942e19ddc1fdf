// What transcripts say of reigns: reports, and notes.

#include "fakes/strike.h"
#include "master/transcript.h"

namespace kvstore::master {
namespace {

uint64_t Bytes(const std::string& granules) { return std::stoull(granules) * kDefaultGranule; }

// "4+2"
Range ParseRange(const std::string& text) {
  const std::vector<std::string> parts = Split(text, '+');
  return {Bytes(parts.at(0)), Bytes(parts.at(1))};
}

}  // namespace

void Transcript::BeginReign(const Command& command) {
  Reign reign{kPool, catalog_->term() + 1, command.Time("lease", limits_.lease), {}};
  for (const std::string& node : command.arguments()) {
    reign.members.push_back({Named(node), node});
  }
  catalog_ = std::make_unique<Catalog>(now_, limits_, reign, guards_);
}

void Transcript::HandReport(const Command& command) {
  const std::string& name = command.Argument(0);
  Holder& holder = holders_.at(name);
  Report report;
  report.term = command.Number("term", catalog_->term());
  report.counter = holder.hello.counter = command.Number("counter", holder.hello.counter + 1);
  report.last = !command.Has("part");
  if (report.last) report.segments = holder.hello.segments;
  if (command.Has("lend")) {
    report.segments.clear();
    for (const std::string& size : Split(command.Option("lend", ""), ',')) {
      report.segments.push_back({static_cast<uint32_t>(report.segments.size()), Bytes(size),
                                 kDefaultGranule, Bytes(size)});
    }
  }
  for (const std::string& item : command.ArgumentsFrom(1)) {
    const std::vector<std::string> parts = Split(item, ':');
    if (parts.size() < 5) command.Fail("a note is PUT:KEY:SEGMENT:OFFSET+LENGTH:BIRTH");
    NoteOrder note;
    note.put = ParsePut(parts[0]);
    note.key = parts[1];
    note.segment = static_cast<uint32_t>(std::stoul(parts[2]));
    note.ranges = {ParseRange(parts[3])};
    note.birth = std::stoull(parts[4]);
    note.size = note.ranges[0].length;
    note.checksum = parts.size() > 5 ? std::stoull(parts[5]) : note.put.sequence;
    note.replicas = static_cast<uint32_t>(command.Number("replicas", 1));
    note.retention.hard_pin = command.Has("pin");
    note.retention.soft_pin = command.Time("soft", Duration::zero());
    note.retention.ttl = command.Time("ttl", Duration::zero());
    if (command.Has("replaces")) note.replaces = ParsePut(command.Option("replaces", ""));
    report.notes.push_back(note);
  }
  if (command.Has("held")) {
    const std::vector<std::string> parts = Split(command.Option("held", ""), ':');
    report.held.push_back({kFirstHeldSequence + std::stoull(parts.at(0)),
                           static_cast<uint32_t>(std::stoul(parts.at(1))),
                           std::stoull(parts.at(3)),
                           {ParseRange(parts.at(2))}});
    // So that its free can be said as of any retirement.
    RetireOrder order{{Named(name), report.held[0].sequence},
                      report.held[0].segment,
                      report.held[0].birth,
                      report.held[0].ranges};
    holder.orders[{order.put, order.segment}] = order;
  }
  Effects effects;
  const Status status =
      catalog_->HandleReport(now_, holder.hello.self.incarnation, report, &effects);
  if (!status.ok()) Line("refused the report of " + name + " " + status.ToString());
  Show(WithStrikes(catalog_.get(), now_, std::move(effects)));
}

void Transcript::ConfirmNotes(const Command& command) {
  Holder& holder = holders_.at(command.Argument(0));
  Acks acks;
  acks.term = catalog_->term();
  acks.counter = holder.hello.counter;
  for (const std::string& put : command.ArgumentsFrom(1)) {
    const NoteOrder& note = holder.notes.at(ParsePut(put));
    acks.noted.push_back({note.put, note.segment, note.birth,
                          command.Option("kept", "yes") == "yes",
                          command.Number("version", note.version)});
  }
  Show(catalog_->HandleAcks(now_, holder.hello.self.incarnation, acks));
}

void Transcript::TakeNote(const std::string& node, const NoteOrder& note) {
  if (!notes_shown_) {
    unseen_.push_back({node, {note.put, note.segment, note.birth, true, note.version}});
    return;
  }
  Line("=> " + node + " note " + PutText(note.put) + " " + note.key +
       (note.retention.hard_pin ? " pinned" : "") +
       (note.replaces.writer.IsNone() ? "" : " replaces " + PutText(note.replaces)));
  holders_[node].notes[note.put] = note;
}

void Transcript::ConfirmUnseen() {
  for (const auto& [node, ack] : std::exchange(unseen_, {})) {
    const Hello& hello = holders_.at(node).hello;
    Acks acks;
    acks.term = catalog_->term();
    acks.counter = hello.counter;
    acks.noted = {ack};
    Show(catalog_->HandleAcks(now_, hello.self.incarnation, acks));
  }
}

}  // namespace kvstore::master
