#ifndef KVSTORE_TESTS_FAKES_FAKE_MASTER_H_
#define KVSTORE_TESTS_FAKES_FAKE_MASTER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/master.h"
#include "fakes/fake_node.h"

namespace kvstore::testing {

// A master that grants whatever is asked on the first nodes and locates what was committed, unless
// the test says otherwise. Confined to one thread.
class FakeMaster final : public client::Master {
 public:
  explicit FakeMaster(std::vector<std::unique_ptr<FakeNode>>& nodes) : nodes_(nodes) {}

  static constexpr Incarnation kWriter{99, 99};  // of every put

  // What the test may say.
  std::map<std::string, Status> refused;   // keys whose StartPut is answered so
  std::map<std::string, Duration> parked;  // keys whose grant waited for so long
  size_t items_per_wave = 1000;
  uint64_t granules_per_range = 1000;
  Duration grant = std::chrono::seconds(30);
  uint64_t ahead_bytes = 0;  // of each grant ahead; 0: none is given
  Duration ahead_grant = std::chrono::seconds(30);
  std::function<void()> before_wave = [] {};  // each but the first
  std::function<Status(uint64_t sequence)> commit = [](uint64_t) { return Status::Ok(); };
  std::function<Status(uint64_t sequence)> abort = [](uint64_t) { return Status::Ok(); };
  std::function<void(TimePoint until)> pause;
  std::function<void(const ReportFailures&)> complain;
  size_t first_node = 0;  // that grants
  std::function<Status(const std::string& key)> locate = [](const std::string&) {
    return Status::Ok();
  };
  std::vector<Incarnation> unknown_peers;
  Duration lease{};  // of every object that is located with one

  // What it was asked.
  StartPut started;
  std::vector<GrantAhead> aheads;
  std::vector<CommitPut> commits;
  std::vector<AbortPut> aborts;
  std::vector<std::vector<std::string>> finds;  // keys of each Find
  std::vector<NoteReads> notes;
  TimePoint commit_deadline;

  // What is committed; a test may spoil it.
  std::map<std::string, LocateAnswer> objects;

  uint64_t NewSequences(size_t count) override { return std::exchange(next_, next_ + count); }
  std::unique_ptr<client::StartedPuts> Start(StartPut request, TimePoint) override;
  // Answer when they are asked.
  std::unique_ptr<client::Asked<StartPutAnswer>> BeginAhead(GrantAhead request,
                                                            TimePoint deadline) override;
  std::unique_ptr<client::Asked<ItemAnswer>> BeginCommit(CommitPut request,
                                                         TimePoint deadline) override;
  std::vector<ItemAnswer> Abort(AbortPut request, TimePoint deadline) override;
  std::vector<LocateAnswer> Find(Locate request, TimePoint deadline) override;
  std::optional<Peer> FindPeer(Incarnation holder) const override;

  // Not what Put and Get use.
  std::vector<ItemAnswer> Ask(Exists, TimePoint) override { return {}; }
  std::vector<ItemAnswer> Await(WaitExists, TimePoint) override { return {}; }
  std::vector<ItemAnswer> Drop(Remove, TimePoint) override { return {}; }
  std::vector<StatAnswer> Describe(StatObject, TimePoint) override { return {}; }
  std::vector<ItemAnswer> Keep(Pin, TimePoint) override { return {}; }
  CountAnswer Sweep(RemoveMatching, TimePoint) override { return {}; }
  void Note(NoteReads request) override { notes.push_back(std::move(request)); }
  void Complain(ReportFailures request) override {
    if (complain) complain(request);
  }
  void Pause(TimePoint until) override { pause(until); }

 private:
  class Waves;
  template <typename Message>
  class Answered;
  struct Pending {
    std::string key;
    LocateAnswer object;
  };

  StartPutAnswer Answer(uint32_t index);

  std::vector<std::unique_ptr<FakeNode>>& nodes_;
  std::map<uint64_t, Pending> pending_;  // by sequence
  std::map<uint64_t, Replica> ahead_;    // by sequence
  uint64_t next_ = 1;
};

}  // namespace kvstore::testing

#endif  // KVSTORE_TESTS_FAKES_FAKE_MASTER_H_
