#include "transfer/tcp/endpoint.h"

#include <netdb.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>

namespace kvstore::transfer {
namespace {

struct HostAndPort {
  std::string host;
  std::optional<uint16_t> port;
};

Status Malformed(std::string_view text) {
  return InvalidArgumentError("\"" + std::string(text.substr(0, 100)) +
                              "\" is not ADDRESS:PORT (IPv6 in brackets, port 0 to 65535)");
}

Result<HostAndPort> Split(std::string_view text) {
  std::string_view host = text;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return Malformed(text);
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else if (const size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
    if (host.find(':') != std::string_view::npos) return Malformed(text);  // IPv6 without brackets
  }
  if (host.empty() || host.find('\0') != std::string_view::npos) return Malformed(text);
  HostAndPort parts{.host = std::string(host), .port = std::nullopt};
  if (port.empty()) return parts;
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
  if (port.front() != ':' || port.size() == 1 || error != std::errc() ||
      end != port.data() + port.size()) {
    return Malformed(text);
  }
  parts.port = number;
  return parts;
}

}  // namespace

Result<Endpoint> Endpoint::Find(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    return InvalidArgumentError("the address \"" + host +
                                "\" can't be used: " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  Endpoint endpoint;
  if (found->ai_addrlen > sizeof(endpoint.address_)) {
    return InternalError("an address of " + std::to_string(found->ai_addrlen) + " bytes");
  }
  std::memcpy(&endpoint.address_, found->ai_addr, found->ai_addrlen);
  endpoint.length_ = found->ai_addrlen;
  return endpoint;
}

Result<Endpoint> Endpoint::Parse(std::string_view text) {
  KVSTORE_ASSIGN_OR_RETURN(const HostAndPort parts, Split(text));
  if (!parts.port) return Malformed(text);
  return Find(parts.host, *parts.port, AI_NUMERICHOST);
}

Result<Endpoint> Endpoint::Resolve(std::string_view text, uint16_t default_port) {
  KVSTORE_ASSIGN_OR_RETURN(const HostAndPort parts, Split(text));
  return Find(parts.host, parts.port.value_or(default_port), 0);
}

Result<Endpoint> Endpoint::OfSocket(int fd) {
  Endpoint endpoint;
  endpoint.length_ = sizeof(endpoint.address_);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&endpoint.address_), &endpoint.length_) != 0) {
    return InternalError(std::string("getsockname: ") + std::strerror(errno));
  }
  return endpoint;
}

uint16_t Endpoint::port() const {
  if (family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address_)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address_)->sin_port);
}

bool Endpoint::IsWildcard() const {
  if (family() == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6*>(&address_)->sin6_addr;
    return std::memcmp(&address, &in6addr_any, sizeof(address)) == 0;
  }
  return reinterpret_cast<const sockaddr_in*>(&address_)->sin_addr.s_addr == htonl(INADDR_ANY);
}

std::string Endpoint::ToString() const {
  std::array<char, NI_MAXHOST> host{};
  if (getnameinfo(address(), length_, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return "(unknown)";
  }
  const std::string port_text = ":" + std::to_string(port());
  if (family() == AF_INET6) return "[" + std::string(host.data()) + "]" + port_text;
  return host.data() + port_text;
}

}  // namespace kvstore::transfer
