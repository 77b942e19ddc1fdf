#ifndef KVSTORE_SRC_TRANSFER_TCP_ENDPOINT_H_
#define KVSTORE_SRC_TRANSFER_TCP_ENDPOINT_H_

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "kvstore/result.h"

namespace kvstore::transfer {

// An address and a port, IPv4 or IPv6. Value.
class Endpoint {
 public:
  // "ADDRESS:PORT", IPv6 in brackets; numeric only, so that it never asks a name server.
  static Result<Endpoint> Parse(std::string_view text);
  // The same, but ADDRESS may be a name, which is looked up now, and a port that is missing is
  // `default_port`.
  static Result<Endpoint> Resolve(std::string_view text, uint16_t default_port);
  // What a socket is bound to.
  static Result<Endpoint> OfSocket(int fd);

  int family() const { return address_.ss_family; }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t length() const { return length_; }
  uint16_t port() const;
  // 0.0.0.0 or [::]: good to listen on, useless to connect to.
  bool IsWildcard() const;

  // As Parse takes it.
  std::string ToString() const;

 private:
  static Result<Endpoint> Find(const std::string& host, uint16_t port, int flags);

  sockaddr_storage address_{};
  socklen_t length_ = 0;
};

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_TCP_ENDPOINT_H_
