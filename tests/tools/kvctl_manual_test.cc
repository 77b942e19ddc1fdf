#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>

#include "kvstore/client.h"
#include "tools/kvctl_fixture.h"

namespace kvstore::cluster {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(KvctlHelpTest, HelpIsNoErrorAndTellsEveryVerb) {
  for (const char* verb : {"status", "nodes", "segments", "ls", "put", "get", "stat", "rm"}) {
    EXPECT_THAT(Kvctl({"--help"}).out, ContainsRegex("  " + std::string(verb) + " "));
    const Finished help = Kvctl({"help", verb});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("SYNOPSIS"));
    EXPECT_EQ(Kvctl({verb, "--help"}).out, help.out);
    EXPECT_EQ(Kvctl({"--master", "h:1", "help", verb}).out, help.out);
  }
  EXPECT_EQ(Kvctl({"help"}).code, 0);
  EXPECT_EQ(Kvctl({"--version"}).out, "kvctl " + std::string(Version()) + "\n");
}

TEST(KvctlHelpTest, AWrongCommandLineIsExitStatusTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"frobnicate"},
      {"help", "frobnicate"},
      {"get"},
      {"get", "a", "b"},
      {"put", "key"},
      {"ls", "--limit", "x"},
      {"status", "--output", "xml"},
      {"status", "--timeout", "soon"},
      {"status", "--replace"},
      {"get", "--escaped", "\\q"},
  };
  for (const auto& words : wrong) {
    const Finished finished = Kvctl(words);
    EXPECT_EQ(finished.code, 2) << (words.empty() ? "no words" : words[0]) << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_THAT(finished.err, HasSubstr("kvctl help"));
  }
}

TEST(KvctlHelpTest, AMasterThatIsNoAddressIsRefusedByEveryVerb) {
  for (const char* address : {"127.0.0.1:99999", "", "::1:50051", "127.0.0.1", ":50051", "h:0"}) {
    for (const std::vector<std::string>& verb : {std::vector<std::string>{"status"},
                                                 {"nodes"},
                                                 {"segments"},
                                                 {"ls"},
                                                 {"get", "key"},
                                                 {"stat", "key"},
                                                 {"rm", "key"},
                                                 {"put", "key", "/dev/null"}}) {
      std::vector<std::string> words = {"--master=" + std::string(address)};
      words.insert(words.end(), verb.begin(), verb.end());
      const Finished finished = Kvctl(words);
      EXPECT_EQ(finished.code, 2) << address << " " << verb[0];
      EXPECT_THAT(finished.err, HasSubstr("--master is '" + std::string(address) + "'"));
    }
  }
}

TEST(KvctlDownTest, WithoutAMasterEveryVerbSaysSoInTime) {
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"status"}, {"ls"}, {"get", "key"}, {"rm", "key"}}) {
    std::vector<std::string> words = {"--master", "127.0.0.1:1", "--timeout", "1s"};
    words.insert(words.end(), verb.begin(), verb.end());
    const TimePoint begin = BootClock::now();
    const Finished finished = Kvctl(words);
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.err, HasSubstr("127.0.0.1:1"));
    EXPECT_LT(BootClock::now() - begin, seconds(8));  // 1 s, and the client's clean-up
  }
}

TEST(KvctlDownTest, AMasterThatIsJustStartingIsWaitedFor) {
  std::string address;
  {
    const MasterProcess earlier;
    ASSERT_TRUE(earlier.running());
    address = earlier.address();
  }
  ChildProcess status({KVSTORE_KVCTL_PATH, "--master", address, "--timeout", "20s", "status"});
  const MasterProcess master({"-port", address.substr(address.rfind(':') + 1)});
  ASSERT_TRUE(master.running());
  EXPECT_EQ(status.WaitForExit(seconds(20)), 0) << status.output();
}

