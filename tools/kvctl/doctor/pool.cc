#include "tools/kvctl/doctor/pool.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kvstore/client.h"
#include "kvstore/transfer.h"
#include "proto/verbs.h"
#include "tools/kvctl/admin_stub.h"

namespace kvstore::kvctl::doctor {
namespace {

using std::chrono::milliseconds;

// errno of a connection to that address; 0: it was made.
int TryConnect(const addrinfo& address, TimePoint end) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  int error = connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  while (error == EINPROGRESS) {
    const Duration left = std::max(end - BootClock::now(), Duration::zero());
    pollfd event{fd, POLLOUT, 0};
    const int ready =
        poll(&event, 1, static_cast<int>(std::chrono::ceil<milliseconds>(left).count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      error = ETIMEDOUT;
      break;
    }
    socklen_t size = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  close(fd);
  return error;
}

// "10.0.0.5" and "50051" of "10.0.0.5:50051", and "::1" of "[::1]:50051".
std::pair<std::string, std::string> HostAndPort(const std::string& master) {
  const size_t colon = master.rfind(':');
  std::string host = master.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {host, colon == std::string::npos ? "" : master.substr(colon + 1)};
}

// Up to kNoMaster: whether somebody listens there.
void FindListener(const std::string& master, Duration timeout, PoolView* view) {
  const auto [host, port] = HostAndPort(master);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    view->reached = Reached::kNoName;
    view->problem = gai_strerror(error);
    return;
  }
  view->reached = Reached::kNoPath;
  const TimePoint end = BootClock::now() + timeout;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int error = TryConnect(*address, end);
    if (error == 0) {
      view->reached = Reached::kNoMaster;
      view->problem.clear();
      break;
    }
    view->problem = std::strerror(error);
    if (error == ECONNREFUSED) view->reached = Reached::kRefused;
  }
  freeaddrinfo(found);
}

// Whatever the holder says of memory that nobody granted to us, it was there to say it.
Status ReachOf(const transfer::Completion& completion) {
  switch (completion.status.code()) {
    case StatusCode::kAborted:
    case StatusCode::kNotFound:
    case StatusCode::kInvalidArgument:
      return Status::Ok();
    default:
      return completion.status;
  }
}

// Asks every lending node for a byte, that way.
std::vector<NodeReach> ReachNodes(const std::vector<NodeRow>& nodes, transfer::Way way,
                                  Duration timeout) {
  std::vector<NodeReach> reaches;
  transfer::EngineOptions options;
  options.host = "kvctl doctor";  // of no node: nothing else is asked for
  options.tcp_listen = "";
  options.ways = {way};
  options.tcp_connections_per_peer = 1;
  Result<std::unique_ptr<transfer::Engine>> engine = transfer::Engine::Create(options);
  std::vector<char> bytes(nodes.size());
  std::vector<transfer::Piece> pieces;
  pieces.reserve(nodes.size());  // copies borrow them
  std::vector<transfer::Copy> copies;
  std::vector<size_t> whose;
  for (const NodeRow& node : nodes) {
    if (node.segments == 0) continue;
    reaches.push_back({node.name, engine.status()});
    if (!engine.ok()) continue;
    const Result<transfer::PeerId> peer = (*engine)->Open(node.descriptor);
    reaches.back().status = peer.status();
    if (!peer.ok()) continue;
    whose.push_back(reaches.size() - 1);
    pieces.push_back({&bytes[pieces.size()], 1});
    copies.push_back({.access = transfer::Access::kRead,
                      .peer = *peer,
                      .region = 0,
                      .offset = 0,
                      .pieces = {&pieces.back(), 1},
                      .guard = transfer::Guard{0, 0}});
  }
  if (copies.empty()) return reaches;
  const auto completions = (*engine)->Run(copies, BootClock::now() + timeout);
  for (size_t i = 0; i < whose.size(); ++i) reaches[whose[i]].status = ReachOf(completions[i]);
  return reaches;
}

// The same by RDMA, of the nodes that have devices; none, where this machine has none.
std::vector<NodeReach> ReachByRdma(const std::vector<NodeRow>& nodes, Duration timeout) {
  std::vector<NodeReach> reaches = ReachNodes(nodes, transfer::Way::kRdma, timeout);
  // Nothing was tried.
  std::erase_if(reaches, [](const NodeReach& reach) {
    return reach.status.code() == StatusCode::kFailedPrecondition;
  });
  return reaches;
}

}  // namespace

PoolView LookAtPool(const std::string& master, Duration timeout) {
  PoolView view;
  view.master = master;
  view.own_software = Version();
  view.own_protocol = kProtocolVersion;
  FindListener(master, timeout, &view);
  if (view.reached != Reached::kNoMaster) return view;

  AdminStub admin(master, timeout);
  Result<PoolStatus> status = admin.GetStatus();
  const TimePoint asked = BootClock::now();  // the first answer counts the connection too
  if (status.ok()) status = admin.GetStatus();
  view.answer_time = BootClock::now() - asked;
  Result<std::vector<NodeRow>> nodes =
      status.ok() ? admin.ListNodes() : Result<std::vector<NodeRow>>(status.status());
  if (!nodes.ok()) {
    view.problem = nodes.status().message();
    return view;
  }
  view.reached = Reached::kMaster;
  view.status = *std::move(status);
  view.nodes = *std::move(nodes);
  view.reaches = ReachNodes(view.nodes, transfer::Way::kTcp, timeout);
  view.rdma_reaches = ReachByRdma(view.nodes, timeout);
  return view;
}

}  // namespace kvstore::kvctl::doctor
