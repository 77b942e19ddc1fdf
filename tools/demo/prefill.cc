#include <unordered_set>
#include <vector>

#include "thread_annotations.h"
#include "tools/demo/block_content.h"
#include "tools/demo/roles.h"

namespace kvstore::demo {
namespace {

// The blocks that this process has begun to put, and those that it has put. Thread-safe.
class OwnBlocks {
 public:
  // How many of them it had put before.
  uint64_t Begin(const std::vector<uint64_t>& blocks) {
    const MutexLock lock(mu_);
    uint64_t again = 0;
    for (const uint64_t block : blocks) {
      again += put_.contains(block) ? 1 : 0;
      begun_.insert(block);
    }
    return again;
  }
  void NotePut(uint64_t block) {
    const MutexLock lock(mu_);
    put_.insert(block);
  }
  bool HasBegun(uint64_t block) const {
    const MutexLock lock(mu_);
    return begun_.contains(block);
  }

 private:
  mutable Mutex mu_;
  std::unordered_set<uint64_t> begun_ GUARDED_BY(mu_);
  std::unordered_set<uint64_t> put_ GUARDED_BY(mu_);
};

class PrefillThread final : public RoleThread {
 public:
  PrefillThread(Client* client, const RoleOptions& options, OwnBlocks* own, BusyTime* put_busy)
      : client_(client),
        words_(options.block_bytes / sizeof(uint64_t)),
        replicas_(options.replicas),
        own_(own),
        put_busy_(put_busy) {}

  Report Serve(const TraceRequest& request) override {
    Report report{.what = "request", .numbers = {}, .problem = ""};
    report.numbers["blocks"] = request.blocks.size();
    const std::vector<uint64_t> missing = Missing(request.blocks, &report);
    if (!missing.empty()) Store(missing, &report);
    return report;
  }

 private:
  // The blocks that the pool lacks.
  std::vector<uint64_t> Missing(const std::vector<uint64_t>& blocks, Report* report) {
    std::vector<std::string> keys;
    for (const uint64_t block : blocks) keys.push_back(KeyOfBlock(block));
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const TimePoint begin = BootClock::now();
    const std::vector<Result<bool>> found = client_->Exists(views);
    report->numbers["exists_us"] = WholeMicroseconds(BootClock::now() - begin);
    std::vector<uint64_t> missing;
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (!found[i].ok()) {
        AddProblem(report, found[i].status());
      } else if (*found[i]) {
        ++report->numbers["hits"];
        if (!own_->HasBegun(blocks[i])) ++report->numbers["inherited"];
      } else {
        missing.push_back(blocks[i]);
      }
    }
    return missing;
  }

  // "Computes" the blocks and stores them.
  void Store(const std::vector<uint64_t>& blocks, Report* report) {
    // First, so that no thread finds one of these and takes it for another's.
    report->numbers["again"] = own_->Begin(blocks);
    content_.resize(std::max(content_.size(), blocks.size() * words_));
    std::vector<std::string> keys;
    std::vector<ConstPiece> pieces;
    for (size_t i = 0; i < blocks.size(); ++i) {
      const std::span<uint64_t> content(content_.data() + i * words_, words_);
      FillBlock(blocks[i], content);
      keys.push_back(KeyOfBlock(blocks[i]));
      pieces.push_back({.data = content.data(), .size = content.size_bytes()});
    }
    std::vector<PutItem> items;
    for (size_t i = 0; i < blocks.size(); ++i) {
      items.push_back({.key = keys[i], .pieces = {&pieces[i], 1}});
    }
    TimedCall call(put_busy_);
    // Durable, so that what is killed here is not lost.
    const std::vector<Status> stored =
        client_->Put(items, {.replicas = replicas_, .durable = true});
    report->numbers["put_us"] = WholeMicroseconds(call.End());
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Status& status = stored[i];
      if (status.ok()) {
        own_->NotePut(blocks[i]);
        ++report->numbers["stored"];
      } else if (status.code() == StatusCode::kAlreadyExists) {  // another thread was faster
        ++report->numbers["outrun"];
      } else {
        AddProblem(report, status);
      }
    }
  }

  Client* const client_;
  const size_t words_;
  const uint32_t replicas_;
  OwnBlocks* const own_;
  BusyTime* const put_busy_;
  std::vector<uint64_t> content_;
};

class Prefill final : public Role {
 public:
  Prefill(Client* client, const RoleOptions& options) : client_(client), options_(options) {}

  std::unique_ptr<RoleThread> NewThread() override {
    return std::make_unique<PrefillThread>(client_, options_, &own_, &put_busy_);
  }

  Report Totals() const override { return TotalsOf(*client_, put_busy_); }

 private:
  Client* const client_;
  const RoleOptions options_;
  OwnBlocks own_;
  BusyTime put_busy_;
};

}  // namespace

std::unique_ptr<Role> NewPrefill(Client* client, const RoleOptions& options) {
  return std::make_unique<Prefill>(client, options);
}

}  // namespace kvstore::demo
