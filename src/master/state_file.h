#ifndef KVSTORE_SRC_MASTER_STATE_FILE_H_
#define KVSTORE_SRC_MASTER_STATE_FILE_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kvstore/clock.h"
#include "kvstore/result.h"
#include "master/catalog.h"
#include "master/members.h"
#include "thread_annotations.h"

namespace kvstore::master {

// The pool's id, term, longest lease and members, in a file of a few lines (reign_text.h). Nothing
// is told as done before it is on the disk: written beside the file, synced, put in its place, and
// the folder synced. So the file is whole at any moment, old or new.
//
// One thread writes. What is asked while it does goes into the next write together: a storm of
// joins costs a few. Thread-safe.
class StateFile final : public Members {
 public:
  // Takes the file for this process, until the object ends; PATH.lock says so to others, and holds
  // our process id. The file's folder is made if need be.
  // failed_precondition: another process has it, or its content is foreign; data_loss: it is torn;
  // unavailable: it can't be read, or written beside. Messages name file and remedy.
  static Result<std::unique_ptr<StateFile>> Open(const std::string& path);

  ~StateFile() override;

  // The next reign, once it is on the disk: of the file's pool in the next term; without a file, of
  // `new_pool` in its first. To be called once, before all else. unavailable: it can't be written.
  Result<Reign> Begin(Incarnation new_pool, Duration longest_lease) EXCLUDES(mu_);

  void Admit(const Reign::Member& member, Done done) override EXCLUDES(mu_);
  void Strike(std::vector<Incarnation> nodes, Done done) override EXCLUDES(mu_);

  // What was asked for is done, and told; what is asked for later is refused.
  void Close() EXCLUDES(mu_);

  const std::string& path() const { return path_; }
  uint64_t writes() const EXCLUDES(mu_);  // that succeeded

 private:
  struct Change {
    std::optional<Reign::Member> admit;
    std::vector<Incarnation> strike;
    Done done;
  };

  StateFile(std::string path, int lock, std::optional<Reign> found);

  void Ask(Change change) EXCLUDES(mu_);
  void Run() EXCLUDES(mu_);
  Status Write(const Reign& reign) const;

  const std::string path_;
  const int lock_;  // descriptor of PATH.lock

  mutable Mutex mu_;
  CondVar changed_;
  std::optional<Reign> kept_ GUARDED_BY(mu_);  // what the file says; none: there is no file
  std::vector<Change> asked_ GUARDED_BY(mu_);
  uint64_t writes_ GUARDED_BY(mu_) = 0;
  bool closing_ GUARDED_BY(mu_) = false;
  std::thread thread_;  // from Begin to Close
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_STATE_FILE_H_
