#pragma once
// One connection of HttpServer, and what all connections of a server share. Private to src/net.
//
//   on_ready ──▶ consume ──▶ handler(request, Responder) ...         as many as the bytes hold
//                                 │ answer(), in any order
//                                 ▼
//               slots_ ──advance──▶ out_ ──end of turn: flush──▶ send ──▶ linger, or the next request
//
// Invariants:
// 1. Requests are numbered from 0; those in [first_, next_) are in the air, and slots_[n & mask] belongs to
// n.
//    out_ holds replies of requests before first_, and the beginning of first_'s when stream_ is set.
// 2. Only the last request of a connection closes it: nothing is read behind one that does
// (no_more_requests_).
// 3. readable_ is set from an event until a read has emptied the socket: events tell of changes alone
//    (EPOLLET), so one that came while reading paused is made up for later.
// 4. parser_ is set exactly while a request has come in part; tail_ then holds its bytes. Reading that has
// paused
//    leaves whole requests in tail_.
// 5. The descriptor is watched from start() to close(), without a further epoll_ctl.
// 6. While upload_ is set, everything that is read belongs to the last request's body.
// 7. host_ is null from close() on, and nothing happens any more.
//
// One thread: the shard's.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/body_pipe.hpp"
#include "net/event_set.hpp"
#include "net/http_server.hpp"
#include "proto/http/request_parser.hpp"

namespace doorbuster::net {

/// What the connections of one server share.
class ConnectionHost {
 public:
  static constexpr std::size_t kScratchBytes = 64 * 1024;

  ConnectionHost(rt::Shard& shard, const HttpServerOptions& options, HttpServer::Handler handler);

  /// Makes the epoll, and waits for it from now on. \returns unavailable
  Result<void> start_watching();
  void stop_watching();
  bool watch(HttpConnection& connection, int descriptor);

  /// Calls flush() on `connection` at the end of this turn.
  void flush_later(std::shared_ptr<HttpConnection> connection);
  void add(std::shared_ptr<HttpConnection> connection);
  void remove(HttpConnection& connection);
  /// Checks the deadlines of a part of the connections.
  void sweep();

  std::string take_buffer();
  void give_buffer(std::string&& buffer);
  std::unique_ptr<http::RequestParser> take_parser();
  void give_parser(std::unique_ptr<http::RequestParser> parser);

  /// Ticks that `duration` takes, at least one.
  std::uint32_t ticks(Duration duration) const;

  rt::Shard& shard;
  const HttpServerOptions options;
  HttpServer::Handler handler;
  HttpServerStats stats;
  std::vector<std::shared_ptr<HttpConnection>> connections;
  /// Reads the requests that come whole, of all connections.
  std::unique_ptr<http::RequestParser> parser;
  const std::unique_ptr<char[]> scratch;
  std::string correlation_line;  // of the reply being written
  Duration tick_length;
  std::uint32_t idle_ticks;
  std::uint32_t tick = 1;  // time here: one tick each tick_length; nobody reads a clock for a request
  bool draining = false;
  UniqueFunction<void()> when_empty;
  std::weak_ptr<ConnectionHost> self;

 private:
  void flush_all();

  std::shared_ptr<EventSet> events_;
  std::vector<std::shared_ptr<HttpConnection>> to_flush_;
  std::vector<std::shared_ptr<HttpConnection>> flushing_;
  std::vector<std::string> buffers_;
  std::vector<std::unique_ptr<http::RequestParser>> parsers_;
  std::size_t next_to_check_ = 0;
};

class HttpConnection final : public Watched, public std::enable_shared_from_this<HttpConnection> {
 public:
  /// \param descriptor a non-blocking socket, owned from now on
  HttpConnection(ConnectionHost& host, int descriptor, std::string peer);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void start();
  void on_ready(std::uint32_t events) override;
  /// Answers with `response`, which is the only thing this connection will ever say.
  void refuse(const http::Response& response);
  /// Sends what is complete; called by the host at the end of a turn.
  void flush();
  /// \pre the request is in the air and has not been answered
  void answer(std::uint64_t request, const http::Response& response);
  void answer_stream(std::uint64_t request, const http::Response& head, std::unique_ptr<BodySource> body);
  /// Where the reply is to be written as bytes; null when the connection has gone. Behind it end_reply() or
  /// end_stream_head(), within the same call.
  std::string* begin_reply(std::uint64_t request, bool close, ReplyFrame& frame);
  void end_reply(std::uint64_t request);
  std::string* begin_stream(std::uint64_t request, bool has_length, ReplyFrame& frame);
  void end_stream_head(std::uint64_t request, std::unique_ptr<BodySource> body);
  std::unique_ptr<BodySource> take_body(std::uint64_t request);
  void watch_client(std::uint64_t request, ClientWatcher* watcher);
  /// Nothing is being read or answered: may be closed without loss.
  bool idle() const;
  /// Bytes that nobody has read yet are waiting in the socket.
  bool has_unread() const;
  void check_deadlines();
  void close();
  bool refused() const { return refused_; }

