#include "transfer/shm/served_connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

#include "descriptor_limit.h"

namespace kvstore::transfer {
namespace {

// At most so many packets of one connection are taken before others have their turn.
constexpr int kPacketsPerTurn = 64;

// The process that a pidfd stands for; 0: it is no pidfd, or of another pid namespace.
Result<pid_t> ProcessOf(const FileDescriptor& file) {
  std::ifstream facts("/proc/self/fdinfo/" + std::to_string(file.get()));
  if (!facts) return OpenError(StatusCode::kFailedPrecondition, "can't look at a pidfd", errno);
  std::string name;
  while (facts >> name) {
    if (name == "Pid:") {
      long pid = 0;
      return facts >> pid && pid > 0 ? static_cast<pid_t>(pid) : 0;
    }
  }
  return 0;
}

// Only who shares our rights shares our memory, and only a process whose end we shall see.
Status CheckProcess(const ShmSocket& socket, const std::vector<FileDescriptor>& files) {
  KVSTORE_RETURN_IF_ERROR(socket.CheckSameUser());
  KVSTORE_ASSIGN_OR_RETURN(const ShmSocket::Credentials other, socket.OtherEnd());
  if (other.pid <= 0) {
    return FailedPreconditionError("memory is shared within one pid namespace only");
  }
  if (files.size() == 1) {
    KVSTORE_ASSIGN_OR_RETURN(const pid_t process, ProcessOf(files[0]));
    if (process == other.pid) return Status::Ok();
  }
  return FailedPreconditionError("a hello must bring a pidfd of the process that connected");
}

}  // namespace

ShmServedConnection::ShmServedConnection(ShmSocket socket, TimePoint hello_until)
    : socket_(std::move(socket)), hello_until_(hello_until) {}

Status ShmServedConnection::Serve(ShmDoor& door, SharedRegions& regions, bool* left) {
  for (int i = 0; i < kPacketsPerTurn; ++i) {
    KVSTORE_ASSIGN_OR_RETURN(std::optional<Packet> packet, socket_.Receive());
    if (!packet) break;
    KVSTORE_RETURN_IF_ERROR(admitted() ? Dispatch(*packet, regions, left)
                                       : Greet(*std::move(packet), door));
  }
  return Status::Ok();
}

Status ShmServedConnection::Greet(Packet packet, ShmDoor& door) {
  const std::optional<ShmHello> hello = DecodeShmHello(packet.bytes);
  if (!hello) return InvalidArgumentError("that is no hello");
  Status verdict = CheckProcess(socket_, packet.files);
  if (verdict.ok()) verdict = door.Admit(*hello);
  if (verdict.ok()) {
    Result<FileDescriptor> ledger = MakeLedger();
    if (ledger.ok()) {
      process_ = std::move(packet.files[0]);
      if (socket_.Send(Encode(ShmHelloReply{}), {ledger->get()})) return Status::Ok();
      return UnavailableError("the hello's answer can't be sent");
    }
    verdict = ledger.status();
  }
  (void)socket_.Send(Encode(ShmHelloReply{.code = verdict.code(), .message = verdict.message()}));
  return verdict;
}

Result<FileDescriptor> ShmServedConnection::MakeLedger() {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t bytes = (sizeof(LedgerPages) + page - 1) / page * page;
  FileDescriptor file(memfd_create("kvstore-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid() || ftruncate(file.get(), static_cast<off_t>(bytes)) != 0 ||
      fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return OpenError(StatusCode::kFailedPrecondition, "no ledger to be had", errno);
  }
  KVSTORE_ASSIGN_OR_RETURN(pages_, MappedFile::Map(file, 0, bytes, Access::kWrite));
  ledger_.emplace(*reinterpret_cast<LedgerPages*>(pages_.data()));
  return file;
}

Status ShmServedConnection::Dispatch(const Packet& packet, SharedRegions& regions, bool* left) {
  if (packet.bytes == kLeftPacket && packet.files.empty()) {
    *left = true;
    return Status::Ok();
  }
  const std::optional<ShmRequest> request = DecodeShmRequest(packet.bytes);
  if (!request || !packet.files.empty()) return InvalidArgumentError("that is no request");
  const SharedRegions::Opened opened = regions.Open(*request);
  const std::string reply = Encode(opened.reply);
  const bool sent = opened.data.valid()
                        ? socket_.Send(reply, {opened.data.get(), opened.words.get()})
                        : socket_.Send(reply);
  return sent ? Status::Ok() : UnavailableError("the peer takes no answers");
}

void ShmServedConnection::Cut() {
  if (ledger_) ledger_->End();
  socket_.Shutdown();
}

void ShmServedConnection::EndConnection() {
  Cut();
  connected_ = false;
}

bool ShmServedConnection::ProcessHasEnded() const {
  if (!process_.valid()) return false;
  pollfd entry{.fd = process_.get(), .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) > 0;
}

bool ShmServedConnection::WithdrewSome(bool* none) {
  const size_t active = ledger_ ? ledger_->CountActive() : 0;
  const bool fewer = active < active_;
  active_ = active;
  *none = active == 0;
  return fewer;
}

void ShmServedConnection::AppendTouched(SlotKind kind, RegionId region,
                                        std::vector<Stretch>* touched) {
  if (!ledger_) return;
  std::vector<Stretch> announced;
  ledger_->Append(kind, region, &announced);
  if (announced.empty()) return;
  // Now that there is something to wait for: ask to be told first, then look for good.
  announced.clear();
  ledger_->AskToBeTold();
  ledger_->Append(kind, region, &announced);
  if (announced.empty() || ProcessHasEnded()) return;
  touched->insert(touched->end(), announced.begin(), announced.end());
}

}  // namespace kvstore::transfer
