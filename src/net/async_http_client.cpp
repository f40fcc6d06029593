#include "net/async_http_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <deque>

#include "net/client_connection.hpp"

namespace doorbuster::net {
namespace {

using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>,
                                                boost::asio::io_context::executor_type>;

std::string bytes_of(const AsyncRequest& request, const Url& origin, const std::string& authorization) {
  const bool numeric = origin.host.find(':') != std::string::npos;
  auto bytes = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}{}{}:{}\r\n", request.method, origin.path,
                           request.target, numeric ? "[" : "", origin.host, numeric ? "]" : "", origin.port);
  if (!authorization.empty()) bytes += fmt::format("Authorization: {}\r\n", authorization);
  for (const auto& [name, value] : request.headers) bytes += fmt::format("{}: {}\r\n", name, value);
  if (!request.body.empty()) bytes += fmt::format("Content-Type: {}\r\n", request.content_type);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
    bytes += fmt::format("Content-Length: {}\r\n", request.body.size());
  return bytes + "\r\n" + request.body;
}

}  // namespace

class AsyncHttpClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(rt::Shard& shard, Url origin, std::string authorization, Options options)
      : shard_(shard),
        origin_(std::move(origin)),
        authorization_(std::move(authorization)),
        options_(options) {}

  void exchange(AsyncRequest request, Duration timeout, Done done);
  void stream(AsyncRequest request, Duration silence, std::unique_ptr<StreamReader> reader);
  void close_streams();
  void close();

 private:
  struct Operation {
    Operation(rt::Shard& shard) : timer(shard.context().get_executor()) {}
    AsyncRequest request;
    Duration timeout{};
    Done done;
    Timer timer;
    std::shared_ptr<ClientConnection> connection;
    bool repeated = false;
  };
  struct Stream {
    Stream(rt::Shard& shard) : timer(shard.context().get_executor()) {}
    std::shared_ptr<StreamReader> reader;
    Duration silence{};
    Timer timer;
    std::shared_ptr<ClientConnection> connection;
    bool has_head = false;
  };

  void start_next();
  void start(const std::shared_ptr<Operation>& operation);
  void send(const std::shared_ptr<Operation>& operation);
  void on_reply(const std::shared_ptr<Operation>& operation, Result<void> result);
  void finish(const std::shared_ptr<Operation>& operation, Result<ClientResponse> result);
  std::shared_ptr<ClientConnection> take_idle();
  void watch_silence(const std::shared_ptr<Stream>& stream);
  void on_progress(const std::shared_ptr<Stream>& stream);
  void end_stream(const std::shared_ptr<Stream>& stream, const Error& why);
  Error timed_out(bool was_sent) const {
    return make_error(was_sent ? ErrorCode::unknown_outcome : ErrorCode::unavailable,
                      fmt::format("http://{}:{} does not answer: timed out", origin_.host, origin_.port));
  }

  rt::Shard& shard_;
  Url origin_;
  std::string authorization_;
  Options options_;
  std::vector<std::shared_ptr<Operation>> running_;
  std::deque<std::shared_ptr<Operation>> waiting_;
  std::vector<std::shared_ptr<ClientConnection>> idle_;  // the one used last is at the end
  std::vector<std::shared_ptr<Stream>> streams_;
  bool closed_ = false;
};

void AsyncHttpClient::Impl::exchange(AsyncRequest request, Duration timeout, Done done) {
  if (waiting_.size() >= options_.most_waiting) {
    auto answer = [done = std::move(done), me = weak_from_this()]() mutable {
      if (me.lock()) done(make_error(ErrorCode::overloaded, "too many requests wait for this server"));
    };
    return shard_.post(std::move(answer));
  }
  auto operation = std::make_shared<Operation>(shard_);
  operation->request = std::move(request);
  operation->timeout = timeout;
  operation->done = std::move(done);
  operation->timer.expires_after(timeout);
  operation->timer.async_wait([me = shared_from_this(), operation](boost::system::error_code error) {
    if (error || !operation->done) return;
    me->finish(operation, me->timed_out(operation->connection && operation->connection->sent_something()));
  });
  waiting_.push_back(std::move(operation));
  shard_.post([me = shared_from_this()] { me->start_next(); });
}

void AsyncHttpClient::Impl::start_next() {
  while (!closed_ && !waiting_.empty() && running_.size() < options_.most_connections) {
    auto operation = std::move(waiting_.front());
    waiting_.pop_front();
    running_.push_back(operation);
    start(operation);
  }
}

std::shared_ptr<ClientConnection> AsyncHttpClient::Impl::take_idle() {
  const auto now = std::chrono::steady_clock::now();
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (now - connection->idle_since < options_.idle_timeout && connection->quiet()) return connection;
    connection->close();
  }
  return nullptr;
}

void AsyncHttpClient::Impl::start(const std::shared_ptr<Operation>& operation) {
  if (!operation->repeated) operation->connection = take_idle();
  if (operation->connection) return send(operation);
  operation->connection = std::make_shared<ClientConnection>(shard_, origin_, options_.most_body_bytes);
  operation->connection->connect([me = shared_from_this(), operation](Result<void> connected) {
    if (!operation->done) return;
    if (!connected) return me->finish(operation, connected.error());
    me->send(operation);
  });
}

