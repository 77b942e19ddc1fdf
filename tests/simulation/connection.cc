#include "simulation/connection.h"

#include <algorithm>
#include <utility>

#include "simulation/sim_engine.h"

namespace kvstore::simulation {

using std::chrono::milliseconds;

Connection::Connection(Fabric* fabric, const End& client, const End& holder)
    : fabric_(fabric),
      client_(client),
      holder_(holder),
      there_(fabric->network, client.place, holder.place, holder.process),
      back_(fabric->network, holder.place, client.place, client.process) {}

void Connection::Send(std::shared_ptr<Request> request) {
  unanswered_.push_back(request);
  there_.Send([this, request = std::move(request)] { Arrived(request, broken_); });
}

void Connection::Arrived(std::shared_ptr<Request> request, bool late) {
  if (closed_at_holder_) return;
  arrived_.push_back({std::move(request), late});
  if (arrived_.size() == 1) ServeNext();
}

void Connection::ServeNext() {
  const std::shared_ptr<Request> request = arrived_.front().request;
  if (request->serving != nullptr) {  // it has arrived twice; TCP hands it on once
    arrived_.pop_front();
    if (!arrived_.empty()) ServeNext();
    return;
  }
  // The answer finds its request again, since one that held it would keep it alive for ever.
  holder_.engine->Serve(request, arrived_.front().late || broken_, [this](const Status& verdict) {
    const std::shared_ptr<Request> served = arrived_.front().request;
    back_.Send([this, served, verdict] {
      unanswered_.erase(std::remove(unanswered_.begin(), unanswered_.end(), served),
                        unanswered_.end());
      served->batch->Answered(served->copy, served->frame, verdict);
    });
    arrived_.pop_front();
    if (!arrived_.empty()) ServeNext();
  });
}

void Connection::Break() {
  if (broken_) return;
  broken_ = true;
  fabric_->counts->Add(Event::kDataConnectionsBroken);
  there_.Break();
  back_.Break();
  fabric_->scheduler()->After(fabric_->network->Latency(), client_.process,
                              [this] { TellClient(); });
}

void Connection::TellClient() {
  if (unanswered_.empty()) return;
  if (fabric_->network->IsCut(holder_.place, client_.place)) {
    fabric_->scheduler()->After(milliseconds(50), client_.process, [this] { TellClient(); });
    return;
  }
  const auto lost = std::exchange(unanswered_, {});
  for (const auto& request : lost) {
    request->batch->Lost(request->copy, UnavailableError("the connection broke"));
  }
}

void Connection::CloseAtHolder() {
  if (closed_at_holder_) return;
  closed_at_holder_ = true;
  if (!arrived_.empty() && arrived_.front().request->serving != nullptr) {
    arrived_.front().request->serving->Abandon();
  }
  arrived_.clear();
  Break();
}

}  // namespace kvstore::simulation
