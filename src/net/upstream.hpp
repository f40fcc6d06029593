#pragma once
// Connections to the instances behind a gateway.
//
//   UpstreamHost   what all of a shard share: epoll, read buffer, parser, time
//   UpstreamPool   the connections to one instance
//   UpstreamRequest   one request on its way; made by the caller, who hears how it ended, once
//
// Two ways to use connections. To an instance that takes pipelined requests and echoes
// `Doorbuster-Correlation` (docs/adr/0010): many requests in the air on few connections, those of one turn
// written together, answered in order, each reply held against the number that its request carried. To all
// others, and for requests or replies of unknown length: a connection of its own for each request, kept for
// the next one.
//
// One thread: the shard's.

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/event_set.hpp"
#include "net/http_server.hpp"
#include "proto/http/reply_head.hpp"

namespace doorbuster::net {

enum class UpstreamFailure : std::uint8_t {
  refused,          ///< nobody listens there, or the address cannot be reached
  connect_timeout,  ///< no connection in time
  lost,             ///< the connection ended before the reply
  malformed,        ///< what came is no reply, or none to this request
  upload,           ///< the client's body broke off
  stalled           ///< given back because a reply before it is slow; asked only of those that may_move()
};

class UpstreamConnection;
class UpstreamPool;

/// Stays where it is from send() until one of on_...() is called or cancel() has returned.
class UpstreamRequest {
 public:
  virtual ~UpstreamRequest() = default;

  std::string bytes;                           ///< the head without its empty line, then the body
  std::size_t head_size = 0;                   ///< of `bytes`; the rest is the body
  bool to_head = false;                        ///< HEAD: the reply has no body
  std::unique_ptr<BodySource> upload;          ///< a body that is still arriving; exclusive connections only
  std::optional<std::uint64_t> upload_length;  ///< nullopt: chunked

  /// The whole reply. Views end with the call. \param body decoded
  virtual void on_reply(const http::ReplyHead& head, std::string_view body) = 0;
  /// The beginning of a long reply, or one without an end yet.
  virtual void on_stream(const http::ReplyHead& head, std::unique_ptr<BodySource> body) = 0;
  /// Whether it may be sent once more, elsewhere, although it has been sent. After a yes, on_failure(stalled)
  /// follows.
  virtual bool may_move() = 0;
  /// A piece of the upload is on its way.
  virtual void on_upload_progress() {}
  /// \param sent it may have been processed; false: it certainly was not
  virtual void on_failure(UpstreamFailure failure, bool sent, std::string_view detail) = 0;

 private:
  friend class UpstreamConnection;
  friend class UpstreamPool;
  UpstreamConnection* connection_ = nullptr;
  UpstreamPool* waiting_in_ = nullptr;
};

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  /// \param ip without brackets. \returns invalid
  static Result<Endpoint> parse(const std::string& ip, std::uint16_t port);
};

struct UpstreamOptions {
  std::size_t pipelined = 0;                 ///< requests in the air on a connection; 0: one, exclusively
  std::size_t pipelined_connections = 4;     ///< that share the load before any is full
  std::size_t spread_at = 32;                ///< requests in the air on each before another one is opened
  std::size_t most_connections = 512;        ///< of each kind; further requests wait
  std::size_t most_waiting = 16 * 1024;      ///< then send() refuses
  std::size_t most_whole_bytes = 64 * 1024;  ///< a longer reply is passed on piece by piece
  Duration connect_timeout = std::chrono::seconds(1);
  Duration stall_after = std::chrono::milliseconds(100);  ///< its first request unanswered: takes no more
  Duration move_after = std::chrono::milliseconds(500);   ///< then those behind it are given back
  Duration stream_idle_limit = std::chrono::minutes(5);   ///< of a long reply that does not go on
  Duration idle_limit = std::chrono::seconds(4);          ///< below what servers commonly have
};

struct UpstreamStats {
  std::uint64_t connects = 0;
  std::uint64_t connect_failures = 0;
  std::uint64_t connections = 0;     ///< now
  std::uint64_t reused = 0;          ///< requests on a connection that had served before
  std::uint64_t lost = 0;            ///< connections that ended with requests in the air
  std::uint64_t desynchronised = 0;  ///< killed: what came was not the reply to what was asked
  std::uint64_t writes = 0;
  std::uint64_t requests = 0;
  std::uint64_t waiting = 0;  ///< now
  std::uint64_t overflows = 0;
  std::uint64_t cancelled = 0;
};

/// What the upstream connections of a shard share.
class UpstreamHost {
 public:
  static constexpr std::size_t kScratchBytes = 64 * 1024;
  static constexpr Duration kTick = std::chrono::milliseconds(20);

  explicit UpstreamHost(rt::Shard& shard);
  ~UpstreamHost();
  /// \returns unavailable
  Result<void> start();
  void stop();

  rt::Shard& shard() { return shard_; }
  UpstreamStats& stats() { return stats_; }
  /// Steady time, to a tick.
  Duration now() const { return now_; }
  /// Steady time.
  static Duration precise_now();

 private:
  friend class UpstreamConnection;
  friend class UpstreamPool;

  void tick();
  void flush_later(std::shared_ptr<UpstreamConnection> connection);
  void flush_all();

  rt::Shard& shard_;
  std::shared_ptr<EventSet> events_;
  const std::unique_ptr<char[]> scratch_;
  http::ReplyHead head_;
  std::string decoded_;
  std::vector<UpstreamPool*> pools_;
  std::vector<std::shared_ptr<UpstreamConnection>> to_flush_, flushing_;
  std::uint64_t next_number_ = 1;
  std::uint64_t turn_ = 1;
  Duration now_;
  UpstreamStats stats_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The connections to one instance.
class UpstreamPool {
 public:
  UpstreamPool(UpstreamHost& host, const Endpoint& endpoint, const UpstreamOptions& options);
  /// Nothing may be in the air. Not within a callback of a request.
  ~UpstreamPool();
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  /// \param exclusive a connection of its own, whatever the instance can do
  /// \returns false when too many are waiting; nothing was kept then
  bool send(UpstreamRequest& request, bool exclusive);
  /// On a fresh connection that is closed behind it.
  void probe(UpstreamRequest& request);
  /// Forgets the request; it will hear nothing more. \param stuck its reply is overdue, so that its
  /// connection is not trusted with further ones
  void cancel(UpstreamRequest& request, bool stuck);
  /// Closes what is idle. What is in the air ends in its time.
  void close_idle();
  std::size_t connections() const { return connections_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  friend class UpstreamConnection;
  friend class UpstreamHost;

  UpstreamConnection* pipelined_connection();
  UpstreamConnection* exclusive_connection();
  UpstreamConnection* open(std::size_t depth, bool correlated);
  void give_back(UpstreamConnection& connection);
  void has_room();
  void remove(UpstreamConnection& connection);
  void check(Duration now);

  UpstreamHost& host_;
  Endpoint endpoint_;
  UpstreamOptions options_;
  std::vector<std::shared_ptr<UpstreamConnection>> connections_;
  std::vector<UpstreamConnection*> idle_;  // exclusive ones, the last used at the end
  struct Waiting {
    UpstreamRequest* request;
    bool exclusive;
  };
  std::deque<Waiting> waiting_;
  UpstreamConnection* of_this_turn_ = nullptr;
  std::uint64_t turn_ = 0;
  std::size_t pipelined_open_ = 0;
  std::size_t exclusive_open_ = 0;
};

}  // namespace doorbuster::net
