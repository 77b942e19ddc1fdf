#include "simulation/in_place_caller.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "client/new_object.h"
#include "client/object_view.h"
#include "simulation/value.h"

namespace kvstore::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr size_t kMostHeld = 3;

std::vector<std::byte> BytesOf(const ObjectView& view) {
  std::vector<std::byte> bytes;
  for (const ConstPiece& piece : view.pieces()) {
    const auto* data = static_cast<const std::byte*>(piece.data);
    bytes.insert(bytes.end(), data, data + piece.size);
  }
  return bytes;
}

}  // namespace

// ---- views

void InPlaceCaller::View() {
  if (held_.size() == kMostHeld) held_.erase(held_.begin());
  const std::string key = AnyKey();
  const Call call = Begin();
  const Checker::Mark begun = world_.checker.Begin();
  const std::string_view name = key;
  auto views = client::ViewObjects(node_.parts(), {&name, 1}, call.timeout, world_.guards.read,
                                   node_.get_counters());
  if (!End(call, "a View")) return;
  EndView(key, begun, std::move(views.front()));
}

void InPlaceCaller::EndView(const std::string& key, Checker::Mark begun,
                            Result<std::unique_ptr<ObjectView>> viewed) {
  if (!viewed.ok()) {
    Say("view ", key, " -> ", viewed.status());
    return world_.checker.EndGet(begun, key, viewed.status(), {});
  }
  const std::vector<std::byte> bytes = BytesOf(**viewed);
  const uint64_t number = ReadValue(bytes).number;
  Say("view ", key, " -> value ", number, ", ", bytes.size(), " B");
  world_.checker.EndGet(begun, key, Status::Ok(), bytes);
  Count(Event::kViewsOk);
  if (bytes.empty()) return;  // it does not say whose it is
  const Duration how_long = random_.Chance(0.7)
                                ? random_.Between(milliseconds(1), milliseconds(100))
                                : random_.Between(milliseconds(100), seconds(2));
  held_.push_back({key, number, *std::move(viewed), world_.scheduler.now() + how_long});
}

void InPlaceCaller::LookAtViews() {
  for (Held& held : held_) LookAt(&held);
  std::erase_if(held_, [this](const Held& held) {
    const bool over = held.until <= world_.scheduler.now();
    if (over) Say("lets go of the view of ", held.key, " value ", held.number);
    return over;
  });
}

void InPlaceCaller::LookAt(Held* held) {
  const std::vector<std::byte> bytes = BytesOf(*held->view);
  const Seen seen = ReadValue(bytes);
  if (!seen.problem.empty() || seen.number != held->number) {
    world_.checker.Fail("I1: a view of '" + held->key + "' that showed value " +
                        std::to_string(held->number) + " shows value " +
                        std::to_string(seen.number) + " now; " + seen.problem);
  }
  if (!held->outlived && world_.checker.IsOver(held->number)) {
    held->outlived = true;
    Count(Event::kViewsOutlivedTheirObject);
  }
}

// ---- new objects

void InPlaceCaller::Create() {
  const std::string key = AnyKey();
  const uint64_t size = AnySize();
  PutOptions options;
  const Asked asked = AnyWishes(&options);
  const Call call = Begin();
  options.timeout = call.timeout;
  const uint64_t number = world_.checker.BeginPut(key, size, asked);
  Say("create ", key, " value ", number, " ", size, " B", options.replace ? " replace" : "");
  const CreateItem item{key, size};
  node_.BeginPuts(1);
  auto created = client::CreateObjects(node_.parts(), {&item, 1}, options);
  if (!End(call, "a Create")) return;
  if (!created.front().ok()) {
    Say("create ", key, " value ", number, " -> ", created.front().status());
    return EndPut(number, created.front().status());
  }
  std::unique_ptr<NewObject> object = *std::move(created.front());
  if (!Fill(object.get(), number)) return;
  if (random_.Chance(0.1)) {
    object.reset();
    if (!node_.alive()) return;
    Say("create ", key, " value ", number, " is given up");
    Count(Event::kNewObjectsGivenUp);
    return EndPut(number, AbortedError("destroyed unsealed"));
  }
  const Call sealing = Begin();
  const Status status = object->Seal(sealing.timeout);
  if (!End(sealing, "a Seal")) return;
  Say("seal ", key, " value ", number, " -> ", status);
  if (status.ok()) Count(Event::kNewObjectsSealed);
  EndPut(number, status);
}

bool InPlaceCaller::Fill(NewObject* object, uint64_t number) {
  std::vector<std::byte> value(object->size());
  FillWithValue(number, value);
  const std::byte* from = value.data();
  for (const Piece& piece : object->pieces()) {
    auto* to = static_cast<std::byte*>(piece.data);
    for (uint64_t done = 0; done < piece.size;) {
      const uint64_t n = std::min<uint64_t>(piece.size - done, random_.Between(512, 4096));
      WaitFor(random_.Chance(0.05) ? random_.Between(milliseconds(1), milliseconds(400))
                                   : random_.Between(microseconds(2), microseconds(60)));
      if (!node_.alive()) return false;
      std::memcpy(to + done, from, n);
      done += n;
      from += n;
    }
  }
  return true;
}

}  // namespace kvstore::simulation
