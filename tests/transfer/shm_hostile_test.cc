// Peers that say anything over the unix socket, and hand over any file.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "transfer/descriptor.h"
#include "transfer/shm/frame.h"
#include "transfer/shm/ledger.h"
#include "transfer/shm/mapped_file.h"
#include "transfer/shm/shared_files.h"
#include "transfer/shm/socket.h"
#include "transfer/shm_peers.h"

namespace kvstore::transfer {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr std::chrono::seconds kHelloTimeout(2);

FileDescriptor ProcessFile(pid_t pid) {
  return FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

// An anonymous file, sealed if wanted.
FileDescriptor MemoryFile(uint64_t size, int seals) {
  FileDescriptor file(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(size)), 0);
  EXPECT_EQ(fcntl(file.get(), F_ADD_SEALS, seals), 0);
  return file;
}

constexpr int kSealed = F_SEAL_SHRINK | F_SEAL_GROW;

// The next packet; nothing: the connection has ended, or nothing came in time.
std::optional<Packet> Next(const ShmSocket& socket) {
  const TimePoint until = Soon();
  for (;;) {
    Result<std::optional<Packet>> got = socket.Receive();
    if (!got.ok()) return std::nullopt;
    if (*got) return *std::move(got);
    if (!socket.WaitForPacket(until)) return std::nullopt;
  }
}

bool IsClosed(const ShmSocket& socket) {
  while (Next(socket)) {
  }
  return !socket.Receive().ok();
}

// A holder, and raw connections to it.
class ShmHostile : public testing::Test {
 protected:
  ShmSocket Connect() const {
    return ShmSocket::Connect(DecodeDescriptor(holder_.engine->Descriptor())->shm_socket).value();
  }
  std::string GoodHello() const {
    return Encode(ShmHello{.wanted = holder_.engine->incarnation()});
  }
  // The verdict on a hello, whose connection then ends unless it is OK.
  static StatusCode Verdict(const ShmSocket& socket) {
    const std::optional<Packet> packet = Next(socket);
    if (!packet) return StatusCode::kUnavailable;
    const std::optional<ShmHelloReply> reply = DecodeShmHelloReply(packet->bytes);
    if (!reply) return StatusCode::kInternal;
    EXPECT_EQ(packet->files.size(), reply->code == StatusCode::kOk ? 1u : 0u);
    EXPECT_EQ(reply->message.empty(), reply->code == StatusCode::kOk);
    return reply->code;
  }
  // Greeted: `ledger` becomes its pages.
  ShmSocket Greeted(MappedFile* ledger) const {
    ShmSocket socket = Connect();
    const FileDescriptor self = ProcessFile(getpid());
    EXPECT_TRUE(socket.Send(GoodHello(), {self.get()}));
    std::optional<Packet> packet = Next(socket);
    EXPECT_TRUE(packet && packet->files.size() == 1);
    const uint64_t size = SealedSize(packet->files[0]).value();
    *ledger = MappedFile::Map(packet->files[0], 0, size, Access::kWrite).value();
    return socket;
  }
  // Others are served as ever.
  void ExpectUnharmed() {
    SharingClient client(holder_);
    Bytes bytes(100);
    const Completion end = client.Run(Access::kRead, 0, &bytes);
    EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
    EXPECT_EQ(end.way, Way::kShm);
  }

