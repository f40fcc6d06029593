#pragma once
// HTTP/1.1 client of one shard: callbacks, deadlines, connections that stay, and replies without an end
// (SSE). For talking to a few servers now and then (the registry, health checks); not for the data plane.
//
// Invariants:
// 1. Every exchange has a deadline and calls `done` once, later than the call that began it; none is called
//    after the client is destroyed.
// 2. A connection carries one exchange at a time. At most `most_connections` are open, and at most
//    `most_waiting` exchanges wait for one; further ones are answered `overloaded`.
// 3. A connection that was kept may have been closed by the server meanwhile. When it ends before the first
//    byte of a reply, a request that is `repeatable` is sent once more, on a new connection.
//
// One thread: the shard's.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/unique_function.hpp"
#include "net/http_client.hpp"
#include "rt/shard.hpp"

namespace doorbuster::net {

struct AsyncRequest {
  std::string method = "GET";
  std::string target = {};        ///< path and query
  std::string body = {};          ///< empty: none
  std::string content_type = {};  ///< of the body
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool repeatable = true;  ///< does no harm when the server sees it twice
};

/// Receives a reply piece by piece. Destroyed when the stream has ended or the client is destroyed.
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  /// The head has come. \returns false: the stream ends, with `unsupported`
  virtual bool on_head(int status, std::string_view content_type) = 0;
  virtual void on_bytes(std::string_view bytes) = 0;
  /// The last call: the server has ended it, or it fell silent, or there was no connection.
  virtual void on_end(const Error& why) = 0;
};

class AsyncHttpClient {
 public:
  struct Options {
    std::size_t most_connections = 4;  ///< streams not counted
    std::size_t most_waiting = 64;
    std::size_t most_body_bytes = 64 << 20;
    Duration idle_timeout = std::chrono::seconds(20);  ///< a connection kept longer is not used again
  };
  using Done = UniqueFunction<void(Result<ClientResponse>)>;

  /// \param authorization value of that header; empty: none
  AsyncHttpClient(rt::Shard& shard, Url origin, std::string authorization, Options options);
  AsyncHttpClient(rt::Shard& shard, Url origin, std::string authorization = {})
      : AsyncHttpClient(shard, std::move(origin), std::move(authorization), Options{}) {}
  ~AsyncHttpClient();

  /// `done` gets unavailable (nothing was sent, or not all of it), unknown_outcome (sent, and no answer
  /// came), malformed (no HTTP came back), overloaded.
  void exchange(AsyncRequest request, Duration timeout, Done done);
  /// Opens a reply that goes on and on. Ends when nothing came for `silence`.
  void stream(AsyncRequest request, Duration silence, std::unique_ptr<StreamReader> reader);
  /// Closes all streams, without a word to their readers.
  void close_streams();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::net