void AsyncHttpClient::Impl::send(const std::shared_ptr<Operation>& operation) {
  operation->connection->exchange(
      bytes_of(operation->request, origin_, authorization_), operation->request.method == "HEAD", [] {},
      [me = shared_from_this(), operation](Result<void> result) {
        me->on_reply(operation, std::move(result));
      });
}

void AsyncHttpClient::Impl::on_reply(const std::shared_ptr<Operation>& operation, Result<void> result) {
  if (!operation->done) return;
  auto& connection = *operation->connection;
  if (result) {
    auto& reply = connection.reply();
    return finish(operation, ClientResponse{reply.status(), std::string(reply.header("Content-Type")),
                                            std::string(reply.body())});
  }
  if (connection.used_before() && connection.reply().untouched() && operation->request.repeatable &&
      !std::exchange(operation->repeated, true)) {
    operation->connection = nullptr;
    return start(operation);
  }
  finish(operation, result.error());
}

void AsyncHttpClient::Impl::finish(const std::shared_ptr<Operation>& operation,
                                   Result<ClientResponse> result) {
  auto done = std::exchange(operation->done, nullptr);
  operation->timer.cancel();
  std::erase(running_, operation);
  std::erase(waiting_, operation);
  if (auto connection = std::move(operation->connection)) {
    if (result && connection->quiet() && !closed_) {
      connection->idle_since = std::chrono::steady_clock::now();
      idle_.push_back(std::move(connection));
    } else {
      connection->close();
    }
  }
  if (closed_) return;
  const auto me = shared_from_this();  // `done` may destroy the client
  done(std::move(result));
  me->start_next();
}

void AsyncHttpClient::Impl::stream(AsyncRequest request, Duration silence,
                                   std::unique_ptr<StreamReader> reader) {
  auto stream = std::make_shared<Stream>(shard_);
  stream->reader = std::move(reader);
  stream->silence = silence;
  stream->connection = std::make_shared<ClientConnection>(shard_, origin_, options_.most_body_bytes);
  streams_.push_back(stream);
  watch_silence(stream);
  auto bytes = bytes_of(request, origin_, authorization_);
  stream->connection->connect(
      [me = shared_from_this(), stream, bytes = std::move(bytes)](Result<void> connected) mutable {
        if (!stream->reader) return;
        if (!connected) return me->end_stream(stream, connected.error());
        stream->connection->exchange(
            std::move(bytes), false, [me, stream] { me->on_progress(stream); },
            [me, stream](Result<void> result) {
              if (!stream->reader) return;
              if (result) me->on_progress(stream);
              if (!stream->reader) return;
              me->end_stream(stream, result ? make_error(ErrorCode::unavailable, "the server has ended it")
                                            : result.error());
            });
      });
}

void AsyncHttpClient::Impl::watch_silence(const std::shared_ptr<Stream>& stream) {
  stream->timer.expires_after(stream->silence);
  stream->timer.async_wait([me = shared_from_this(), stream](boost::system::error_code error) {
    if (!error && stream->reader) me->end_stream(stream, me->timed_out(true));
  });
}

void AsyncHttpClient::Impl::on_progress(const std::shared_ptr<Stream>& stream) {
  if (!stream->reader) return;
  watch_silence(stream);
  auto& reply = stream->connection->reply();
  if (!reply.has_head()) return;
  const auto reader = stream->reader;  // it may close the stream
  if (!std::exchange(stream->has_head, true) &&
      !reader->on_head(reply.status(), reply.header("Content-Type"))) {
    return end_stream(
        stream, make_error(ErrorCode::unavailable, fmt::format("answered with status {}", reply.status())));
  }
  const auto bytes = reply.take_body();
  if (stream->reader && !bytes.empty()) reader->on_bytes(bytes);
}

void AsyncHttpClient::Impl::end_stream(const std::shared_ptr<Stream>& stream, const Error& why) {
  const auto reader = std::exchange(stream->reader, nullptr);
  stream->timer.cancel();
  stream->connection->close();
  std::erase(streams_, stream);
  if (reader && !closed_) reader->on_end(why);
}

void AsyncHttpClient::Impl::close_streams() {
  for (const auto& stream : std::exchange(streams_, {})) {
    stream->reader = nullptr;
    stream->timer.cancel();
    stream->connection->close();
  }
}

void AsyncHttpClient::Impl::close() {
  closed_ = true;
  close_streams();
  for (const auto& connection : std::exchange(idle_, {})) connection->close();
  auto operations = std::exchange(running_, {});
  for (auto& one : std::exchange(waiting_, {})) operations.push_back(std::move(one));
  for (const auto& operation : operations) {
    operation->timer.cancel();
    operation->done = nullptr;
    if (operation->connection) operation->connection->close();
    operation->connection = nullptr;
  }
}

AsyncHttpClient::AsyncHttpClient(rt::Shard& shard, Url origin, std::string authorization, Options options)
    : impl_(std::make_shared<Impl>(shard, std::move(origin), std::move(authorization), options)) {}

AsyncHttpClient::~AsyncHttpClient() {
  impl_->close();
}

void AsyncHttpClient::exchange(AsyncRequest request, Duration timeout, Done done) {
  impl_->exchange(std::move(request), timeout, std::move(done));
}

void AsyncHttpClient::stream(AsyncRequest request, Duration silence, std::unique_ptr<StreamReader> reader) {
  impl_->stream(std::move(request), silence, std::move(reader));
}

void AsyncHttpClient::close_streams() {
  impl_->close_streams();
}

}  // namespace doorbuster::net
