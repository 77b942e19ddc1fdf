#include "tools/kvbench/client_worker.h"

#include <cstdio>
#include <iostream>
#include <utility>

#include "kvstore/client.h"
#include "tools/kvbench/objects.h"
#include "tools/kvbench/pool.h"
#include "tools/kvbench/walk.h"

namespace kvstore::bench {
namespace {

constexpr const char* kReady = "waits for orders";
constexpr const char* kDid = "calls done: ";
constexpr Duration kTimeToEnd = std::chrono::seconds(10);

// One process's calls.
class Worker {
 public:
  Worker(std::unique_ptr<Client> client, const ClientWork& work, Walk walk)
      : work_(work), client_(std::move(client)), walk_(std::move(walk)) {
    for (uint64_t i = 0; i < work_.objects; ++i) {
      batches_.emplace_back(group_, i, 1, work_.size, &walk_);
    }
  }

  // No other one of the same name is to meet its objects.
  ~Worker() { (void)RemoveGroup(*client_, group_); }

  Status GetReady() {
    for (const Batch& batch : batches_) KVSTORE_RETURN_IF_ERROR(batch.Put(*client_));
    return work_.puts ? RemoveGroup(*client_, group_) : Status::Ok();
  }

  // How many calls were done in so long. Removing what they have put is part of it.
  Result<uint64_t> Work(Duration time) {
    const TimePoint until = BootClock::now() + time;
    uint64_t calls = 0;
    while (BootClock::now() < until) {
      if (next_ == batches_.size()) {
        if (work_.puts) KVSTORE_RETURN_IF_ERROR(RemoveGroup(*client_, group_));
        next_ = 0;
      }
      const Batch& batch = batches_[next_++];
      KVSTORE_RETURN_IF_ERROR(work_.puts ? batch.Put(*client_) : batch.Get(*client_));
      ++calls;
    }
    return calls;
  }

 private:
  const ClientWork work_;
  const std::string group_ = "client" + std::to_string(work_.who);
  const std::unique_ptr<Client> client_;
  Walk walk_;
  std::vector<Batch> batches_;
  size_t next_ = 0;
};

int Fail(const Status& status) {
  std::cerr << "kvbench: " << status << std::endl;
  return 1;
}

}  // namespace

Result<std::unique_ptr<ClientWorkers>> ClientWorkers::Start(const std::string& programs,
                                                            ClientWork work, size_t most) {
  auto workers = std::make_unique<ClientWorkers>();
  for (work.who = 0; work.who < most; ++work.who) {
    KVSTORE_ASSIGN_OR_RETURN(
        std::unique_ptr<demo::Child> worker,
        demo::Child::Start(
            "client " + std::to_string(work.who),
            {programs + "/kvbench", "worker", "client", "--master=" + work.master,
             work.puts ? "--what=put" : "--what=get", "--size=" + std::to_string(work.size),
             "--objects=" + std::to_string(work.objects), "--who=" + std::to_string(work.who)}));
    workers->workers_.push_back(std::move(worker));
  }
  for (const auto& worker : workers->workers_) {
    KVSTORE_RETURN_IF_ERROR(AwaitLine(worker.get(), kReady).status());
    worker->TakeLine();
  }
  return workers;
}

ClientWorkers::~ClientWorkers() {
  for (const auto& worker : workers_) worker->CloseInput();
  for (const auto& worker : workers_) AwaitExit(worker.get(), kTimeToEnd);
}

Result<double> ClientWorkers::Work(size_t count, Duration time) {
  const std::string order =
      std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  const TimePoint began = BootClock::now();
  for (size_t i = 0; i < count; ++i) KVSTORE_RETURN_IF_ERROR(workers_[i]->Tell(order));
  uint64_t calls = 0;
  for (size_t i = 0; i < count; ++i) {
    KVSTORE_ASSIGN_OR_RETURN(const std::string line, AwaitLine(workers_[i].get(), kDid));
    workers_[i]->TakeLine();
    calls += std::stoull(line.substr(line.find(kDid) + std::string(kDid).size()));
  }
  const std::chrono::duration<double> took = BootClock::now() - began;
  return static_cast<double>(calls) / took.count();
}

int WorkAsClient(const ClientWork& work) {
  ClientOptions options;
  options.master = work.master;
  Result<std::unique_ptr<Client>> client = Client::Connect(options);
  if (!client.ok()) return Fail(client.status());
  Result<Walk> walk = Walk::Private(work.size * work.objects);
  if (!walk.ok()) return Fail(walk.status());
  Worker worker(*std::move(client), work, *std::move(walk));
  if (const Status ready = worker.GetReady(); !ready.ok()) return Fail(ready);
  std::cout << kReady << std::endl;
  for (int64_t microseconds = 0; std::cin >> microseconds;) {
    const Result<uint64_t> calls = worker.Work(std::chrono::microseconds(microseconds));
    if (!calls.ok()) return Fail(calls.status());
    std::cout << kDid << *calls << std::endl;
  }
  return 0;
}

}  // namespace kvstore::bench
