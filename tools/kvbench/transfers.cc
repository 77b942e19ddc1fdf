#include "tools/kvbench/transfers.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/kvbench/objects.h"

namespace kvstore::bench {
namespace {

// Of one row, so that none meets what another has left.
std::string NewGroup() {
  static uint64_t made = 0;
  return "row" + std::to_string(made++);
}

// Objects that go when nobody needs them any more.
struct Group {
  Client* client;
  std::string name = NewGroup();
  std::vector<Batch> batches{};
  size_t next = 0;

  // The next of them, and again from the first.
  const Batch& Next() { return batches[next++ % batches.size()]; }
  // Asks for the objects of that one and of those behind it.
  Status Exist(size_t count) const {
    std::vector<std::string_view> keys;
    for (size_t i = 0; i < count; ++i) {
      const auto more = batches[(next + i) % batches.size()].keys();
      keys.insert(keys.end(), more.begin(), more.end());
    }
    return AllExist(*client, keys);
  }

  // Nothing is measured by it any more, and a pool that is lost has told so before.
  ~Group() { (void)RemoveGroup(*client, name); }
};

std::shared_ptr<Group> BatchesOf(Client* client, Load load, uint64_t over, Walk walk) {
  auto group = std::make_shared<Group>(Group{.client = client});
  const uint64_t batches = std::max(over / load.bytes(), uint64_t{1});
  for (uint64_t i = 0; i < batches; ++i) {
    group->batches.emplace_back(group->name, i * load.count, load.count, load.size, &walk);
  }
  return group;
}

// `asked`: by how many Gets an Exists is followed; 0: there is none.
Result<Round> ReadRound(Walk* buffers, Client* client, Load load, uint64_t over, Figure figure,
                        uint64_t asked) {
  const auto group =
      BatchesOf(client, load, over, buffers->Beginning(std::max(over, load.bytes())));
  for (const Batch& batch : group->batches) KVSTORE_RETURN_IF_ERROR(batch.Put(*client));
  for (const Batch& batch : group->batches) KVSTORE_RETURN_IF_ERROR(batch.Get(*client));
  return Round([=](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, [&]() -> Result<Duration> {
                               if (asked > 0 && group->next % asked == 0) {
                                 KVSTORE_RETURN_IF_ERROR(group->Exist(asked));
                               }
                               const Batch& batch = group->Next();
                               return Time([&] { return batch.Get(*client); });
                             }));
    return figure(times);
  });
}

}  // namespace

Figure GigabytesPerSecond(Load load) {
  return [load](const Times& times) {
    return times.PerSecond(static_cast<double>(load.bytes())) / 1e9;
  };
}

Figure KeysPerSecond(Load load) {
  return [load](const Times& times) { return times.PerSecond(static_cast<double>(load.count)); };
}

Figure TakesUs(double share) {
  return [share](const Times& times) { return times.PercentileUs(share); };
}

Result<Round> Gets(Walk* buffers, Client* client, Load load, uint64_t over, Figure figure) {
  return ReadRound(buffers, client, load, over, std::move(figure), 0);
}

Result<Round> GetsAfterExists(Walk* buffers, Client* client, Load load, uint64_t over,
                              uint64_t asked, Figure figure) {
  return ReadRound(buffers, client, load, over, std::move(figure), asked);
}

Result<Round> Puts(Walk* buffers, Client* client, Load load, uint64_t over, Figure figure) {
  const auto group =
      BatchesOf(client, load, over, buffers->Beginning(std::max(over, load.bytes())));
  // The pages of a pool's memory come when it is filled for the first time.
  for (const Batch& batch : group->batches) KVSTORE_RETURN_IF_ERROR(batch.Put(*client));
  KVSTORE_RETURN_IF_ERROR(RemoveGroup(*client, group->name));
  return Round([=](Duration time) -> Result<double> {
    KVSTORE_ASSIGN_OR_RETURN(const Times times, Repeat(time, [&]() -> Result<Duration> {
                               if (group->next == group->batches.size()) {
                                 KVSTORE_RETURN_IF_ERROR(RemoveGroup(*client, group->name));
                                 group->next = 0;
                               }
                               const Batch& batch = group->batches[group->next++];
                               return Time([&] { return batch.Put(*client); });
                             }));
    return figure(times);
  });
}

}  // namespace kvstore::bench
