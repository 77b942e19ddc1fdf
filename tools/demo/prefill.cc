#include <vector>

#include "tools/demo/block_content.h"
#include "tools/demo/roles.h"

namespace kvstore::demo {
namespace {

class PrefillThread final : public RoleThread {
 public:
  PrefillThread(Client* client, const RoleOptions& options, BusyTime* put_busy)
      : client_(client), words_(options.block_bytes / sizeof(uint64_t)), put_busy_(put_busy) {}

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
      } else {
        missing.push_back(blocks[i]);
      }
    }
    return missing;
  }

  // "Computes" the blocks and stores them.
  void Store(const std::vector<uint64_t>& blocks, Report* report) {
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
    const std::vector<Status> stored = client_->Put(items);
    report->numbers["put_us"] = WholeMicroseconds(call.End());
    for (const Status& status : stored) {
      if (status.ok()) {
        ++report->numbers["stored"];
      } else if (status.code() != StatusCode::kAlreadyExists) {  // another thread was faster
        AddProblem(report, status);
      }
    }
  }

  Client* const client_;
  const size_t words_;
  BusyTime* const put_busy_;
  std::vector<uint64_t> content_;
};

class Prefill final : public Role {
 public:
  Prefill(Client* client, const RoleOptions& options) : client_(client), options_(options) {}

  std::unique_ptr<RoleThread> NewThread() override {
    return std::make_unique<PrefillThread>(client_, options_, &put_busy_);
  }

  Report Totals() const override {
    return {.what = "totals",
            .numbers = {{"local_put", client_->counters(transfer::Way::kLocal).bytes_written},
                        {"tcp_put", client_->counters(transfer::Way::kTcp).bytes_written},
                        {"put_busy_us", WholeMicroseconds(put_busy_.total())}},
            .problem = ""};
  }

 private:
  Client* const client_;
  const RoleOptions options_;
  BusyTime put_busy_;
};

}  // namespace

std::unique_ptr<Role> NewPrefill(Client* client, const RoleOptions& options) {
  return std::make_unique<Prefill>(client, options);
}

}  // namespace kvstore::demo
