#ifndef KVSTORE_TESTS_PACKAGES_INSTALLED_H_
#define KVSTORE_TESTS_PACKAGES_INSTALLED_H_

#include <memory>
#include <string>
#include <vector>

#include "cluster/child_process.h"
#include "tools/program.h"

namespace kvstore::packages {

// A folder of this test's own, removed with the object.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Runs it to its end; a failed expectation with all that it wrote when it does not end with 0.
cluster::Finished Execute(const std::vector<std::string>& arguments);

// The same through `sh -c`.
cluster::Finished Shell(const std::string& command);

// A master and a node of the programs in `bin`.
class InstalledPool {
 public:
  explicit InstalledPool(const std::string& bin);

  const std::string& master() const { return master_; }  // "127.0.0.1:PORT", empty: not running

 private:
  std::unique_ptr<cluster::ChildProcess> master_process_;
  std::unique_ptr<cluster::ChildProcess> node_process_;
  std::string master_;
};

}  // namespace kvstore::packages

#endif  // KVSTORE_TESTS_PACKAGES_INSTALLED_H_
