#ifndef KVSTORE_SRC_MASTER_MEMBERS_H_
#define KVSTORE_SRC_MASTER_MEMBERS_H_

#include <functional>
#include <vector>

#include "kvstore/incarnation.h"
#include "kvstore/status.h"
#include "master/catalog.h"

namespace kvstore::master {

// Who belongs to the pool, kept beyond the life of this master: the durable half of Reign. Changes
// are made in the order in which they are asked for. Each is told as done when it would be found by
// the next master. `done` is called exactly once, by any thread, perhaps before the call returns;
// never under a lock of this class. Thread-safe.
class Members {
 public:
  using Done = std::function<void(const Status& status)>;

  virtual ~Members() = default;
  // OK also for one that is a member already. unavailable, with the reason: nothing has changed.
  virtual void Admit(const Reign::Member& member, Done done) = 0;
  // OK also for those that are no members. unavailable: they may still be members.
  virtual void Strike(std::vector<Incarnation> nodes, Done done) = 0;
};

// Of a pool that ends with its master.
class UnkeptMembers final : public Members {
 public:
  void Admit(const Reign::Member& /*member*/, Done done) override { done(Status::Ok()); }
  void Strike(std::vector<Incarnation> /*nodes*/, Done done) override { done(Status::Ok()); }
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_MEMBERS_H_
