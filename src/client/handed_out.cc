#include "client/handed_out.h"

#include <utility>

#include "client/item_checks.h"

namespace kvstore::client {

// Something that was handed out, counted while it lives.
template <typename Thing>
class HandedOut::Tracked {
 public:
  Tracked(HandedOut& owner, Kind kind, std::unique_ptr<Thing> thing)
      : owner_(owner), kind_(kind), thing_(std::move(thing)) {
    ++owner_.alive_[kind_];
  }
  ~Tracked() {
    if (owner_.fork_guard_.InChild()) {
      (void)thing_.release();  // what it would let go of is still in use in the parent
      return;
    }
    thing_.reset();
    --owner_.alive_[kind_];
  }
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;

  Status CheckProcess() const { return owner_.fork_guard_.Check(); }
  Thing& operator*() const { return *thing_; }
  Thing* operator->() const { return thing_.get(); }

 private:
  HandedOut& owner_;
  const Kind kind_;
  std::unique_ptr<Thing> thing_;
};

class HandedOut::TrackedView final : public ObjectView {
 public:
  TrackedView(HandedOut& owner, std::unique_ptr<ObjectView> view)
      : view_(owner, kView, std::move(view)) {}

  std::span<const ConstPiece> pieces() const override { return view_->pieces(); }
  uint64_t size() const override { return view_->size(); }
  uint64_t checksum() const override { return view_->checksum(); }
  Status Verify() const override {
    KVSTORE_RETURN_IF_ERROR(view_.CheckProcess());
    return view_->Verify();
  }

 private:
  const Tracked<ObjectView> view_;
};

class HandedOut::TrackedSession final : public ReadSession {
 public:
  TrackedSession(HandedOut& owner, std::unique_ptr<ReadSession> session)
      : session_(owner, kSession, std::move(session)) {}

  const std::vector<Result<uint64_t>>& sizes() const override { return session_->sizes(); }
  std::vector<GetResult> Read(std::span<const PartItem> items, Duration timeout) override {
    const Status here = session_.CheckProcess();
    if (!here.ok()) return std::vector<GetResult>(items.size(), GetResult{here, 0});
    return session_->Read(items, timeout);
  }

 private:
  const Tracked<ReadSession> session_;
};

class HandedOut::TrackedNewObject final : public NewObject {
 public:
  TrackedNewObject(HandedOut& owner, std::unique_ptr<NewObject> object,
                   std::function<void(const Status&, Duration)> sealed)
      : object_(owner, kNewObject, std::move(object)), sealed_(std::move(sealed)) {}

  std::span<const Piece> pieces() const override { return object_->pieces(); }
  uint64_t size() const override { return object_->size(); }
  TimePoint deadline() const override { return object_->deadline(); }
  Status Seal(Duration timeout) override {
    KVSTORE_RETURN_IF_ERROR(object_.CheckProcess());
    KVSTORE_RETURN_IF_ERROR(CheckTimeout(timeout));
    // What is refused for having been sealed is no put.
    if (std::exchange(ended_, true)) return object_->Seal(timeout);
    const TimePoint began = BootClock::now();
    Status status = object_->Seal(timeout);
    sealed_(status, BootClock::now() - began);
    return status;
  }

 private:
  const Tracked<NewObject> object_;
  const std::function<void(const Status&, Duration)> sealed_;
  bool ended_ = false;  // Seal was called
};

std::unique_ptr<ObjectView> HandedOut::Track(std::unique_ptr<ObjectView> view) {
  return std::make_unique<TrackedView>(*this, std::move(view));
}

std::unique_ptr<ReadSession> HandedOut::Track(std::unique_ptr<ReadSession> session) {
  return std::make_unique<TrackedSession>(*this, std::move(session));
}

std::unique_ptr<NewObject> HandedOut::Track(std::unique_ptr<NewObject> object,
                                            std::function<void(const Status&, Duration)> sealed) {
  return std::make_unique<TrackedNewObject>(*this, std::move(object), std::move(sealed));
}

std::string HandedOut::Alive() const {
  static constexpr std::array<const char*, kKinds> kNames = {"view", "read session", "new object"};
  std::string text;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    const uint64_t count = alive_[kind];
    if (count == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(count) + " " + kNames[kind] + (count == 1 ? "" : "s");
  }
  return text;
}

}  // namespace kvstore::client
