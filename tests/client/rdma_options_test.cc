#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "client/client_options.h"
#include "client/rdma_notice.h"

namespace kvstore::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using transfer::Way;

// What the environment says while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* const name_;
};

TEST(RdmaOptionsTest, TheEnvironmentSaysWhatOptionsDoNot) {
  const Variable devices("KVSTORE_RDMA_DEVICES", "mlx5_0,mlx5_1");
  const Variable gid("KVSTORE_RDMA_GID_INDEX", "3");
  ClientOptions silent;
  ASSERT_TRUE(TakeEnvironment(&silent).ok());
  EXPECT_THAT(silent.rdma_devices, ElementsAre("mlx5_0", "mlx5_1"));
  EXPECT_EQ(silent.rdma_gid_index, 3);
  ClientOptions said;
  said.rdma_devices = {"mlx5_2"};
  said.rdma_gid_index = 1;
  ASSERT_TRUE(TakeEnvironment(&said).ok());
  EXPECT_THAT(said.rdma_devices, ElementsAre("mlx5_2"));
  EXPECT_EQ(said.rdma_gid_index, 1);
}

TEST(RdmaOptionsTest, NonsenseInTheEnvironmentIsRefusedByItsName) {
  ClientOptions options;
  {
    const Variable gid("KVSTORE_RDMA_GID_INDEX", "first");
    EXPECT_THAT(TakeEnvironment(&options).message(),
                HasSubstr("KVSTORE_RDMA_GID_INDEX is 'first'"));
  }
  const Variable devices("KVSTORE_RDMA_DEVICES", "mlx5_0,,mlx5_1");
  EXPECT_THAT(TakeEnvironment(&options).message(), HasSubstr("KVSTORE_RDMA_*"));
  EXPECT_THAT(options.rdma_devices, IsEmpty());
}

TEST(RdmaOptionsTest, DevicesAndAddressesAreChecked) {
  ClientOptions options;
  options.rdma_devices = {"mlx5_0", "mlx5_0"};
  EXPECT_THAT(CheckOptions(options).message(), HasSubstr("mlx5_0 twice"));
  options.rdma_devices = {"../mlx5_0"};
  EXPECT_THAT(CheckOptions(options).message(), HasSubstr("no name of a device"));
  options.rdma_devices = {};
  options.rdma_gid_index = 256;
  EXPECT_THAT(CheckOptions(options).message(), HasSubstr("rdma_gid_index is 256"));
}

class Listener : public google::LogSink {
 public:
  Listener() { google::AddLogSink(this); }
  ~Listener() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity severity, const char*, const char*, int, const struct tm*,
            const char* message, size_t length) override {
    heard.push_back((severity == google::GLOG_WARNING ? "W " : "I ") +
                    std::string(message, length));
  }
  std::vector<std::string> heard;
};

transfer::Reach Without(const std::string& why) {
  transfer::Reach reach;
  reach.rdma = FailedPreconditionError(why);
  return reach;
}

TEST(RdmaNoticeTest, WithoutHardwareItIsSaidOnce) {
  Listener listener;
  for (int i = 0; i < 3; ++i) TellOfRdma({}, Without("there is no device in this test"));
  ASSERT_EQ(listener.heard.size(), 1u);
  EXPECT_THAT(listener.heard[0], HasSubstr("I no RDMA, bytes between machines go by TCP: there"));
}

TEST(RdmaNoticeTest, WhoAskedForItByNameIsWarned) {
  Listener listener;
  ClientOptions by_way;
  by_way.ways = {Way::kTcp, Way::kRdma};
  TellOfRdma(by_way, Without("none for the way"));
  ClientOptions by_device;
  by_device.rdma_devices = {"mlx5_0"};
  TellOfRdma(by_device, Without("none for the device"));
  EXPECT_THAT(listener.heard, ElementsAre(HasSubstr("W no RDMA"), HasSubstr("W no RDMA")));
}

TEST(RdmaNoticeTest, NothingIsSaidWhereItIsForbidden) {
  Listener listener;
  ClientOptions options;
  options.ways = {Way::kTcp};
  TellOfRdma(options, Without("forbidden"));
  EXPECT_THAT(listener.heard, IsEmpty());
}

TEST(RdmaNoticeTest, MemoryThatCannotBeLockedIsAWarning) {
  Listener listener;
  transfer::Reach reach;
  reach.rdma_devices = {"mlx5_0"};
  reach.rdma = ResourceExhaustedError("mlx5_0 can't register");
  TellOfRdma({}, reach);
  EXPECT_THAT(listener.heard, ElementsAre(HasSubstr("W no RDMA")));
}

TEST(RdmaNoticeTest, DevicesAreNamed) {
  Listener listener;
  transfer::Reach reach;
  reach.rdma_devices = {"mlx5_0", "mlx5_3"};
  reach.rdma_unused = {"mlx5_1 is down"};
  TellOfRdma({}, reach);
  EXPECT_THAT(listener.heard, ElementsAre(HasSubstr("I RDMA: mlx5_1 is down"),
                                          HasSubstr("I RDMA over mlx5_0, mlx5_3")));
}

}  // namespace
}  // namespace kvstore::client
