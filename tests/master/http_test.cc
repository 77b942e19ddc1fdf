#include "master/http.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "kvstore/clock.h"

namespace kvstore::master {
namespace {

// A client's connection; whatever it says, it waits for answers at most eight seconds.
class Connection {
 public:
  explicit Connection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  void Say(const std::string& bytes) { send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  // All that comes until the server hangs up, or time runs out.
  std::string ReadAll() {
    std::string all;
    const TimePoint end = BootClock::now() + std::chrono::seconds(8);
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end - BootClock::now());
      pollfd ready{fd_, POLLIN, 0};
      if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) <= 0) return all;
      char buffer[4096];
      const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
      if (got <= 0) return all;
      all.append(buffer, static_cast<size_t>(got));
    }
  }

 private:
  int fd_;
};

class Http : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<HttpServer>> server =
        HttpServer::Create("127.0.0.1", 0, [](const std::string& target) -> HttpReply {
          if (target.starts_with("/page")) return {200, "text/plain", "page " + target + "\n"};
          return {404, "application/json", "{\"no\":\"page\"}"};
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string Ask(const std::string& request) {
    Connection connection(server_->port());
    connection.Say(request);
    return connection.ReadAll();
  }
  std::string Get(const std::string& path) {
    return Ask("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  std::unique_ptr<HttpServer> server_;
};

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Http, GivesTheTargetAsItWasSentAndTheReplyAsItIs) {
  const std::string page = Get("/page/a%2Fb?x=%20+1");
  EXPECT_TRUE(Holds(page, "HTTP/1.1 200")) << page;
  EXPECT_TRUE(Holds(page, "Content-Type: text/plain")) << page;
  EXPECT_TRUE(Holds(page, "\r\n\r\npage /page/a%2Fb?x=%20+1\n")) << page;
  const std::string none = Get("/../etc/passwd");
  EXPECT_TRUE(Holds(none, "HTTP/1.1 404")) << none;
  EXPECT_TRUE(Holds(none, "{\"no\":\"page\"}")) << none;
}

TEST_F(Http, OnlyGetAndHeadAreServed) {
  const std::string head = Ask("HEAD /page HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(Holds(head, "HTTP/1.1 200")) << head;
  EXPECT_FALSE(Holds(head, "page /page")) << head;
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    const std::string refused = Ask(std::string(method) +
                                    " /page HTTP/1.1\r\nConnection: close\r\n"
                                    "Content-Length: 0\r\n\r\n");
    EXPECT_TRUE(Holds(refused, "HTTP/1.1 405")) << refused;
    EXPECT_TRUE(Holds(refused, "Allow: GET, HEAD")) << refused;
  }
}

TEST_F(Http, LargeRequestsAreRefused) {
  EXPECT_FALSE(Holds(Get("/" + std::string(100'000, 'x')), "HTTP/1.1 200"));
  EXPECT_FALSE(Holds(Ask("GET /page HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"),
                     "HTTP/1.1 200"));
  EXPECT_TRUE(Holds(Ask("POST /page HTTP/1.1\r\nConnection: close\r\nContent-Length: 5000\r\n\r\n" +
                        std::string(5000, 'x')),
                    "HTTP/1.1 413"));
}

TEST_F(Http, SilentSlowAndGarbledConnectionsDelayNobodyForLong) {
  std::vector<Connection> held;
  for (int i = 0; i < 60; ++i) {
    held.emplace_back(server_->port());
    held.emplace_back(server_->port());
    held.back().Say("GET /met");
    held.emplace_back(server_->port());
    held.back().Say(std::string("\x16\x03\x01\x00\xff\x00\n\n\r\n\r\n", 11));
  }
  const TimePoint begin = BootClock::now();
  EXPECT_TRUE(Holds(Get("/page"), "HTTP/1.1 200"));
  EXPECT_LT(BootClock::now() - begin, std::chrono::seconds(5));
}

TEST_F(Http, PortInUseIsAClearError) {
  const auto second = HttpServer::Create("127.0.0.1", server_->port(), nullptr);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Holds(second.status().message(), "Address already in use")) << second.status();
  EXPECT_TRUE(Holds(second.status().message(), std::to_string(server_->port())));
}

TEST(HttpServer, ListensOnIPv6) {
  const auto server = HttpServer::Create("::1", 0, nullptr);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT((*server)->port(), 0);
}

}  // namespace
}  // namespace kvstore::master