TEST(KvctlDownTest, AMasterThatNeverAnswersIsGivenUpInTime) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string silent = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const TimePoint begin = BootClock::now();
  const Finished finished = Kvctl({"--master", silent, "--timeout", "1s", "status"});
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, HasSubstr(silent));
  EXPECT_LT(BootClock::now() - begin, seconds(8));
  close(listener);
}

bool Has(const std::string& program) {
  return RunProgram({"/bin/sh", "-c", "command -v " + program}).code == 0;
}

constexpr const char* kVerbs[] = {"status", "nodes",      "segments", "ls",    "top",    "watch",
                                  "doctor", "put",        "get",      "stat",  "locate", "pin",
                                  "unpin",  "evict",      "rm",       "drain", "copy",   "move",
                                  "tasks",  "completion", "man"};

TEST(KvctlManualTest, TheHelpHasEveryVerbOnce) {
  const std::string help = Kvctl({"help"}).out;
  for (const char* verb : kVerbs) {
    const std::string line = "\n  " + std::string(verb) + " ";
    const size_t at = help.find(line);
    EXPECT_NE(at, std::string::npos) << verb;
    EXPECT_EQ(help.find(line, at + 1), std::string::npos) << verb;
  }
}

TEST(KvctlManualTest, NoHelpIsWiderThanATerminal) {
  for (const char* verb : kVerbs) {
    std::istringstream help(Kvctl({"help", verb}).out);
    for (std::string line; std::getline(help, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST(KvctlManualTest, TheManualHasEveryVerbAndOption) {
  const std::string manual = Kvctl({"man"}).out;
  for (const char* verb : kVerbs)
    EXPECT_THAT(manual, HasSubstr(".SS \"kvctl " + std::string(verb)));
  for (const char* option : {"\\-\\-within TIME", "\\-\\-regex REGEX", "\\-\\-master HOST:PORT"}) {
    EXPECT_THAT(manual, HasSubstr(option));
  }
}

TEST(KvctlManualTest, EveryManualIsSoundRoffAndReadsWell) {
  if (!Has("groff")) GTEST_SKIP() << "there is no groff here";
  std::vector<std::vector<std::string>> manuals = {{"man"}};
  for (const char* verb : kVerbs) manuals.push_back({"man", verb});
  for (const auto& words : manuals) {
    const Finished manual = Kvctl(words);
    ASSERT_EQ(manual.code, 0);
    const Finished page = RunProgram({"groff", "-man", "-ww", "-Tascii", "-P-cbu"}, manual.out);
    EXPECT_EQ(page.code, 0);
    EXPECT_EQ(page.err, "") << words.back();
    EXPECT_THAT(page.out, HasSubstr("SEE ALSO"));
  }
}

TEST(KvctlManualTest, TheProgramsManualsAreBuiltOfTheirHelp) {
  if (!Has("groff")) GTEST_SKIP() << "there is no groff here";
  for (const char* program : {"kvstore_master", "kvstore_node", "kvctl"}) {
    const std::string roff = ReadFile(KVSTORE_MANUALS "/" + std::string(program) + ".1");
    const Finished page = RunProgram({"groff", "-man", "-ww", "-Tascii", "-P-cbu"}, roff);
    EXPECT_EQ(page.err, "") << program;
    EXPECT_THAT(page.out,
                AllOf(HasSubstr("NAME"), HasSubstr("SYNOPSIS"), HasSubstr("DESCRIPTION")));
  }
  const std::string master = ReadFile(KVSTORE_MANUALS "/kvstore_master.1");
  EXPECT_THAT(master, HasSubstr(".B \\-\\-suspect_after_ms\n"));
  EXPECT_THAT(ReadFile(KVSTORE_MANUALS "/kvstore_node.1"), HasSubstr(".B \\-\\-lend SIZE\n"));
}

// What bash would offer for the line, whose last word is being typed.
std::string Completed(const std::vector<std::string>& words) {
  std::string line = "source <(\"$1\" completion bash); COMP_WORDS=(kvctl";
  for (const std::string& word : words) line += " '" + word + "'";
  line += "); COMP_CWORD=" + std::to_string(words.size()) +
          "; _kvctl; printf '%s\\n' \"${COMPREPLY[@]}\"";
  const Finished finished = RunProgram({"/bin/bash", "-c", line, "bash", KVSTORE_KVCTL_PATH});
  EXPECT_EQ(finished.err, "");
  return finished.out;
}

TEST(KvctlCompletionTest, BashCompletesVerbsOptionsAndValues) {
  if (!Has("bash")) GTEST_SKIP() << "there is no bash here";
  EXPECT_EQ(Completed({"dr"}), "drain\n");
  EXPECT_EQ(Completed({"--master", "h:1", "dr"}), "drain\n");
  EXPECT_EQ(Completed({"--master", "=", "h:1", "dr"}), "drain\n");
  EXPECT_EQ(Completed({"drain", "--un"}), "--undo\n");
  EXPECT_EQ(Completed({"--out"}), "--output\n");
  EXPECT_EQ(Completed({"status", "--output", ""}), "table\njson\n");
  EXPECT_EQ(Completed({"status", "--output", "=", "j"}), "json\n");
  EXPECT_EQ(Completed({"completion", "z"}), "zsh\n");
  EXPECT_EQ(Completed({"help", "unp"}), "unpin\n");
  EXPECT_EQ(Completed({"man", "loc"}), "locate\n");
  const std::string file = TempPath("completed");
  WriteFile(file, "");
  EXPECT_EQ(Completed({"put", "key", file.substr(0, file.size() - 1)}), file + "\n");
  EXPECT_EQ(Completed({"get", "-o", file.substr(0, file.size() - 1)}), file + "\n");
  unlink(file.c_str());
}

TEST(KvctlCompletionTest, FishCompletesVerbsOptionsAndValues) {
  if (!Has("fish")) GTEST_SKIP() << "there is no fish here";
  const auto completed = [](const std::string& line) {
    const std::string script = "source $argv[1]; complete -C '" + line + "'";
    return RunProgram({"/usr/bin/env", "fish", "-c", script, KVSTORE_COMPLETIONS "/kvctl.fish"})
        .out;
  };
  EXPECT_THAT(completed("kvctl dr"), HasSubstr("drain\t"));
  EXPECT_THAT(completed("kvctl drain --un"), HasSubstr("--undo\t"));
  EXPECT_THAT(completed("kvctl status --output "), HasSubstr("json\t"));
  EXPECT_EQ(completed("kvctl help unp"), "unpin\n");
}

TEST(KvctlCompletionTest, ZshTakesItsScriptAsAFunction) {
  if (!Has("zsh")) GTEST_SKIP() << "there is no zsh here";
  const std::string script =
      "autoload -U compinit; compinit -D -u; source $1; print ${_comps[kvctl]} $+functions[_kvctl]";
  const Finished zsh =
      RunProgram({"/usr/bin/env", "zsh", "-f", "-c", script, "zsh", KVSTORE_COMPLETIONS "/_kvctl"});
  EXPECT_EQ(zsh.out, "_kvctl 1\n") << zsh.err;
}

TEST(KvctlCompletionTest, EveryShellTakesItsScript) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Finished script = Kvctl({"completion", shell});
    EXPECT_EQ(script.code, 0);
    for (const char* verb : kVerbs) EXPECT_THAT(script.out, HasSubstr(verb)) << shell;
    if (!Has(shell)) continue;
    const Finished read = RunProgram({"/usr/bin/env", shell, "-n"}, script.out);
    EXPECT_EQ(read.code, 0) << shell << read.err;
    EXPECT_EQ(read.err, "");
  }
  EXPECT_EQ(Kvctl({"completion", "csh"}).code, 2);
}

}  // namespace
}  // namespace kvstore::cluster
