#include <vector>

#include "tools/demo/block_content.h"
#include "tools/demo/roles.h"

namespace kvstore::demo {
namespace {

class DecodeThread final : public RoleThread {
 public:
  DecodeThread(Client* client, const RoleOptions& options, BusyTime* get_busy)
      : client_(client),
        options_(options),
        words_(options.block_bytes / sizeof(uint64_t)),
        get_busy_(get_busy) {}

  Report Serve(const TraceRequest& request) override {
    Report report{.what = "request", .numbers = {}, .problem = ""};
    report.numbers["blocks"] = request.blocks.size();
    const std::vector<uint64_t> present = WaitFor(request.blocks, &report);
    if (!present.empty()) Fetch(present, &report);
    return report;
  }

 private:
  // The blocks that are there now, or appear while it waits.
  std::vector<uint64_t> WaitFor(const std::vector<uint64_t>& blocks, Report* report) {
    std::vector<std::string> keys;
    for (const uint64_t block : blocks) keys.push_back(KeyOfBlock(block));
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const TimePoint begin = BootClock::now();
    const std::vector<Status> waited = client_->WaitExists(views, options_.wait);
    report->numbers["wait_us"] = WholeMicroseconds(BootClock::now() - begin);
    std::vector<uint64_t> present;
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (waited[i].ok()) {
        present.push_back(blocks[i]);
      } else if (waited[i].code() == StatusCode::kDeadlineExceeded) {
        ++report->numbers["missing"];
      } else {
        AddProblem(report, waited[i]);
      }
    }
    return present;
  }

  void Fetch(const std::vector<uint64_t>& blocks, Report* report) {
    content_.resize(std::max(content_.size(), blocks.size() * words_));
    std::vector<std::string> keys;
    std::vector<Piece> pieces;
    for (size_t i = 0; i < blocks.size(); ++i) {
      keys.push_back(KeyOfBlock(blocks[i]));
      pieces.push_back({.data = content_.data() + i * words_, .size = options_.block_bytes});
    }
    std::vector<GetItem> items;
    for (size_t i = 0; i < blocks.size(); ++i) {
      items.push_back({.key = keys[i], .pieces = {&pieces[i], 1}});
    }
    TimedCall call(get_busy_);
    const std::vector<GetResult> got = client_->Get(items);
    report->numbers["get_us"] = WholeMicroseconds(call.End());
    for (size_t i = 0; i < blocks.size(); ++i) Check(blocks[i], got[i], i, report);
  }

  void Check(uint64_t block, const GetResult& got, size_t place, Report* report) {
    if (got.status.code() == StatusCode::kNotFound) {  // evicted since it was there
      ++report->numbers["missing"];
    } else if (!got.status.ok()) {
      AddProblem(report, got.status);
    } else {
      const std::span<const uint64_t> content(content_.data() + place * words_, words_);
      report->numbers["got"] += got.size;
      report->numbers["wrong"] +=
          got.size == options_.block_bytes ? CountWrongBytes(block, content) : options_.block_bytes;
    }
  }

  Client* const client_;
  const RoleOptions options_;
  const size_t words_;
  BusyTime* const get_busy_;
  std::vector<uint64_t> content_;
};

class Decode final : public Role {
 public:
  Decode(Client* client, const RoleOptions& options) : client_(client), options_(options) {}

  std::unique_ptr<RoleThread> NewThread() override {
    return std::make_unique<DecodeThread>(client_, options_, &get_busy_);
  }

  Report Totals() const override { return TotalsOf(*client_, get_busy_); }

 private:
  Client* const client_;
  const RoleOptions options_;
  BusyTime get_busy_;
};

}  // namespace

std::unique_ptr<Role> NewDecode(Client* client, const RoleOptions& options) {
  return std::make_unique<Decode>(client, options);
}

}  // namespace kvstore::demo
