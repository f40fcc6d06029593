#include "net/http_client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "proto/http/response_parser.hpp"

namespace doorbuster::net {
namespace {

constexpr std::size_t kMostBodyBytes = 64 << 20;  // a list of all coupons of a campaign is tens of megabytes

using Deadline = std::chrono::steady_clock::time_point;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string text_of(int error) { return std::string(::strerrordesc_np(error)); }

/// Waits for `events`. \returns false when the deadline has passed
bool ready_by(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{fd, events, 0};
    const int count = ::poll(&waiting, 1, static_cast<int>(std::min<long>(left, 60'000)));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return true;  // the call that follows says what is wrong
  }
}

Error unreachable(const Url& url, const std::string& why) {
  return make_error(ErrorCode::unavailable, "http://" + url.host + ":" + url.port + ": " + why);
}

Result<Descriptor> connect_to(const Url& url, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found); failed != 0) {
    return unreachable(url, ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  int why = 0;
  for (const auto* address = found; address != nullptr; address = address->ai_next) {
    Descriptor socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) {
      why = errno;
      continue;
    }
    if (::connect(socket.get(), address->ai_addr, address->ai_addrlen) == 0) return socket;
    why = errno;
    if (why != EINPROGRESS) continue;
    if (!ready_by(socket.get(), POLLOUT, deadline)) return unreachable(url, "timed out while connecting");
    socklen_t size = sizeof why;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &why, &size);
    if (why == 0) return socket;
  }
  return unreachable(url, text_of(why));
}

Result<void> send_all(const Url& url, int fd, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const auto size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN || errno == EINTR) {
      if (!ready_by(fd, POLLOUT, deadline)) return unreachable(url, "timed out while sending");
    } else {
      // The server may have answered before it read everything: that answer is read.
      if (errno == EPIPE || errno == ECONNRESET) return {};
      return unreachable(url, text_of(errno));
    }
  }
  return {};
}

Result<void> receive(const Url& url, int fd, http::ResponseParser& parser, Deadline deadline) {
  const std::size_t room = 64 * 1024;
  const std::unique_ptr<char[]> buffer(new char[room]);
  while (!parser.done()) {
    if (!ready_by(fd, POLLIN, deadline)) return unreachable(url, "timed out while waiting for the answer");
    const auto size = ::recv(fd, buffer.get(), room, 0);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return unreachable(url, text_of(errno));
    }
    if (size == 0) {
      if (parser.untouched()) return unreachable(url, "closed the connection without an answer");
      return parser.finish();
    }
    if (auto put = parser.put({buffer.get(), static_cast<std::size_t>(size)}); !put) return put.error();
  }
  return {};
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const auto invalid = [&] {
    return make_error(ErrorCode::invalid,
                      "'" + std::string(text) + "' is not an address like http://127.0.0.1:8080");
  };
  constexpr std::string_view scheme = "http://";
  if (!text.starts_with(scheme)) return invalid();
  const auto rest = text.substr(scheme.size());
  const auto slash = rest.find('/');
  const auto authority = rest.substr(0, slash);
  Url url;
  auto path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  auto host = authority;
  url.port = "80";
  const auto colon = authority.ends_with(']') ? std::string_view::npos : authority.rfind(':');
  if (colon != std::string_view::npos) {
    const auto port = authority.substr(colon + 1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos ||
        std::stoul(std::string(port)) > 65535) {
      return invalid();
    }
    url.port = port;
    host = authority.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  // Whatever is not visible could break out of the request line or of the Host field.
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '?' || c == '#' || c == '@') return invalid();
  }
  if (host.empty()) return invalid();
  url.host = host;
  return url;
}

HttpClient::HttpClient(Url base, std::string token, Duration timeout)
    : base_(std::move(base)), token_(std::move(token)), timeout_(timeout) {}

Result<ClientResponse> HttpClient::exchange(std::string_view method, std::string_view target,
                                            std::string_view body) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  auto socket = connect_to(base_, deadline);
  if (!socket) return socket.error();
  const bool v6 = base_.host.find(':') != std::string::npos;
  std::string request(method);
  request += ' ';
  request += base_.path;
  request += target;
  request += " HTTP/1.1\r\nHost: " + (v6 ? "[" + base_.host + "]" : base_.host) + ":" + base_.port +
             "\r\nConnection: close\r\n";
  if (!token_.empty()) request += "Authorization: Bearer " + token_ + "\r\n";
  if (!body.empty()) {
    request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  } else if (method == "POST" || method == "PUT" || method == "PATCH") {
    request += "Content-Length: 0\r\n";
  }
  request += "\r\n";
  request += body;
  if (auto sent = send_all(base_, socket->get(), request, deadline); !sent) return sent.error();
  http::ResponseParser parser(kMostBodyBytes);
  parser.reset(method == "HEAD");
  if (auto received = receive(base_, socket->get(), parser, deadline); !received) return received.error();
  return ClientResponse{parser.status(), std::string(parser.header("Content-Type")), std::string(parser.body())};
}

}  // namespace doorbuster::net
