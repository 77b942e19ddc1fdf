#include "master/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <vector>

namespace kvstore::master {
namespace {

using std::chrono::milliseconds;

Result<Launch> Read(const std::vector<std::string_view>& arguments) {
  return ReadCommandLine(arguments);
}

// A file with this text for the time of a test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    std::string name = testing::TempDir() + "master_XXXXXX";
    const int fd = mkstemp(name.data());
    EXPECT_GE(fd, 0);
    close(fd);
    name_ = name;
    std::ofstream(name_) << text;
  }
  ~TemporaryFile() { unlink(name_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

TEST(ConfigFlags, NothingGivesTheDefaults) {
  const Result<Launch> launch = Read({});
  ASSERT_TRUE(launch.ok()) << launch.status();
  EXPECT_EQ(launch->action, Launch::Action::kRun);
  EXPECT_EQ(launch->config.listen, "127.0.0.1");
  EXPECT_EQ(launch->config.port, 50051);
  EXPECT_EQ(launch->config.metrics_port, 9003);
}

TEST(ConfigFlags, OneDashTwoDashesEqualsAndSpaceAreAlike) {
  const std::vector<std::vector<std::string_view>> forms = {
      {"-port", "50052"}, {"--port", "50052"}, {"-port=50052"}, {"--port=50052"}};
  for (const auto& form : forms) {
    const Result<Launch> launch = Read(form);
    ASSERT_TRUE(launch.ok()) << launch.status();
    EXPECT_EQ(launch->config.port, 50052);
  }
}

TEST(ConfigFlags, UsualCommandLineWorksAsTyped) {
  const Result<Launch> launch =
      Read({"-port", "50052", "-max_threads", "64", "-metrics_port", "9004"});
  ASSERT_TRUE(launch.ok()) << launch.status();
  EXPECT_EQ(launch->config.port, 50052);
  EXPECT_EQ(launch->config.max_threads, 64U);
  EXPECT_EQ(launch->config.metrics_port, 9004);
}

TEST(ConfigFlags, BooleansNeedNoValue) {
  EXPECT_TRUE(Read({"--insecure_allow_remote"})->config.insecure_allow_remote);
  EXPECT_FALSE(Read({"--noinsecure_allow_remote"})->config.insecure_allow_remote);
  EXPECT_FALSE(Read({"--insecure_allow_remote", "--insecure_allow_remote=false"})
                   ->config.insecure_allow_remote);
}

TEST(ConfigFlags, LastOneCounts) { EXPECT_EQ(Read({"-port=1", "-port=2"})->config.port, 2); }

TEST(ConfigFlags, ActionsAreRecognised) {
  EXPECT_EQ(Read({"--help"})->action, Launch::Action::kHelp);
  EXPECT_EQ(Read({"-version"})->action, Launch::Action::kVersion);
  EXPECT_EQ(Read({"--print_config", "-port=3"})->action, Launch::Action::kPrintConfig);
}

struct BadCommandLine {
  std::vector<std::string_view> arguments;
  std::string words;  // that the message must hold
};

class ConfigBadFlags : public testing::TestWithParam<BadCommandLine> {};

TEST_P(ConfigBadFlags, AreNamedInOneLine) {
  const Status status = Read(GetParam().arguments).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(GetParam().words), std::string::npos)
      << "'" << status.message() << "' says nothing of '" << GetParam().words << "'";
  EXPECT_EQ(status.message().find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigBadFlags,
    testing::Values(BadCommandLine{{"--prot=1"}, "unknown flag --prot; did you mean --port?"},
                    BadCommandLine{{"--verison"}, "did you mean --version?"},
                    BadCommandLine{{"--lease_sm", "5"}, "did you mean --lease_ms?"},
                    BadCommandLine{{"--noport"}, "unknown flag --noport"},
                    BadCommandLine{{"run"}, "'run' is no flag"},
                    BadCommandLine{{"-"}, "'-' is no flag"},
                    BadCommandLine{{"--"}, "'--' is no flag"},
                    BadCommandLine{{"--port"}, "--port needs a value: 0 to 65535"},
                    BadCommandLine{{"--config"}, "--config needs a value"},
                    BadCommandLine{{"--port=65536"}, "--port is '65536'; it must be 0 to 65535"},
                    BadCommandLine{{"--port=-1"}, "--port is '-1'"},
                    BadCommandLine{{"--port=5x"}, "--port is '5x'"},
                    BadCommandLine{{"--port="}, "--port is ''"},
                    BadCommandLine{{"--max_threads=3"}, "it must be 4 to 4096"},
                    BadCommandLine{{"--lease_ms=99999999999999999999"}, "0 to 600000 milliseconds"},
                    BadCommandLine{{"--free_share_wanted=1.5"}, "it must be 0 to 1"},
                    BadCommandLine{{"--free_share_wanted=nan"}, "it must be 0 to 1"},
                    BadCommandLine{{"--insecure_allow_remote=perhaps"}, "it must be true or false"},
                    BadCommandLine{{"--log_level=loud"}, "it must be info, warning or error"},
                    BadCommandLine{{"--listen=example.org"}, "an IPv4 or IPv6 address"},
                    BadCommandLine{{"--listen=0.0.0.0"}, "--insecure_allow_remote"},
                    BadCommandLine{{"--listen=::"}, "--insecure_allow_remote"},
                    BadCommandLine{{"--port=9003"}, "port and metrics_port are both 9003"},
                    BadCommandLine{{"--heartbeat_ms=1500"}, "must be more than heartbeat_ms, 1500"},
                    BadCommandLine{{"--gone_after_ms=4999"}, "must be at least lease_ms, 5000"},
                    BadCommandLine{{"--config=/no/such/file"}, "cannot read /no/such/file"},
                    BadCommandLine{{"--config=/"}, "cannot read /"}));

TEST(ConfigListen, LoopbackIsKnownInAllItsForms) {
  for (const char* address : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0", "10.0.0.1", "::", "fe80::1", "::ffff:10.0.0.1", "x"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(ConfigListen, LocalhostAndBracketsAreTaken) {
  EXPECT_EQ(Read({"--listen", "localhost"})->config.listen, "127.0.0.1");
  EXPECT_EQ(Read({"--listen", "[::1]"})->config.listen, "::1");
  EXPECT_EQ(Read({"--listen", "0.0.0.0", "--insecure_allow_remote"})->config.listen, "0.0.0.0");
}

TEST(ConfigYaml, FlagGoesBeforeFileBeforeDefault) {
  const TemporaryFile file("port: 1111\nlease_ms: 700\n");
  const Result<Launch> launch = Read({"--port", "2222", "--config", file.name()});
  ASSERT_TRUE(launch.ok()) << launch.status();
  EXPECT_EQ(launch->config.port, 2222);
  EXPECT_EQ(launch->config.limits.lease, milliseconds(700));
  EXPECT_EQ(launch->config.metrics_port, 9003);
}

struct BadFile {
  std::string text;
  std::string words;
};

class ConfigBadFiles : public testing::TestWithParam<BadFile> {};

TEST_P(ConfigBadFiles, AreNamedWithTheirLine) {
  Config config;
  const Status status = ReadYaml(GetParam().text, "m.yaml", &config);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find(GetParam().words), std::string::npos)
      << "'" << status.message() << "' says nothing of '" << GetParam().words << "'";
  EXPECT_EQ(status.message().find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigBadFiles,
    testing::Values(BadFile{"port: 1\nleese_ms: 5\n",
                            "m.yaml:2: unknown key 'leese_ms'; did you mean 'lease_ms'?"},
                    BadFile{"metricsport: 5", "did you mean 'metrics_port'?"},
                    BadFile{"config: other.yaml", "unknown key 'config'"},
                    BadFile{"port: many", "m.yaml:1: port is 'many'; it must be 0 to 65535"},
                    BadFile{"port: [1, 2]", "m.yaml:1: port must be a single value"},
                    BadFile{"port: 1\nport: 2", "m.yaml:2: port is set twice, first in line 1"},
                    BadFile{"- port", "must be a map"}, BadFile{"just words", "must be a map"},
                    BadFile{"[a, b]: 1", "a key must be a name"},
                    BadFile{"port: 1\n  lease_ms: 2", "m.yaml:2: "}, BadFile{"port: {", "m.yaml:"},
                    BadFile{"port: *alias", "m.yaml:1: "}));

TEST(ConfigYaml, EmptyFileChangesNothing) {
  for (const char* text : {"", "# nothing\n", "---\n"}) {
    Config config;
    EXPECT_TRUE(ReadYaml(text, "m.yaml", &config).ok());
    EXPECT_EQ(ToYaml(config), ToYaml(Config()));
  }
}

TEST(ConfigYaml, PrintedSettingsAreReadBack) {
  const Result<Launch> launch = Read({"--listen=::",
                                      "--insecure_allow_remote",
                                      "--port=0",
                                      "--metrics_port=1",
                                      "--max_threads=5",
                                      "--hello_timeout_ms=17",
                                      "--quiet_start_ms=18",
                                      "--shutdown_timeout_ms=6",
                                      "--state_file=a/file",
                                      "--log_level=error",
                                      "--log_format=json",
                                      "--log_objects",
                                      "--lease_ms=7",
                                      "--max_grant_ms=800",
                                      "--heartbeat_ms=90",
                                      "--suspect_after_ms=100",
                                      "--gone_after_ms=110",
                                      "--abort_writer_after_ms=12",
                                      "--order_resend_ms=13",
                                      "--free_share_wanted=0.25",
                                      "--leased_share_allowed=0.5",
                                      "--ahead_share_allowed=0.125",
                                      "--pinned_share_allowed=0.25",
                                      "--prepare_step_bytes=8192",
                                      "--repair_bytes_per_second=1000000",
                                      "--copies_in_flight=3",
                                      "--max_segments_per_node=2",
                                      "--max_replicas=3",
                                      "--max_ranges_per_replica=4",
                                      "--outcomes_kept_per_writer=9",
                                      "--max_objects=14",
                                      "--max_nodes=15",
                                      "--max_waiting_items=16"});
  ASSERT_TRUE(launch.ok()) << launch.status();
  const std::string printed = ToYaml(launch->config);
  Config back;
  const Status read = ReadYaml(printed, "printed", &back);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_EQ(ToYaml(back), printed);
  EXPECT_EQ(back.listen, "::");
  EXPECT_EQ(back.hello_timeout, milliseconds(17));
  EXPECT_EQ(back.limits.free_share_wanted, 0.25);
  EXPECT_EQ(back.limits.waiting_items, 16U);
  // So that a setting which is added is added here, too: nothing above is a default.
  std::istringstream lines(printed), defaults(ToYaml(Config()));
  for (std::string line, by_default;
       std::getline(lines, line) && std::getline(defaults, by_default);) {
    if (line.find(": ") == std::string::npos || line[0] == '#') continue;
    EXPECT_NE(line, by_default);
  }
}

TEST(ConfigState, AutoIsAFilePerPortInTheUsersStateFolder) {
  Config config;
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(*StatePath(config), "/state/kvstore/master-50051.state");
  config.port = 0;
  EXPECT_EQ(*StatePath(config), "");
  config.state_file = "here.state";
  EXPECT_EQ(*StatePath(config), "here.state");
  config.state_file = "none";
  EXPECT_EQ(*StatePath(config), "");
  unsetenv("XDG_STATE_HOME");
}

TEST(ConfigHelp, TellsEverySettingAndItsDefault) {
  const std::string help = HelpText();
  for (const char* words :
       {"--config", "--print_config", "--version", "--port", "default: 50051", "--metrics_port",
        "--max_threads", "--insecure_allow_remote", "--lease_ms", "EXIT STATUS", "EXAMPLES"}) {
    EXPECT_NE(help.find(words), std::string::npos) << words;
  }
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

}  // namespace
}  // namespace kvstore::master
