// A machine that has no thread left, in child processes: those of a parent would be lost in them.

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>

#include "transfer/rdma_fixture.h"

namespace kvstore::transfer {
namespace {

// From here on this process can start no thread, for good.
bool ForbidThreads() {
  const auto refuse = [](int error) {
    return static_cast<uint32_t>(SECCOMP_RET_ERRNO | (static_cast<uint32_t>(error) & 0xffff));
  };
  std::array<sock_filter, 6> filter = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, refuse(EAGAIN)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, refuse(ENOSYS)),  // clone is tried then
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

class RdmaThreadsTest : public RdmaTransportTest {
 protected:
  // The engines, in the child, and what is to go well there once no thread can be started.
  template <typename Then>
  void AfterACopy(Then then) {
    Start({.ways = {Way::kRdma, Way::kTcp}, .tcp_connections_per_peer = 1});
    Lend(1 << 20);
    Bytes bytes(4096);
    const bool copied = Run(Access::kRead, &bytes).outcome == Outcome::kDone;
    if (!copied || !ForbidThreads()) _exit(2);
    then(&bytes);
    _exit(0);
  }
};

TEST_F(RdmaThreadsTest, WithoutAThreadALaneThatBreaksIsClosedAllTheSame) {
  const auto run = [this] {
    AfterACopy([this](Bytes* bytes) {
      FakeFabric::SetFate(
          [](const std::string&, const ibv_send_wr&) { return IBV_WC_RETRY_EXC_ERR; });
      (void)Run(Access::kRead, bytes);
      // Its closing counts, and is done by another thread.
      if (!Comes([] { return FakeFabric::queue_pairs() < 2; }, std::chrono::seconds(20))) _exit(3);
    });
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST_F(RdmaThreadsTest, WithoutAThreadAPeerIsClosedAllTheSame) {
  const auto run = [this] { AfterACopy([this](Bytes*) { client_->Close(peer_); }); };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST_F(RdmaThreadsTest, WithoutAThreadASubmittedBatchFailsAndItIsSaid) {
  const auto run = [this] {
    AfterACopy([this](Bytes* bytes) {
      const Piece piece{bytes->data(), bytes->size()};
      const Copy copy{.access = Access::kRead,
                      .peer = peer_,
                      .region = region_,
                      .offset = 0,
                      .pieces = std::span(&piece, 1),
                      .guard = {}};
      const std::unique_ptr<Batch> batch = client_->Submit(std::span(&copy, 1), Soon());
      if (!batch->Wait(Soon())) _exit(6);
      const Completion completion = batch->completions()[0];
      if (completion.outcome != Outcome::kFailed) _exit(3);
      if (completion.status.code() != StatusCode::kResourceExhausted) _exit(4);
      const std::string& why = completion.status.message();
      if (why.find("no thread can be started") == std::string::npos) _exit(5);
    });
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST_F(RdmaThreadsTest, WithoutAThreadThereIsNoRdmaAndItIsSaid) {
  const auto run = [] {
    if (!ForbidThreads()) _exit(2);
    EngineOptions options{.ways = {Way::kRdma, Way::kTcp}};
    options.tcp_listen.clear();
    const auto engine = CreateEngine(options, {}, &FakeFabric::verbs());
    if (!engine.ok()) _exit(3);
    const std::string why = (*engine)->reach().rdma.message();
    _exit(why.find("no thread can be started for RDMA") == std::string::npos ? 4 : 0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace kvstore::transfer
