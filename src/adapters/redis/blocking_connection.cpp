#include "adapters/redis/blocking_connection.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace doorbuster::redis {

Result<std::unique_ptr<BlockingConnection>> BlockingConnection::open(const Options& options,
                                                                     const ScriptSet& scripts) {
  std::unique_ptr<BlockingConnection> made(new BlockingConnection(options, scripts));
  if (const auto connected = made->connect(); !connected) return connected.error();
  if (const auto greeted = made->greet(); !greeted) return greeted.error();
  return made;
}

BlockingConnection::~BlockingConnection() {
  if (socket_ >= 0) ::close(socket_);
}

Error BlockingConnection::give_up(ErrorCode code, const std::string& why) {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  unanswered_ = 0;
  return make_error(code, "Redis at " + options_.host + ":" + std::to_string(options_.port) + ": " + why,
                    code == ErrorCode::unavailable ? "redis.host" : "");
}

Result<void> BlockingConnection::connect() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const auto port = std::to_string(options_.port);
  if (const int failed = ::getaddrinfo(options_.host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    return give_up(ErrorCode::unavailable, ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  std::string why = "no address";
  for (const auto* address = found; address != nullptr; address = address->ai_next) {
    socket_ = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return give_up(ErrorCode::unavailable, ::strerrordesc_np(errno));
    int failure = 0;
    if (::connect(socket_, address->ai_addr, address->ai_addrlen) != 0) {
      failure = errno;
      pollfd polled{socket_, POLLOUT, 0};
      const auto patience = std::chrono::ceil<std::chrono::milliseconds>(options_.connect_timeout);
      if (failure == EINPROGRESS) {
        failure = ETIMEDOUT;
        socklen_t size = sizeof failure;
        if (::poll(&polled, 1, static_cast<int>(patience.count())) == 1) {
          ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failure, &size);
        }
      }
    }
    if (failure == 0) {
      const int on = 1;
      ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return {};
    }
    why = ::strerrordesc_np(failure);
    ::close(std::exchange(socket_, -1));
  }
  return give_up(ErrorCode::unavailable, why);
}

Result<void> BlockingConnection::greet() {
  const auto commands = handshake_commands(options_);
  for (const auto& command : commands) command.append_to(out_);
  for (const auto& text : scripts_.all()) Command({"SCRIPT", "LOAD", text}).append_to(out_);
  unanswered_ = commands.size() + kScripts;
  if (const auto written = write_out(); !written)
    return give_up(ErrorCode::unavailable, written.error().detail);
  std::vector<Reply> replies;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    auto reply = receive();
    if (!reply) return make_error(ErrorCode::unavailable, reply.error().detail, "redis.host");
    replies.push_back(std::move(*reply));
  }
  auto facts = facts_of(replies);
  if (!facts) return facts.error();
  facts_ = std::move(*facts);
  if (const auto fine = check(facts_, options_); !fine) return fine.error();
  for (auto& sha : shas_) {
    auto reply = receive();
    if (!reply) return make_error(ErrorCode::unavailable, reply.error().detail, "redis.host");
    if (reply->is_error()) return error_of(*reply);
    sha = reply->text();
  }
  return {};
}

Result<void> BlockingConnection::wait(short events) {
  pollfd polled{socket_, events, 0};
  const auto patience = std::chrono::ceil<std::chrono::milliseconds>(options_.command_timeout);
  const int ready = ::poll(&polled, 1, static_cast<int>(patience.count()));
  if (ready > 0 || (ready < 0 && errno == EINTR)) return {};
  return give_up(ErrorCode::unknown_outcome, "it has not answered in time");
}

Result<void> BlockingConnection::write_out() {
  std::string_view left = out_;
  while (!left.empty()) {
    const auto size = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
    if (size >= 0) {
      left.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // Redis stops reading from somebody who does not take its replies: take them in meanwhile.
      if (const auto ready = wait(POLLOUT | POLLIN); !ready) return ready;
      std::array<char, 16 * 1024> buffer;
      const auto got = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got > 0) reader_.feed({buffer.data(), static_cast<std::size_t>(got)});
      if (got == 0) return give_up(ErrorCode::unknown_outcome, "it has closed the connection");
    } else if (errno != EINTR) {
      return give_up(ErrorCode::unknown_outcome, ::strerrordesc_np(errno));
    }
  }
  out_.clear();
  return {};
}

Result<Reply> BlockingConnection::receive() {
  if (broken()) return make_error(ErrorCode::unavailable, "the connection to Redis is gone");
  DOORBUSTER_ASSERT(unanswered_ > 0);
  while (true) {
    auto next = reader_.next();
    if (!next) return give_up(ErrorCode::unknown_outcome, next.error().detail);
    if (next->complete) {
      --unanswered_;
      return std::move(next->reply);
    }
    std::array<char, 64 * 1024> buffer;
    const auto size = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (size > 0) {
      reader_.feed({buffer.data(), static_cast<std::size_t>(size)});
    } else if (size == 0) {
      return give_up(ErrorCode::unknown_outcome, "it has closed the connection");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (const auto ready = wait(POLLIN); !ready) return ready.error();
    } else if (errno != EINTR) {
      return give_up(ErrorCode::unknown_outcome, ::strerrordesc_np(errno));
    }
  }
}

Result<Reply> BlockingConnection::call(const Command& command) {
  if (broken()) return make_error(ErrorCode::unavailable, "the connection to Redis is gone");
  DOORBUSTER_ASSERT(unanswered_ == 0);
  command.append_to(out_);
  ++unanswered_;
  if (const auto written = write_out(); !written) return written.error();
  auto reply = receive();
  if (reply && reply->is_error()) return error_of(*reply);
  return reply;
}

Result<void> BlockingConnection::send(ScriptId script, const Command& words) {
  if (broken()) return make_error(ErrorCode::unavailable, "the connection to Redis is gone");
  words.append_to(out_, {"EVALSHA", shas_[static_cast<std::size_t>(script)]});
  ++unanswered_;
  return write_out();
}

Result<Reply> BlockingConnection::run(ScriptId script, const Command& words) {
  DOORBUSTER_ASSERT(unanswered_ == 0);
  if (const auto sent = send(script, words); !sent) return sent.error();
  auto reply = receive();
  if (reply && is_noscript(*reply)) {
    words.append_to(out_, {"EVAL", scripts_.text(script)});
    ++unanswered_;
    if (const auto written = write_out(); !written) return written.error();
    reply = receive();
  }
  if (reply && reply->is_error()) return error_of(*reply);
  return reply;
}

}  // namespace doorbuster::redis
