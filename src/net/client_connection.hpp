#pragma once
// One connection of AsyncHttpClient. Private to src/net.
//
// Ownership: the client owns it and calls close() before it lets go; handlers in the air keep it alive until
// they have run. One thread: the shard's.

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_function.hpp"
#include "net/http_client.hpp"
#include "proto/http/response_parser.hpp"
#include "rt/shard.hpp"

namespace doorbuster::net {

class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  ClientConnection(rt::Shard& shard, const Url& origin, std::size_t most_body_bytes);

  /// Resolves and connects. `done` is not called after close().
  void connect(UniqueFunction<void(Result<void>)> done);
  /// Sends and reads. `progress` is called after each read that left the reply unfinished, `done` at its end.
  /// \pre connected, and no exchange is going on
  void exchange(std::string bytes, bool head_request, UniqueFunction<void()> progress,
                UniqueFunction<void(Result<void>)> done);
  void close();

  http::ResponseParser& reply() { return parser_; }
  bool sent_something() const { return sent_something_; }
  bool used_before() const { return exchanges_ > 1; }
  /// The server has neither closed it nor said something unasked.
  bool quiet();

  std::chrono::steady_clock::time_point idle_since;

 private:
  using Socket =
      boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
  using Resolver =
      boost::asio::ip::basic_resolver<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

  void connect_to_next(std::size_t index);
  void write();
  void read();
  void finish(Result<void> result, bool reusable = true);
  Error failed(const std::string& why, bool was_sent) const;

  Url origin_;
  Resolver resolver_;
  Socket socket_;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints_;
  http::ResponseParser parser_;
  std::array<char, 16 * 1024> buffer_{};
  std::string out_;
  UniqueFunction<void(Result<void>)> connected_;
  UniqueFunction<void()> progress_;
  UniqueFunction<void(Result<void>)> done_;
  std::size_t exchanges_ = 0;
  bool sent_something_ = false;
  bool writing_ = false;
  bool closed_ = false;
};

}  // namespace doorbuster::net
