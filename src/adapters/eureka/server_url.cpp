#include "adapters/eureka/server_url.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "proto/http/message.hpp"

namespace doorbuster {
namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<std::uint8_t>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j)
      text += i + j <= bytes.size() ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

Result<RegistryServer> parse_one(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    // A secret in it is not repeated.
    const auto shown = text.find('@') == std::string_view::npos ? text : text.substr(text.find('@') + 1);
    return make_error(ErrorCode::invalid,
                      fmt::format("'{}' is no address of a registry such as "
                                  "http://127.0.0.1:8761/eureka/: {}",
                                  shown, why),
                      "registry.urls");
  };
  if (text.substr(0, 8) == "https://") return wrong("https is not offered yet");
  constexpr std::string_view scheme = "http://";
  if (text.substr(0, scheme.size()) != scheme) return wrong("it does not begin with http://");
  auto rest = text.substr(scheme.size());
  RegistryServer server;
  const auto authority = rest.substr(0, rest.find('/'));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const auto credentials = http::percent_decoded(authority.substr(0, at));
    if (!credentials) return wrong("an escape in its user or secret is cut off");
    server.authorization = "Basic " + base64(*credentials);
    rest.remove_prefix(at + 1);
  }
  auto url = net::parse_url(std::string(scheme) + std::string(rest));
  if (!url) return wrong("host, port or path cannot be read");
  server.url = std::move(*url);
  if (server.url.path.empty()) server.url.path = "/eureka";
  server.shown = fmt::format("{}:{}", server.url.host, server.url.port);
  return server;
}

}  // namespace

Result<std::vector<RegistryServer>> parse_registry_servers(std::string_view list) {
  std::vector<RegistryServer> servers;
  while (true) {
    const auto comma = list.find(',');
    auto one = list.substr(0, comma);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    auto server = parse_one(one);
    if (!server) return server.error();
    servers.push_back(std::move(*server));
    if (comma == std::string_view::npos) return servers;
    list.remove_prefix(comma + 1);
  }
}

std::string local_address_towards(const net::Url& server) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
  const int socket = ::socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return {};
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  char text[NI_MAXHOST] = "";
  // Connecting a datagram socket sends nothing; it only chooses the way.
  if (::connect(socket, address->ai_addr, address->ai_addrlen) == 0 &&
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0) {
    ::getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  }
  ::close(socket);
  return text;
}

std::string path_segment(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       std::string_view("-._~:@").find(c) != std::string_view::npos;
    if (plain) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

}  // namespace doorbuster
