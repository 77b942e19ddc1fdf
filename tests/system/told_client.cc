#include "system/told_client.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace kvstore::cluster {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);

std::vector<std::string> CommandLine(const MasterProcess& master, const std::string& name,
                                     uint64_t lend_bytes, ToldClient::Checksums checksums,
                                     const std::string& way) {
  return {KVSTORE_TEST_TOLD_CLIENT_PATH,
          master.address(),
          name,
          std::to_string(lend_bytes),
          checksums == ToldClient::Checksums::kChecked ? "checked" : "unchecked",
          way};
}

}  // namespace

ToldClient::ToldClient(const MasterProcess& master, const std::string& name, uint64_t lend_bytes,
                       Checksums checksums, const std::string& way)
    : process_(CommandLine(master, name, lend_bytes, checksums, way), ChildProcess::Input::kTold) {
  (void)AwaitLine("joined");
}

std::string ToldClient::AwaitLine(const std::string& text) {
  const std::optional<std::string> line = process_.WaitForLine(text, kPatience);
  if (line) return *line;
  ADD_FAILURE() << "no line '" << text << "' came; all that came:\n" << process_.output();
  return "";
}

int ToldClient::Begin(const std::string& step) {
  const int number = ++last_;
  EXPECT_TRUE(process_.Tell(std::to_string(number) + " " + step + "\n")) << step;
  return number;
}

void ToldClient::AwaitStop(int number, const std::string& where) {
  (void)AwaitLine("#" + std::to_string(number) + " at " + where);
}

void ToldClient::GoOn() { EXPECT_TRUE(process_.Tell("\n")); }

std::string ToldClient::Result(int number) {
  const std::string begin = "#" + std::to_string(number) + "= ";
  const std::string line = AwaitLine(begin);
  return line.empty() ? "" : line.substr(begin.size());
}

bool ToldClient::HasAnswered(int number) const {
  return process_.output().find("#" + std::to_string(number) + "= ") != std::string::npos;
}

uint64_t ToldClient::Counter(const std::string& name) {
  const std::string all = " " + Do("counters -");
  const size_t at = all.find(" " + name + "=");
  EXPECT_NE(at, std::string::npos) << name << " in" << all;
  return at == std::string::npos ? 0 : std::stoull(all.substr(at + name.size() + 2));
}

void ToldClient::Kill() {
  process_.Signal(SIGKILL);
  EXPECT_EQ(process_.WaitForExit(kPatience).value_or(-1), 128 + SIGKILL) << process_.output();
}

int ToldClient::End() {
  process_.EndInput();
  const int status = process_.WaitForExit(kPatience).value_or(-1);
  EXPECT_EQ(status, 0) << process_.output();
  return status;
}

}  // namespace kvstore::cluster
