#include "master/poller.h"

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <utility>
#include <vector>

namespace kvstore::master {
namespace {

using std::chrono::seconds;

// An operation that gRPC is done with at once; it lasts until then.
class Due final : public Poller::Operation {
 public:
  static void Start(Poller& poller, std::function<void()> done) {
    auto* const due = new Due(std::move(done));
    due->alarm_.Set(poller.queue(), gpr_inf_past(GPR_CLOCK_MONOTONIC), poller.Tag(due));
  }

 private:
  explicit Due(std::function<void()> done) : done_(std::move(done)) {}
  void Done(bool) override {
    const std::unique_ptr<Due> self(this);
    done_();
  }

  const std::function<void()> done_;
  grpc::Alarm alarm_;
};

class PollerTest : public testing::Test {
 protected:
  PollerTest() {
    grpc::ServerBuilder builder;
    builder.RegisterAsyncGenericService(&service_);
    auto queue = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    poller_ = std::make_unique<Poller>(std::move(queue), 3);
  }
  ~PollerTest() override {
    server_->Shutdown();
    poller_.reset();
  }

  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Poller> poller_;
};

TEST_F(PollerTest, WhoStepsAsideHoldsUpNobody) {
  for (int i = 0; i < 3; ++i) {
    const auto quick = std::make_shared<std::promise<void>>();
    const auto slow = std::make_shared<std::promise<std::future_status>>();
    Due::Start(*poller_, [this, quick, slow] {
      poller_->StepAside();
      slow->set_value(quick->get_future().wait_for(seconds(30)));
    });
    Due::Start(*poller_, [quick] { quick->set_value(); });
    EXPECT_EQ(slow->get_future().get(), std::future_status::ready);
  }
}

// The last one goes on polling when it is done.
TEST_F(PollerTest, WhereAllAreBusyTheNextWaits) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  for (int i = 0; i < 3; ++i) {
    Due::Start(*poller_, [this, released] {
      poller_->StepAside();
      released.wait();
    });
  }
  const auto last = std::make_shared<std::promise<void>>();
  Due::Start(*poller_, [last] { last->set_value(); });
  release.set_value();
  EXPECT_EQ(last->get_future().wait_for(seconds(30)), std::future_status::ready);
}

}  // namespace
}  // namespace kvstore::master
