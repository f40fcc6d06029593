#include "net/http_client.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "proto/http/response_parser.hpp"

namespace doorbuster::net {
namespace {

constexpr std::size_t kMostReplyBytes = 256 << 20;  // an export of a million coupons

struct Descriptor {
  int value = -1;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

using Deadline = std::chrono::steady_clock::time_point;

/// Waits until the socket is ready. False: the deadline is over.
bool wait_for(int socket, short events, Deadline deadline) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now())
            .count();
    if (left <= 0) return false;
    pollfd polled{socket, events, 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Error unreachable(const Url& url, const std::string& why) {
  return make_error(ErrorCode::unavailable,
                    fmt::format("http://{}:{} does not answer: {}", url.host, url.port, why));
}

Result<void> connect_to(const Url& url, Deadline deadline, Descriptor& socket) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found); failed != 0) {
    return unreachable(url, ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  std::string why = "no address";
  for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
    if (socket.value >= 0) ::close(socket.value);
    socket.value = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket.value < 0) continue;
    int error = 0;
    if (::connect(socket.value, address->ai_addr, address->ai_addrlen) != 0) {
      error = errno;
      if (error == EINPROGRESS) {
        if (!wait_for(socket.value, POLLOUT, deadline)) return unreachable(url, "timed out");
        socklen_t size = sizeof error;
        ::getsockopt(socket.value, SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
    if (error == 0) return {};
    why = std::strerror(error);
  }
  return unreachable(url, why);
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [text] {
    return make_error(ErrorCode::invalid, fmt::format("'{}' is no URL like http://127.0.0.1:8080", text),
                      "url");
  };
  constexpr std::string_view kScheme = "http://";
  if (text.substr(0, kScheme.size()) != kScheme) return wrong();
  text.remove_prefix(kScheme.size());
  const auto slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  Url url;
  url.path = slash == std::string_view::npos ? "" : std::string(text.substr(slash));
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  url.port = "80";
  if (!authority.empty() && authority.front() == '[') {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return wrong();
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
  } else {
    const auto colon = authority.find(':');
    url.host = authority.substr(0, colon);
    authority.remove_prefix(colon == std::string_view::npos ? authority.size() : colon);
  }
  if (!authority.empty()) {
    if (authority.front() != ':' || authority.size() < 2 || authority.size() > 6 ||
        authority.find_first_not_of("0123456789", 1) != std::string_view::npos) {
      return wrong();
    }
    url.port = authority.substr(1);
  }
  if (url.host.empty() || url.host.find_first_of(" @?#\r\n") != std::string::npos ||
      url.path.find_first_of(" ?#\r\n") != std::string::npos) {
    return wrong();
  }
  return url;
}

HttpClient::HttpClient(Url base, std::string token, Duration timeout)
    : base_(std::move(base)), token_(std::move(token)), timeout_(timeout) {}

Result<ClientResponse> HttpClient::exchange(std::string_view method, std::string_view target,
                                            std::string_view body) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  Descriptor socket;
  if (const auto connected = connect_to(base_, deadline, socket); !connected) return connected.error();

  std::string request = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n", method,
                                    base_.path, target, base_.host, base_.port);
  if (!token_.empty()) request += fmt::format("Authorization: Bearer {}\r\n", token_);
  if (!body.empty())
    request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  request += "\r\n";
  request += body;
  for (std::string_view left = request; !left.empty();) {
    const auto sent = ::send(socket.value, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      left.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      break;  // the server may have answered before it had read everything: see what it said
    } else if (!wait_for(socket.value, POLLOUT, deadline)) {
      return unreachable(base_, "timed out");
    }
  }

  http::ResponseParser parser(kMostReplyBytes);
  parser.reset(method == "HEAD");
  char buffer[16 * 1024];
  while (!parser.done()) {
    const auto got = ::recv(socket.value, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (!wait_for(socket.value, POLLIN, deadline)) return unreachable(base_, "timed out");
      continue;
    }
    if (got < 0) return unreachable(base_, std::strerror(errno));
    if (got == 0) {
      if (const auto ended = parser.put_end(); !ended) {
        return parser.untouched() ? Result<ClientResponse>(unreachable(base_, "closed without an answer"))
                                  : Result<ClientResponse>(ended.error());
      }
      break;
    }
    if (const auto put = parser.put({buffer, static_cast<std::size_t>(got)}); !put) return put.error();
  }
  return ClientResponse{parser.status(), std::string(parser.header("Content-Type")),
                        std::string(parser.body())};
}

}  // namespace doorbuster::net
