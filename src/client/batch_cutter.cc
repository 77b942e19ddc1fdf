#include "client/batch_cutter.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace kvstore::client {
namespace {

// More than an item's numbers take when encoded (a piece of a grant ahead is the longest: three
// varints, a sequence, a checksum), and than a message's own fields do.
constexpr size_t kItemOverhead = 96;
constexpr size_t kMessageOverhead = 4096;

template <typename Keyed>
size_t CountOf(const Keyed& batch) {
  return batch.keys.size();
}
size_t CountOf(const CommitPut& batch) { return batch.sequences.size(); }
size_t CountOf(const AbortPut& batch) { return batch.sequences.size(); }
size_t CountOf(const NoteReads& batch) { return batch.puts.size(); }
size_t CountOf(const RemoveMatching&) { return 1; }
size_t CountOf(const ReportFailures& batch) { return batch.segments.size(); }
size_t CountOf(const GrantAhead&) { return 1; }

template <typename Keyed>
size_t BytesOf(const Keyed& batch, size_t i) {
  return kItemOverhead + batch.keys[i].size();
}
size_t BytesOf(const CommitPut& batch, size_t i) {
  return kItemOverhead + (batch.pieces.empty() ? 0 : batch.put.keys[i].size());
}
size_t BytesOf(const AbortPut&, size_t) { return kItemOverhead; }
size_t BytesOf(const NoteReads&, size_t) { return kItemOverhead; }
size_t BytesOf(const RemoveMatching& batch, size_t) { return batch.prefix.size(); }
size_t BytesOf(const ReportFailures&, size_t) { return kItemOverhead; }
size_t BytesOf(const GrantAhead&, size_t) { return kItemOverhead; }

template <typename Any>
size_t HeadBytesOf(const Any&) {
  return kMessageOverhead;
}
size_t HeadBytesOf(const StartPut& batch) {
  size_t bytes = kMessageOverhead;
  for (const std::string& name : batch.preferred_nodes) bytes += kItemOverhead + name.size();
  return bytes;
}

size_t HeadBytesOf(const CommitPut& batch) { return HeadBytesOf(batch.put); }

// The same verb with the same options, without items.
template <typename Any>
Any HeadOf(const Any&) {
  return Any{};
}
Locate HeadOf(const Locate& batch) {
  return {
      .keys = {}, .want_lease = batch.want_lease, .readable = batch.readable, .await = batch.await};
}
Pin HeadOf(const Pin& batch) { return {.keys = {}, .hard = batch.hard, .soft = batch.soft}; }
StartPut HeadOf(const StartPut& batch) {
  StartPut head;
  head.replicas = batch.replicas;
  head.replace = batch.replace;
  head.placement = batch.placement;
  head.preferred_nodes = batch.preferred_nodes;
  head.durable = batch.durable;
  head.retention = batch.retention;
  return head;
}
CommitPut HeadOf(const CommitPut& batch) {
  CommitPut head;
  if (!batch.pieces.empty()) head.put = HeadOf(batch.put);
  return head;
}

template <typename Keyed>
void AddItem(const Keyed& from, size_t i, Keyed* to) {
  to->keys.Add(from.keys[i]);
}
void AddItem(const StartPut& from, size_t i, StartPut* to) {
  to->keys.Add(from.keys[i]);
  to->sequences.push_back(from.sequences[i]);
  to->sizes.push_back(from.sizes[i]);
  if (!from.positions.empty()) to->positions.push_back(from.positions[i]);
  if (!from.instead_of.empty()) to->instead_of.push_back(from.instead_of[i]);
}
void AddItem(const CommitPut& from, size_t i, CommitPut* to) {
  to->sequences.push_back(from.sequences[i]);
  to->checksums.push_back(from.checksums[i]);
  if (from.pieces.empty()) return;
  to->pieces.push_back(from.pieces[i]);
  AddItem(from.put, i, &to->put);
}
void AddItem(const NoteReads& from, size_t i, NoteReads* to) { to->puts.push_back(from.puts[i]); }
void AddItem(const RemoveMatching& from, size_t, RemoveMatching* to) { to->prefix = from.prefix; }
void AddItem(const GrantAhead& from, size_t, GrantAhead* to) { *to = from; }
void AddItem(const ReportFailures& from, size_t i, ReportFailures* to) {
  to->segments.push_back(from.segments[i]);
}
void AddItem(const AbortPut& from, size_t i, AbortPut* to) {
  to->sequences.push_back(from.sequences[i]);
}

// What a later part says of the items before it.
template <typename Any>
void FollowOn(const Any&, size_t /*begin*/, Any* /*part*/) {}
void FollowOn(const Locate& batch, size_t begin, Locate* part) {
  if (begin > 0) part->await.after = batch.keys[begin - 1];
}

// How many items from `begin` on fit into one message; at least one.
template <typename Any>
size_t Fitting(const Any& batch, size_t begin) {
  const size_t end = std::min(CountOf(batch), begin + kMaxBatchItems);
  size_t bytes = HeadBytesOf(batch);
  size_t i = begin;
  while (i < end && bytes + BytesOf(batch, i) <= kMaxMessageBytes) bytes += BytesOf(batch, i++);
  return std::max<size_t>(i - begin, 1);
}

template <typename Any>
std::vector<Message> Cut(Any batch) {
  const size_t total = CountOf(batch);
  std::vector<Message> messages;
  for (size_t begin = 0; begin < total;) {
    const size_t count = Fitting(batch, begin);
    Message message{static_cast<uint32_t>(begin), static_cast<uint32_t>(count), {}};
    if (count == total) {
      message.request.verb = std::move(batch);
    } else {
      Any part = HeadOf(batch);
      FollowOn(batch, begin, &part);
      for (size_t i = begin; i < begin + count; ++i) AddItem(batch, i, &part);
      message.request.verb = std::move(part);
    }
    messages.push_back(std::move(message));
    begin += count;
  }
  return messages;
}

}  // namespace

size_t ItemCount(const Verb& verb) {
  return std::visit([](const auto& batch) { return CountOf(batch); }, verb);
}

std::vector<Message> CutBatch(Verb batch) {
  return std::visit([](auto&& whole) { return Cut(std::move(whole)); }, std::move(batch));
}

}  // namespace kvstore::client