  SharingHolder holder_{EngineOptions{.tcp_hello_timeout = kHelloTimeout}};
};

TEST_F(ShmHostile, GarbageForAHelloEndsTheConnection) {
  const std::string good = GoodHello();
  const FileDescriptor self = ProcessFile(getpid());
  std::string wrong_magic = good;
  wrong_magic[0] = 'X';
  const std::vector<std::string> packets = {std::string(1, '\x01'),
                                            good.substr(0, good.size() - 1),
                                            good + "x",
                                            wrong_magic,
                                            std::string(4000, 'K'),
                                            Encode(ShmRequest{.region = holder_.region})};
  for (const std::string& packet : packets) {
    const ShmSocket socket = Connect();
    ASSERT_TRUE(socket.Send(packet, {self.get()}));
    EXPECT_TRUE(IsClosed(socket)) << packet.size();
  }
  EXPECT_TRUE(Eventually([&] { return holder_.engine->served().shm_refused == packets.size(); }));
  ExpectUnharmed();
}

TEST_F(ShmHostile, AHelloMustBringThePidfdOfItsOwnProcess) {
  const pid_t other = fork();
  if (other == 0) {
    pause();
    _exit(0);
  }
  const FileDescriptor others = ProcessFile(other);
  const FileDescriptor self = ProcessFile(getpid());
  const FileDescriptor no_process = MemoryFile(4096, 0);
  const std::vector<std::function<bool(const ShmSocket&)>> hellos = {
      [&](const ShmSocket& socket) { return socket.Send(GoodHello()); },
      [&](const ShmSocket& socket) { return socket.Send(GoodHello(), {others.get()}); },
      [&](const ShmSocket& socket) { return socket.Send(GoodHello(), {no_process.get()}); },
      [&](const ShmSocket& socket) {
        return socket.Send(GoodHello(), {self.get(), self.get()});
      }};
  for (const auto& hello : hellos) {
    const ShmSocket socket = Connect();
    ASSERT_TRUE(hello(socket));
    EXPECT_EQ(Verdict(socket), StatusCode::kFailedPrecondition);
    EXPECT_TRUE(IsClosed(socket));
  }
  EXPECT_EQ(holder_.engine->served().shm_refused, hellos.size());
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
  ExpectUnharmed();
}

TEST_F(ShmHostile, OtherIncarnationsAndVersionsAreRefused) {
  const FileDescriptor self = ProcessFile(getpid());
  for (const ShmHello& hello :
       {ShmHello{.wanted = {.high = 1, .low = 2}},
        ShmHello{.version = kShmVersion + 1, .wanted = holder_.engine->incarnation()}}) {
    const ShmSocket socket = Connect();
    ASSERT_TRUE(socket.Send(Encode(hello), {self.get()}));
    EXPECT_EQ(Verdict(socket), StatusCode::kFailedPrecondition);
    EXPECT_TRUE(IsClosed(socket));
  }
}

// What `body` returns in a child, which is another process, and may become another user.
int InAChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int kNotAllowed = 77;

TEST_F(ShmHostile, AnotherUserIsRefused) {
  const std::string name = DecodeDescriptor(holder_.engine->Descriptor())->shm_socket;
  const int verdict = InAChild([&] {
    if (setresuid(65534, 65534, 65534) != 0) return kNotAllowed;
    const Result<ShmSocket> socket = ShmSocket::Connect(name);
    if (!socket.ok()) return 1;
    const FileDescriptor self = ProcessFile(getpid());
    (void)socket->Send(GoodHello(), {self.get()});  // it may be refused before it is sent
    return 10 + static_cast<int>(Verdict(*socket));
  });
  if (verdict == kNotAllowed) GTEST_SKIP() << "only root can become another user";
  EXPECT_EQ(verdict, 10 + static_cast<int>(StatusCode::kFailedPrecondition));
  EXPECT_EQ(holder_.engine->served().shm_refused, 1u);
}

TEST(ShmHostileUser, AnotherUsersSilentConnectionsKeepNobodyOut) {
  SharingHolder holder({.tcp_hello_timeout = std::chrono::minutes(10)});
  const std::string name = DecodeDescriptor(holder.engine->Descriptor())->shm_socket;
  std::array<int, 2> told{};
  std::array<int, 2> until{};
  ASSERT_EQ(pipe2(told.data(), O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(until.data(), O_CLOEXEC), 0);
  constexpr char kAllConnected = 1;
  const pid_t child = fork();
  if (child == 0) {
    close(until[1]);
    char how = kAllConnected;
    std::vector<ShmSocket> silent;
    if (setresuid(65534, 65534, 65534) != 0) how = kNotAllowed;
    while (how == kAllConnected && silent.size() < 200) {
      Result<ShmSocket> socket = ShmSocket::Connect(name);
      if (!socket.ok()) _exit(1);
      silent.push_back(*std::move(socket));
    }
    (void)!write(told[1], &how, 1);
    (void)!read(until[0], &how, 1);  // all stay open so long
    _exit(0);
  }
  close(told[1]);
  close(until[0]);
  const FileDescriptor said(told[0]);
  FileDescriptor keep(until[1]);
  char how = 0;
  ASSERT_EQ(read(said.get(), &how, 1), 1);
  if (how == kAllConnected) {
    SharingClient client(holder);
    Bytes bytes(100);
    const Completion end = client.Run(Access::kRead, 0, &bytes);
    EXPECT_EQ(end.outcome, Outcome::kDone) << end.status;
    EXPECT_EQ(end.way, Way::kShm);
    EXPECT_EQ(holder.engine->served().shm_refused, 200u);
  }
  keep = FileDescriptor();
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  if (how == kNotAllowed) GTEST_SKIP() << "only root can become another user";
}

TEST_F(ShmHostile, FromAnotherNetworkNamespaceItIsNotFound) {
  const std::string name = DecodeDescriptor(holder_.engine->Descriptor())->shm_socket;
  const int found = InAChild([&] {
    if (unshare(CLONE_NEWNET) != 0) return kNotAllowed;
    return ShmSocket::Connect(name).ok() ? 1 : 0;
  });
  if (found == kNotAllowed) GTEST_SKIP() << "this process may make no network namespace";
  EXPECT_EQ(found, 0);
}

TEST_F(ShmHostile, WhoSaysNothingIsClosedAfterTheHelloTimeout) {
  const ShmSocket socket = Connect();
  EXPECT_TRUE(IsClosed(socket));
  EXPECT_EQ(holder_.engine->served().shm_refused, 1u);
  ExpectUnharmed();
}

TEST_F(ShmHostile, ManyWhoSayNothingKeepNobodyOutForLong) {
  std::vector<ShmSocket> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(Connect());
  for (const ShmSocket& socket : silent) EXPECT_TRUE(IsClosed(socket));
  EXPECT_EQ(holder_.engine->served().shm_refused, 200u);
  ExpectUnharmed();
}

TEST_F(ShmHostile, GarbageAfterTheHelloEndsTheConnection) {
  const FileDescriptor self = ProcessFile(getpid());
  const std::vector<std::string> packets = {"\x02", "left", std::string(4000, 'x'), GoodHello(),
                                            Encode(ShmRequest{}) + "x"};
  for (const std::string& packet : packets) {
    MappedFile ledger;
    const ShmSocket socket = Greeted(&ledger);
    ASSERT_TRUE(socket.Send(packet));
    EXPECT_TRUE(IsClosed(socket));
    EXPECT_NE(reinterpret_cast<LedgerPages*>(ledger.data())->ended, 0u);
  }
  for (const std::string& good :
       {Encode(ShmRequest{.region = holder_.region}), std::string(kLeftPacket)}) {
    MappedFile ledger;
    const ShmSocket socket = Greeted(&ledger);
    ASSERT_TRUE(socket.Send(good, {self.get()}));
    EXPECT_TRUE(IsClosed(socket)) << "a file that nobody asked for";
  }
  ExpectUnharmed();
}

TEST_F(ShmHostile, WhoTakesNoAnswersIsClosedInTheEnd) {
  MappedFile ledger;
  const ShmSocket socket = Greeted(&ledger);
  const std::string request = Encode(ShmRequest{.region = 77});
  EXPECT_TRUE(Eventually([&] {
    while (socket.Send(request)) {
    }
    return reinterpret_cast<LedgerPages*>(ledger.data())->ended != 0;
  }));
  ExpectUnharmed();
}

TEST_F(ShmHostile, WhoVanishesKeepsNoPlace) {
  for (int i = 0; i < 20; ++i) {
    MappedFile ledger;
    const ShmSocket socket = Greeted(&ledger);
    if (i % 2 == 0) (void)socket.Send(Encode(ShmRequest{.region = holder_.region}));
  }
  for (int i = 0; i < 20; ++i) (void)Connect();
  EXPECT_TRUE(Eventually([&] { return holder_.engine->served().shm_peers == 0; }));
  ExpectUnharmed();
}

TEST_F(ShmHostile, OnlyPartsOfTheRegionAreNamedWhateverStandsInALedger) {
  MappedFile ledger;
  const ShmSocket socket = Greeted(&ledger);
  LedgerPages& pages = *reinterpret_cast<LedgerPages*>(ledger.data());
  const uint64_t size = SharingHolder::kSize;
  const std::vector<Stretch> written = {{0, UINT64_MAX}, {size - 1, 5}, {size, 1},
                                        {UINT64_MAX, 9}, {100, 0},      {UINT64_MAX - 5, 100}};
  for (size_t i = 0; i < written.size(); ++i) {
    pages.copies[i].region = holder_.region;
    pages.copies[i].offset = written[i].offset;
    pages.copies[i].length = written[i].length;
    pages.copies[i].use = 1;
  }
  pages.copies_used = UINT32_MAX;
  EXPECT_EQ(holder_.Touched(), (std::vector<Stretch>{{0, size}, {size - 1, 1}}));
  for (LedgerSlot& slot : pages.copies) slot.use = 0;  // the holder's end would wait for them
}

TEST_F(ShmHostile, AnyPacketIsSafeToDecode) {
  const bool held = rc::check("random packets", [] {
    const auto tail = *rc::gen::arbitrary<std::string>();
    for (const std::string& head :
         {Encode(ShmHello{}), Encode(ShmHelloReply{}), Encode(ShmRequest{}), Encode(ShmReply{})}) {
      const std::string packet =
          head.substr(0, *rc::gen::inRange<size_t>(0, head.size() + 1)) + tail;
      if (const auto hello = DecodeShmHello(packet)) RC_ASSERT(Encode(*hello) == packet);
      if (const auto reply = DecodeShmHelloReply(packet)) RC_ASSERT(Encode(*reply) == packet);
      if (const auto request = DecodeShmRequest(packet)) RC_ASSERT(Encode(*request) == packet);
      if (const auto reply = DecodeShmReply(packet)) RC_ASSERT(Encode(*reply) == packet);
    }
  });
  EXPECT_TRUE(held);
}

TEST_F(ShmHostile, PacketsComeBackAsTheyWereEncoded) {
  const ShmHello hello{.wanted = {.high = 3, .low = 4}};
  EXPECT_EQ(DecodeShmHello(Encode(hello)), hello);
  const ShmHelloReply refusal{.code = StatusCode::kAborted, .message = "no"};
  EXPECT_EQ(DecodeShmHelloReply(Encode(refusal)), refusal);
  const ShmRequest request{.sequence = 9, .region = 7, .access = Access::kWrite};
  EXPECT_EQ(DecodeShmRequest(Encode(request)), request);
  const ShmReply reply{
      .sequence = 9, .guarded = true, .size = 8192, .granule = 4096, .registration = 5};
  EXPECT_EQ(DecodeShmReply(Encode(reply)), reply);
}

// A holder made by hand: what it says and hands over is up to the test.
class HostileShmHolder {
 public:
  // `serve` gets each connection that is made, in a thread, until it returns.
  explicit HostileShmHolder(std::function<void(const ShmSocket&)> serve)
      : listener_(ShmSocket::Listen(name_).value()), serve_(std::move(serve)) {
    thread_ = std::thread([this] {
      while (!ending_) {
        if (!listener_.WaitForPacket(In(std::chrono::milliseconds(20)))) continue;
        Result<ShmSocket> accepted = listener_.Accept();
        if (!accepted.ok()) continue;
        ++accepted_;
        serve_(*accepted);
        if (keep_open) kept_.push_back(*std::move(accepted));
      }
    });
  }
  ~HostileShmHolder() {
    ending_ = true;
    thread_.join();
  }

  std::string Descriptor() const {
    return EncodeDescriptor({.incarnation = {.high = 1, .low = 1},
                             .host = "here",
                             .endpoints = {},
                             .shm_socket = name_});
  }
  int accepted() const { return accepted_; }

  std::atomic<bool> keep_open = true;

 private:
  const std::string name_ = [] {
    std::string name = "feed";
    const std::string pid = std::to_string(getpid());
    return name + pid + std::string(kSocketNameBytes - name.size() - pid.size(), '0');
  }();
  ShmSocket listener_;
  const std::function<void(const ShmSocket&)> serve_;
  std::atomic<bool> ending_ = false;
  std::atomic<int> accepted_ = 0;
  std::vector<ShmSocket> kept_;
  std::thread thread_;
};

// What a client makes of it: a read, and how long it took to give up.
Completion ReadFrom(const HostileShmHolder& holder) {
  const std::unique_ptr<Engine> client = CreateEngine({.host = "here"}, {}).value();
  Bytes bytes(100);
  const Piece piece{bytes.data(), bytes.size()};
  const Copy copy{.access = Access::kRead,
                  .peer = client->Open(holder.Descriptor()).value(),
                  .region = 1,
                  .offset = 0,
                  .pieces = std::span(&piece, 1),
                  .guard = std::nullopt};
  return client->Run(std::span(&copy, 1), Soon()).at(0);
}

// Unavailable where another holder, or this one later, may do better.
void ExpectNoWay(const Completion& end, StatusCode code) {
  EXPECT_EQ(end.outcome, Outcome::kFailed);
  EXPECT_EQ(end.status.code(), code) << end.status;
}

TEST(ShmHostileHolder, WrongAnswersToTheHelloLeadNowhere) {
  const std::string good = Encode(ShmHelloReply{});
  const auto ledger = MemoryFile(sizeof(LedgerPages) + 4096, kSealed);
  const auto loose = MemoryFile(sizeof(LedgerPages) + 4096, 0);
  const auto small = MemoryFile(4096, kSealed);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const FileDescriptor in(ends[0]);
  const FileDescriptor out(ends[1]);
  struct Case {
    StatusCode code;
    std::function<void(const ShmSocket&)> answer;
  };
  const StatusCode later = StatusCode::kUnavailable;
  const StatusCode never = StatusCode::kFailedPrecondition;
  const std::vector<Case> cases = {
      {later, [&](const ShmSocket& s) { (void)s.Send("nonsense", {ledger.get()}); }},
      {later, [&](const ShmSocket& s) { (void)s.Send(good); }},
      {later,
       [&](const ShmSocket& s) {
         (void)s.Send(good, {ledger.get(), ledger.get()});
       }},
      {never, [&](const ShmSocket& s) { (void)s.Send(good, {loose.get()}); }},
      {later, [&](const ShmSocket& s) { (void)s.Send(good, {small.get()}); }},
      {never, [&](const ShmSocket& s) { (void)s.Send(good, {in.get()}); }},
      {later, [&](const ShmSocket& s) { s.Shutdown(); }},
      {later, [&](const ShmSocket& s) {
         (void)s.Send(Encode(ShmHelloReply{.version = 9}), {ledger.get()});
       }}};
  for (const Case& each : cases) {
    const HostileShmHolder holder(each.answer);
    ExpectNoWay(ReadFrom(holder), each.code);
  }
}

TEST(ShmHostileHolder, OneThatNeverAnswersCostsASecondAndNotOnePerCopy) {
  const HostileShmHolder holder([](const ShmSocket&) {});
  const std::unique_ptr<Engine> client = CreateEngine({.host = "here"}, {}).value();
  const PeerId peer = client->Open(holder.Descriptor()).value();
  const Copy copy{.access = Access::kRead, .peer = peer, .region = 1, .pieces = {}, .guard = {}};
  const std::vector<Copy> copies(50, copy);
  const TimePoint begin = BootClock::now();
  for (const Completion& end : client->Run(copies, Soon())) {
    ExpectNoWay(end, StatusCode::kUnavailable);
  }
  EXPECT_LT(BootClock::now() - begin, std::chrono::seconds(5));
  EXPECT_LE(holder.accepted(), 3);
}

TEST(ShmHostileHolder, RegionsThatAreNotWhatTheyShouldBeAreNotMapped) {
  const auto ledger = MemoryFile(sizeof(LedgerPages) + 4096, kSealed);
  const auto data = MemoryFile(8192, kSealed);
  const auto words = MemoryFile(4096, kSealed);
  const auto loose = MemoryFile(8192, 0);
  const auto small = MemoryFile(4096, kSealed);
  const ShmReply good{.size = 8192, .granule = 4096, .registration = 1};
  ShmReply huge = good;
  huge.size = uint64_t{1} << 62;
  ShmReply fine = good;  // more words than the file has
  fine.granule = 1;
  ShmReply other = good;
  other.sequence = 5;
  struct Case {
    StatusCode code;
    ShmReply reply;
    std::vector<int> files;
  };
  const StatusCode later = StatusCode::kUnavailable;
  const StatusCode never = StatusCode::kFailedPrecondition;
  const std::vector<Case> cases = {
      {later, good, {}},
      {later, good, {data.get()}},
      {never, good, {loose.get(), words.get()}},
      {never, good, {data.get(), loose.get()}},
      {later, good, {small.get(), words.get()}},
      {later, huge, {data.get(), words.get()}},
      {later, fine, {data.get(), words.get()}},
      {later, other, {data.get(), words.get()}},
      {never, ShmReply{.code = StatusCode::kAborted, .message = "no"}, {}}};
  for (const Case& each : cases) {
    HostileShmHolder holder([&](const ShmSocket& socket) {
      (void)Next(socket);
      (void)socket.Send(Encode(ShmHelloReply{}), {ledger.get()});
      (void)Next(socket);
      const std::string reply = Encode(each.reply);
      if (each.files.empty()) (void)socket.Send(reply);
      if (each.files.size() == 1) (void)socket.Send(reply, {each.files[0]});
      if (each.files.size() == 2) (void)socket.Send(reply, {each.files[0], each.files[1]});
    });
    holder.keep_open = false;
    ExpectNoWay(ReadFrom(holder), each.code);
  }
}

}  // namespace
}  // namespace kvstore::transfer
