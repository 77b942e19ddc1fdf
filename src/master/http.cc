#include "master/http.h"

#include <httplib.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "thread_annotations.h"

namespace kvstore::master {
namespace {

constexpr size_t kThreads = 8;
constexpr size_t kMaxBodyBytes = 4096;
constexpr time_t kTimeoutSeconds = 1;  // of one read or write, and of a connection at rest

// The newest connection first: one that opens many and says nothing delays only its own kind.
class NewestFirst final : public httplib::TaskQueue {
 public:
  NewestFirst() {
    for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Run(); });
  }

  void enqueue(std::function<void()> task) override {
    {
      MutexLock lock(mu_);
      tasks_.push_back(std::move(task));
    }
    changed_.NotifyOne();
  }

  // Runs what is left: each task owns a connection, which only running it closes.
  void shutdown() override {
    {
      MutexLock lock(mu_);
      stopping_ = true;
    }
    changed_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Run() {
    for (;;) {
      std::function<void()> task;
      {
        MutexLock lock(mu_);
        while (tasks_.empty() && !stopping_) changed_.Wait(mu_);
        if (tasks_.empty()) return;
        task = std::move(tasks_.back());
        tasks_.pop_back();
      }
      task();
    }
  }

  Mutex mu_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ GUARDED_BY(mu_);
  bool stopping_ GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

class Httplib final : public HttpServer {
 public:
  explicit Httplib(Handler handler) : handler_(std::move(handler)) {
    server_.new_task_queue = [] { return new NewestFirst; };
    server_.set_payload_max_length(kMaxBodyBytes);
    server_.set_read_timeout(kTimeoutSeconds);
    server_.set_write_timeout(kTimeoutSeconds);
    server_.set_keep_alive_timeout(kTimeoutSeconds);
    server_.set_keep_alive_max_count(100);
    // Not its default, SO_REUSEPORT, with which two masters would share the port unnoticed.
    server_.set_socket_options([this](socket_t socket) {
      listener_ = socket;
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server_.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          if (request.method != "GET" && request.method != "HEAD") {
            return httplib::Server::HandlerResponse::Unhandled;
          }
          const HttpReply reply = handler_(request.target);
          response.status = reply.status;
          response.set_content(reply.body, reply.type.c_str());
          return httplib::Server::HandlerResponse::Handled;
        });
    server_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
      if (!response.body.empty()) return;  // a reply of the handler
      if (response.status == 404 && !request.method.empty()) {
        response.status = 405;
        response.set_header("Allow", "GET, HEAD");
      }
      response.set_content("only GET is served here; GET / tells what\n", "text/plain");
    });
  }

  ~Httplib() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Status Listen(const std::string& address, uint16_t port) {
    errno = 0;
    const int bound = port == 0                             ? server_.bind_to_any_port(address)
                      : server_.bind_to_port(address, port) ? port
                                                            : -1;
    if (bound <= 0) {
      return UnavailableError("cannot listen on " + address + " port " + std::to_string(port) +
                              " for metrics: " + std::strerror(errno) +
                              "; name another with --metrics_port, or 0 for none");
    }
    // Its own backlog is 5, which a handful of clients fills; then the next waits a second.
    listen(listener_, SOMAXCONN);
    port_ = static_cast<uint16_t>(bound);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // or stop() would come too early
    return Status::Ok();
  }

  uint16_t port() const override { return port_; }

 private:
  const Handler handler_;
  httplib::Server server_;
  socket_t listener_ = INVALID_SOCKET;  // the server's
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Create(const std::string& address, uint16_t port,
                                                       Handler handler) {
  auto server = std::make_unique<Httplib>(std::move(handler));
  KVSTORE_RETURN_IF_ERROR(server->Listen(address, port));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace kvstore::master
