#include "packages/installed.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace kvstore::packages {
namespace {

constexpr Duration kStartTimeout = std::chrono::seconds(30);
constexpr Duration kRunTimeout = std::chrono::seconds(100);

std::string Joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += word + " ";
  return line;
}

}  // namespace

Folder::Folder() : path_(::testing::TempDir() + "/kvstore_packages_XXXXXX") {
  EXPECT_NE(mkdtemp(path_.data()), nullptr) << path_;
}

Folder::~Folder() { std::filesystem::remove_all(path_); }

cluster::Finished Execute(const std::vector<std::string>& arguments) {
  const cluster::Finished finished = cluster::RunProgram(arguments, "", kRunTimeout);
  EXPECT_EQ(finished.code, 0) << Joined(arguments) << "\n" << finished.out << finished.err;
  return finished;
}

cluster::Finished Shell(const std::string& command) { return Execute({"/bin/sh", "-c", command}); }

InstalledPool::InstalledPool(const std::string& bin) {
  using cluster::ChildProcess;
  master_process_ = std::make_unique<ChildProcess>(
      std::vector<std::string>{bin + "/kvstore_master", "--port=0", "--metrics_port=0"});
  const auto line = master_process_->WaitForLine(" ready on ", kStartTimeout);
  if (!line) {
    ADD_FAILURE() << "the master did not start: " << master_process_->output();
    return;
  }
  const std::string before = " ready on ";
  const size_t begin = line->find(before) + before.size();
  const std::string address = line->substr(begin, line->find(',', begin) - begin);
  node_process_ = std::make_unique<ChildProcess>(std::vector<std::string>{
      bin + "/kvstore_node", "--master=" + address, "--name=shelf", "--lend=16MiB"});
  if (!node_process_->WaitForLine(" ready", kStartTimeout)) {
    ADD_FAILURE() << "the node did not start: " << node_process_->output();
    return;
  }
  master_ = address;
}

}  // namespace kvstore::packages
