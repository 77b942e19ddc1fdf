#include "transfer/relay.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace kvstore::transfer {
namespace {

constexpr int kStepMilliseconds = 10;

}  // namespace

Relay::Relay(std::string target) : target_(std::move(target)) {
  acceptor_ = std::thread([this] { AcceptAll(); });
}

Relay::~Relay() {
  {
    MutexLock lock(mu_);
    ending_ = true;
  }
  acceptor_.join();
  std::list<std::unique_ptr<Link>> links;
  {
    MutexLock lock(mu_);
    links.swap(links_);
  }
  for (const auto& link : links) link->pump.join();
}

void Relay::HangAfter(uint64_t bytes) {
  MutexLock lock(mu_);
  hang_after_ = bytes;
}

void Relay::HangAnswersAfter(uint64_t bytes) {
  MutexLock lock(mu_);
  hang_answers_after_ = bytes;
}

void Relay::SwallowNewConnections() {
  MutexLock lock(mu_);
  swallow_ = true;
}

bool Relay::WaitUntilHanging() {
  const TimePoint until = BootClock::now() + std::chrono::seconds(10);
  MutexLock lock(mu_);
  while (hanging_ == nullptr && BootClock::now() < until) changed_.WaitUntil(mu_, until);
  return hanging_ != nullptr;
}

void Relay::BreakClientEnd() {
  MutexLock lock(mu_);
  hanging_->client.Break();
  hanging_->client_gone = true;
}

void Relay::DeliverLate() {
  MutexLock lock(mu_);
  hang_after_ = UINT64_MAX;
  hanging_->holder.Send(std::exchange(hanging_->held_back, {}));
}

void Relay::AcceptAll() {
  for (;;) {
    {
      MutexLock lock(mu_);
      if (ending_) return;
    }
    pollfd entry{.fd = listener_.fd(), .events = POLLIN, .revents = 0};
    if (poll(&entry, 1, kStepMilliseconds) <= 0) continue;
    auto link = std::make_unique<Link>();
    link->client = listener_.Accept();
    link->holder = RawSocket::Connect(target_);
    if (link->holder.fd() < 0) continue;  // closes the client's end
    MutexLock lock(mu_);
    link->swallowed = swallow_;
    Link* const started = link.get();
    links_.push_back(std::move(link));
    started->pump = std::thread([this, started] { Pump(started); });
  }
}

bool Relay::PumpToHolder(Link* link, uint64_t* passed) {
  std::array<char, 16384> part;
  const ssize_t got = recv(link->client.fd(), part.data(), part.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return false;
  std::string_view bytes(part.data(), static_cast<size_t>(got));
  if (link->swallowed) return true;
  const bool may_hang = hanging_ == nullptr || hanging_ == link;
  const uint64_t room = may_hang ? hang_after_ - std::min(*passed, hang_after_) : UINT64_MAX;
  const std::string_view now = bytes.substr(0, std::min<uint64_t>(room, bytes.size()));
  *passed += now.size();
  link->held_back += bytes.substr(now.size());
  if (now.size() < bytes.size()) {
    hanging_ = link;
    changed_.NotifyAll();
  }
  return link->holder.Send(now);
}

bool Relay::PumpToClient(Link* link, uint64_t* passed) {
  std::array<char, 16384> part;
  const ssize_t got = recv(link->holder.fd(), part.data(), part.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return false;
  if (link->swallowed || link->client_gone) return true;
  const std::string_view bytes(part.data(), static_cast<size_t>(got));
  const bool may_hang = hanging_ == nullptr || hanging_ == link;
  const uint64_t room =
      may_hang ? hang_answers_after_ - std::min(*passed, hang_answers_after_) : UINT64_MAX;
  const std::string_view now = bytes.substr(0, std::min<uint64_t>(room, bytes.size()));
  *passed += now.size();
  if (!now.empty() && !link->client.Send(now)) return false;
  if (now.size() < bytes.size()) {
    hanging_ = link;
    changed_.NotifyAll();
  }
  return true;
}

void Relay::Pump(Link* link) {
  uint64_t passed = 0;
  uint64_t answers_passed = 0;
  for (;;) {
    std::array<pollfd, 2> fds;
    {
      MutexLock lock(mu_);
      if (ending_) return;
      fds = {pollfd{.fd = link->client.fd(), .events = POLLIN, .revents = 0},
             pollfd{.fd = link->holder.fd(), .events = POLLIN, .revents = 0}};
    }
    poll(fds.data(), fds.size(), kStepMilliseconds);
    MutexLock lock(mu_);
    if (fds[0].revents != 0 && !link->client_gone && !PumpToHolder(link, &passed)) {
      // What the client sent is still on its way, but nobody is there any more.
      link->client.Break();
      link->client_gone = true;
      if (hanging_ != link) {
        shutdown(link->holder.fd(), SHUT_RDWR);
        return;
      }
    }
    if (fds[1].revents != 0 && !PumpToClient(link, &answers_passed)) {
      if (!link->client_gone) link->client.Break();
      link->client_gone = true;
      return;
    }
  }
}

}  // namespace kvstore::transfer
