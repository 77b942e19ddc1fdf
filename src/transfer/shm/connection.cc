#include "transfer/shm/connection.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "descriptor_limit.h"

namespace kvstore::transfer {
namespace {

// Stands for this process; readable once it has ended.
Result<FileDescriptor> OwnProcess() {
#ifdef SYS_pidfd_open
  FileDescriptor file(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (file.valid()) return file;
#else
  errno = ENOSYS;
#endif
  return OpenError(StatusCode::kFailedPrecondition,
                   "there is no pidfd to be had, which Linux 5.3 and later give", errno);
}

Status Nonsense() {
  return UnavailableError("the peer's answer over the unix socket makes no sense");
}

}  // namespace

Result<std::shared_ptr<ShmConnection>> ShmConnection::Open(const PeerDescriptor& peer,
                                                           TimePoint until) {
  KVSTORE_ASSIGN_OR_RETURN(ShmSocket socket, ShmSocket::Connect(peer.shm_socket));
  std::shared_ptr<ShmConnection> connection(new ShmConnection(std::move(socket)));
  KVSTORE_RETURN_IF_ERROR(connection->SayHello(peer.incarnation, until));
  return connection;
}

ShmConnection::~ShmConnection() { End(); }

void ShmConnection::End() {
  ended_.store(true, std::memory_order_relaxed);
  socket_.Shutdown();
}

Status ShmConnection::SayHello(const Incarnation& wanted, TimePoint until) {
  KVSTORE_ASSIGN_OR_RETURN(const FileDescriptor process, OwnProcess());
  // A refusal may have come before the hello, and then no hello is taken.
  (void)socket_.Send(Encode(ShmHello{.wanted = wanted}), {process.get()});
  KVSTORE_ASSIGN_OR_RETURN(const Packet packet, Await(until));
  const std::optional<ShmHelloReply> reply = DecodeShmHelloReply(packet.bytes);
  if (!reply) return Nonsense();
  if (reply->code != StatusCode::kOk) return Status(reply->code, reply->message);
  if (reply->version != kShmVersion || packet.files.size() != 1) return Nonsense();
  KVSTORE_ASSIGN_OR_RETURN(const uint64_t size, SealedSize(packet.files[0]));
  if (size < sizeof(LedgerPages)) return Nonsense();
  KVSTORE_ASSIGN_OR_RETURN(pages_, MappedFile::Map(packet.files[0], 0, size, Access::kWrite));
  ledger_.emplace(*reinterpret_cast<LedgerPages*>(pages_.data()),
                  // Where it can't be sent, the holder has unread packets, or has ended it and
                  // looks for itself.
                  [this] { (void)socket_.Send(kLeftPacket); });
  return Status::Ok();
}

Result<Packet> ShmConnection::Await(TimePoint until) {
  for (;;) {
    KVSTORE_ASSIGN_OR_RETURN(std::optional<Packet> packet, socket_.Receive());
    if (packet) return *std::move(packet);
    if (!socket_.WaitForPacket(until)) {
      return DeadlineExceededError("the peer didn't answer over the unix socket in time");
    }
  }
}

Result<ShmConnection::Answer> ShmConnection::Ask(RegionId region, Access access, TimePoint until) {
  const ShmRequest request{.sequence = next_sequence_++, .region = region, .access = access};
  if (!socket_.Send(Encode(request))) return UnavailableError("the peer takes no requests");
  for (;;) {
    KVSTORE_ASSIGN_OR_RETURN(Packet packet, Await(until));
    std::optional<ShmReply> reply = DecodeShmReply(packet.bytes);
    if (!reply) return Nonsense();
    if (reply->sequence != request.sequence) continue;  // to a request that was given up
    if (reply->code != StatusCode::kOk) return Status(reply->code, reply->message);
    if (packet.files.size() != 2) return Nonsense();
    return Answer{.reply = *std::move(reply),
                  .data = std::move(packet.files[0]),
                  .words = std::move(packet.files[1])};
  }
}

}  // namespace kvstore::transfer
