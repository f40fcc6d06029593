#pragma once
// One connection of the HTTP server: reads requests, keeps the order of replies, writes them together.
//
// States: reading; paused (back-pressure: too many requests in the air, or replies not taken); finishing (the
// last request is read, replies are still owed); lingering (all is sent, the client may still be sending);
// gone.
//
// Invariants
//  1. Replies leave in the order of the requests: `next_reply_` is the number of the first one not yet
//  written.
//  2. While a stream is being written, replies behind it wait in `ahead_`.
//  3. At most one read and one write are outstanding.

#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <memory>
#include <string>

#include "net/http_server.hpp"
#include "proto/http/request_parser.hpp"

namespace doorbuster::net {

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using SteadyTime = std::chrono::steady_clock::time_point;

  HttpConnection(std::shared_ptr<HttpServerImpl> server, Socket socket);
  ~HttpConnection();

  void start();
  /// Answers what is in the air, takes nothing new, then closes.
  void drain();
  /// Closes at once; replies that come later are dropped.
  void cut();
  /// Cuts what has waited too long. Called by the server's sweep.
  void check_timeouts(SteadyTime now);
  /// Writes what has been answered in this turn.
  void flush();

  void reply(const RequestTicket& ticket, const http::Response& response);
  void reply_stream(const RequestTicket& ticket, const http::Response& head,
                    std::unique_ptr<BodySource> body);

  std::size_t place = 0;  ///< in the server's list; the server's

 private:
  /// A reply that was completed before its turn.
  struct Ahead {
    std::string bytes;
    std::unique_ptr<BodySource> body;
    RequestTicket ticket;
  };

  void read();
  void on_read(boost::system::error_code error, std::size_t bytes);
  void parse();
  void refuse(const http::ParseFailure& failure);
  void advance(const RequestTicket& ticket);
  void begin_stream(const RequestTicket& ticket, std::unique_ptr<BodySource> body);
  void pull_stream();
  void on_piece(Result<std::optional<std::string>> piece);
  void want_flush();
  void wait_writable();
  void after_write();
  void finish();
  void linger();
  bool owes_nothing() const { return next_reply_ == next_request_ && !stream_ && out_.size() == out_sent_; }
  bool may_read() const;

  std::shared_ptr<HttpServerImpl> server_;
  Socket socket_;
  http::RequestParser parser_;
  std::string in_;  // received; from in_parsed_ on not yet handed on
  std::size_t in_used_ = 0;
  std::size_t in_parsed_ = 0;
  std::string out_;  // to be sent, from out_sent_ on
  std::size_t out_sent_ = 0;
  std::uint64_t next_request_ = 0;
  std::uint64_t next_reply_ = 0;
  std::map<std::uint64_t, Ahead> ahead_;
  std::unique_ptr<BodySource> stream_;
  bool stream_chunked_ = true;
  bool stream_pulling_ = false;
  SteadyTime progress_{};  // when something was last read, written or answered
  SteadyTime request_began_{};
  bool in_request_ = false;  // a part of a request has been received
  bool reading_ = false;
  bool writing_ = false;
  bool flush_wanted_ = false;
  bool last_request_read_ = false;
  bool lingering_ = false;
  bool continue_sent_ = false;
  bool gone_ = false;
};

}  // namespace doorbuster::net
