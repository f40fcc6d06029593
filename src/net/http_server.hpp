#pragma once
// HTTP/1.1 server of one shard. Callbacks, no coroutines: a connection is a small state machine
// (docs/adr/0002).
//
// Pipelined requests are handed to the handler one after another as they are read, without waiting for
// replies; replies may be completed in any order, at once or later, and go out in the order of the requests.
// All replies that are completed in one turn of the loop leave in one write a connection.
//
// Ownership and thread: server, connections and responders belong to one shard; everything is called there.
// The server must outlive its responders; stop() before it is destroyed.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/unique_function.hpp"
#include "proto/http/message.hpp"
#include "rt/shard.hpp"

namespace doorbuster::net {

/// The body of a long reply, made piece by piece as the client takes it (sent chunked).
class BodySource {
 public:
  using Next = UniqueFunction<void(Result<std::optional<std::string>>)>;
  virtual ~BodySource() = default;
  /// Gives the next piece, nullopt at the end; a failure cuts the connection, so that the client notices.
  /// Called again only after the piece before has been written to the socket.
  virtual void next(Next done) = 0;
};

class HttpConnection;

/// What somebody who writes a reply's bytes must keep to.
struct ReplyFrame {
  bool head_only = false;                                    ///< the body is not written
  bool chunked = false;                                      ///< of a stream: say so in the head
  http::Persistence persistence = http::Persistence::close;  ///< what `Connection` says
  std::string_view extra;  ///< further header lines, each with CR LF before it; ends with the next call
};

/// Told when the client of an unanswered request has gone.
class ClientWatcher {
 public:
  virtual void client_gone() = 0;

 protected:
  ~ClientWatcher() = default;
};

/// The right to answer one request, once. Move-only. One that is destroyed unanswered answers 500.
/// The connection may have gone meanwhile: then the answer is dropped.
class Responder {
 public:
  Responder() = default;
  Responder(std::shared_ptr<HttpConnection> connection, std::uint64_t request) noexcept;
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();

  void send(const http::Response& response);
  /// `body` is asked for its first piece when this reply's turn comes.
  void send_stream(const http::Response& head, std::unique_ptr<BodySource> body);
  explicit operator bool() const { return connection_ != nullptr; }

  /// For those who hand a reply on: the whole message is appended to the string, then end(). Null: the client
  /// has gone. Nothing else may be called in between. \param close the connection ends with this reply
  std::string* begin(bool close, ReplyFrame& frame);
  void end();
  /// The same for a head whose body comes from a source. \param has_length the head tells the body's length;
  /// the source keeps to it, or fails
  std::string* begin_stream(bool has_length, ReplyFrame& frame);
  void end_stream(std::unique_ptr<BodySource> body);

  /// The body of a streamed request; once. An answer before its end closes the connection behind it.
  std::unique_ptr<BodySource> take_body();
  /// `watcher` is told when the client goes before the answer; null ends that.
  void watch_client(ClientWatcher* watcher);

 private:
  std::shared_ptr<HttpConnection> connection_;
  std::uint64_t request_ = 0;  // its number on its connection, from 0
};

struct HttpServerOptions {
  std::string bind = "127.0.0.1";
  bool share_port = false;                ///< several shards listen on it: SO_REUSEPORT; probe_port() first
  std::uint16_t port = 0;                 ///< 0: any free one, see port()
  std::size_t most_connections = 20'000;  ///< further ones are answered 503 and closed
  std::size_t most_header_bytes = 8 * 1024;
  std::size_t most_headers = 64;
  std::size_t most_body_bytes = 4 * 1024;
  std::uint64_t most_streamed_bytes = 0;  ///< longer bodies, up to this, are streamed (Request::streamed)
  bool end_cancels = false;  ///< a client that closes its side while a request is in the air has given it up
  std::size_t most_pipelined = 256;         ///< requests in the air on a connection; then reading pauses
  std::size_t most_unsent_bytes = 1 << 20;  ///< a client that takes its replies slower: reading pauses
  Duration request_timeout = std::chrono::seconds(10);  ///< from a request's first byte to its last
  Duration idle_timeout = std::chrono::seconds(75);     ///< between requests
  Duration write_timeout = std::chrono::seconds(30);    ///< without progress while replies wait: cut off
};

struct HttpServerStats {
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;
  std::uint64_t refused = 0;  ///< over most_connections
  std::uint64_t requests = 0;
  std::uint64_t bad_requests = 0;
  std::uint64_t timed_out = 0;
};

class HttpServer {
 public:
  /// Called for each request that could be read; what cannot be read the server answers itself
  /// (400, 413, 431, 501, 505 as problem+json) and closes.
  using Handler = std::function<void(const http::Request&, Responder)>;

  HttpServer(rt::Shard& shard, HttpServerOptions options, Handler handler);
  ~HttpServer();

  /// Binds and accepts. \returns unavailable, with address and reason ("port in use")
  Result<void> listen();
  std::uint16_t port() const;
  /// Stops accepting, answers what is in the air, closes idle connections; `done` when none is left or after
  /// `patience` (the rest is cut). A client that is still sending is not reset: its reply reaches it first.
  void drain(Duration patience, UniqueFunction<void()> done);
  /// Cuts everything at once.
  void stop();
  HttpServerStats stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// Whether a port can be had: with `share_port` a second program would get a share of the connections instead
/// of an error. \returns unavailable, invalid
Result<void> probe_port(const std::string& bind, std::uint16_t port);

/// One that nobody has at this moment. \returns unavailable, invalid
Result<std::uint16_t> any_free_port(const std::string& bind);

}  // namespace doorbuster::net