  std::size_t index = 0;  // in ConnectionHost::connections
  bool in_flush_list = false;

 private:
  struct Slot {
    std::string text;
    std::unique_ptr<BodySource> body;  // `text` is its head then
    ClientWatcher* watcher = nullptr;
    std::uint64_t correlation = 0;
    bool has_correlation = false;
    bool ready = false;
    bool close = false;
    bool head_only = false;
    bool old_version = false;  // HTTP/1.0
    bool chunked = false;
  };
  struct Stream {
    std::unique_ptr<BodySource> source;
    std::optional<Result<std::optional<std::string>>> arrived;
    bool asked = false;
    bool chunked = true;
    bool close = false;
  };

  /// The body of the last request, being read piece by piece; parser_ belongs to it.
  struct Upload {
    Upload(rt::Shard& shard, UniqueFunction<void()> wake) : pipe(shard, std::move(wake)) {}
    BodyPipe pipe;
    std::unique_ptr<BodySource> reader;  // until it is taken
    bool paused = false;
  };

  bool wants_input() const {
    if (!readable_) return false;
    return lingering_ || (upload_ ? !upload_->paused : !paused_ && !no_more_requests_);
  }
  void read();
  void on_end_of_input();
  void take_input(std::string_view bytes);
  std::string_view consume(std::string_view bytes);
  void hand_over(http::RequestParser& parser);
  std::string_view begin_upload(std::string_view bytes);
  std::string_view feed_upload(std::string_view bytes);
  void resume_upload();
  void drop_upload();
  void reject(const http::Response& response);
  void keep_rest(std::string_view rest);
  void offer_continue();
  bool over_limits() const;
  void resume_reading();
  void set_read_deadline();

  Slot& new_slot();
  Slot& slot(std::uint64_t request) { return slots_[request & (slots_.size() - 1)]; }
  std::string& out();
  http::Persistence persistence_for(std::uint64_t request, Slot& slot);
  ReplyFrame frame_for(std::uint64_t request, Slot& slot);
  void advance();
  void take_piece();
  void ask_for_piece();
  bool send_some();
  void linger();
  std::size_t unsent() const { return out_.size() - sent_ + held_bytes_; }

  ConnectionHost* host_;
  int descriptor_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::vector<Slot> slots_;  // a power of two
  std::string out_;
  std::size_t sent_ = 0;             // of out_
  std::size_t held_bytes_ = 0;       // in slots_
  std::uint32_t read_deadline_ = 0;  // in ticks; 0: none
  std::uint32_t write_deadline_ = 0;
  bool readable_ = false;
  bool hung_up_ = false;          // the client has closed its side: reading goes on until that is met
  bool request_started_ = false;  // read_deadline_ is that of a request
  bool paused_ = false;
  bool waiting_for_space_ = false;
  bool no_more_requests_ = false;
  bool input_ended_ = false;
  bool closing_ = false;  // the last reply is in out_
  bool lingering_ = false;
  bool refused_ = false;
  bool wants_continue_ = false;
  bool continue_offered_ = false;
  std::unique_ptr<http::RequestParser> parser_;
  std::string tail_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Upload> upload_;
  std::string peer_;
};

}  // namespace doorbuster::net
