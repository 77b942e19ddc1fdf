#include "fakes/fake_master.h"

#include <algorithm>

namespace kvstore::testing {

class FakeMaster::Waves final : public client::StartedPuts {
 public:
  explicit Waves(FakeMaster& master) : master_(master) {}

  std::vector<StartPutAnswer> NextWave() override {
    std::vector<StartPutAnswer> wave;
    if (next_ > 0) master_.before_wave();
    while (next_ < master_.started.keys.size() && wave.size() < master_.items_per_wave) {
      wave.push_back(master_.Answer(next_++));
    }
    return wave;
  }

 private:
  FakeMaster& master_;
  uint32_t next_ = 0;
};

template <typename Message>
class FakeMaster::Answered final : public client::Asked<Message> {
 public:
  explicit Answered(std::vector<Message> answers) : answers_(std::move(answers)) {}
  bool HaveCome() override { return true; }
  std::vector<Message> Wait() override { return std::move(answers_); }

 private:
  std::vector<Message> answers_;
};

std::unique_ptr<client::StartedPuts> FakeMaster::Start(StartPut request, TimePoint) {
  started = std::move(request);
  return std::make_unique<Waves>(*this);
}

StartPutAnswer FakeMaster::Answer(uint32_t index) {
  const std::string key(started.keys[index]);
  StartPutAnswer answer;
  answer.index = index;
  if (refused.count(key)) {
    answer.status = refused[key];
    return answer;
  }
  for (uint32_t i = 0; i < started.replicas; ++i) {
    answer.replicas.push_back(
        nodes_[(first_node + i) % nodes_.size()]->Grant(started.sizes[index], granules_per_range));
  }
  answer.grant = grant;
  answer.parked = parked[key];
  LocateAnswer object;
  object.put = {kWriter, started.sequences[index]};
  object.size = started.sizes[index];
  object.replicas = answer.replicas;
  pending_[started.sequences[index]] = {key, object};
  return answer;
}

std::unique_ptr<client::Asked<StartPutAnswer>> FakeMaster::BeginAhead(GrantAhead request,
                                                                      TimePoint) {
  StartPutAnswer answer;
  if (ahead_bytes < request.least || ahead_bytes == 0) {
    answer.status = ResourceExhaustedError("none is given ahead");
  } else {
    answer.replicas = {nodes_[first_node]->Grant(ahead_bytes, 1'000'000)};
    answer.grant = ahead_grant;
    answer.term = 1;
    answer.granule = kDefaultGranule;
    ahead_[request.sequence] = answer.replicas.front();
  }
  aheads.push_back(std::move(request));
  return std::make_unique<Answered<StartPutAnswer>>(std::vector{std::move(answer)});
}

std::unique_ptr<client::Asked<ItemAnswer>> FakeMaster::BeginCommit(CommitPut request,
                                                                   TimePoint deadline) {
  commit_deadline = deadline;
  std::vector<ItemAnswer> answers;
  for (uint32_t i = 0; i < request.sequences.size(); ++i) {
    if (!request.pieces.empty()) {
      const GrantPiece& piece = request.pieces[i];
      LocateAnswer object;
      object.put = {kWriter, request.sequences[i]};
      object.size = request.put.sizes[i];
      object.replicas = {ahead_.at(piece.grant)};
      object.replicas.front().ranges = {{piece.offset, piece.length}};
      pending_[request.sequences[i]] = {std::string(request.put.keys[i]), object};
    }
    const Status status = commit(request.sequences[i]);
    if (status.ok()) {
      Pending& put = pending_.at(request.sequences[i]);
      put.object.checksum = request.checksums[i];
      objects[put.key] = put.object;
    }
    answers.push_back({i, status});
  }
  commits.push_back(std::move(request));
  return std::make_unique<Answered<ItemAnswer>>(std::move(answers));
}

std::vector<ItemAnswer> FakeMaster::Abort(AbortPut request, TimePoint) {
  std::vector<ItemAnswer> answers;
  for (uint32_t i = 0; i < request.sequences.size(); ++i) {
    answers.push_back({i, abort(request.sequences[i])});
  }
  aborts.push_back(std::move(request));
  return answers;
}

std::vector<LocateAnswer> FakeMaster::Find(Locate request, TimePoint) {
  std::vector<LocateAnswer> answers;
  finds.emplace_back();
  for (uint32_t i = 0; i < request.keys.size(); ++i) {
    const std::string key(request.keys[i]);
    finds.back().push_back(key);
    const Status status = locate(key);
    LocateAnswer answer;
    if (!status.ok()) {
      answer.status = status;
    } else if (objects.count(key)) {
      answer = objects[key];
      if (request.want_lease) answer.lease = lease;
    } else {
      answer.status = NotFoundError("no object under this key");
    }
    answer.index = i;
    answers.push_back(std::move(answer));
  }
  return answers;
}

std::optional<Peer> FakeMaster::FindPeer(Incarnation holder) const {
  if (std::count(unknown_peers.begin(), unknown_peers.end(), holder)) return std::nullopt;
  for (const auto& node : nodes_) {
    if (node->peer().incarnation == holder) return node->peer();
  }
  return std::nullopt;
}

}  // namespace kvstore::testing
